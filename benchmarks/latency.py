"""From the close of a pane to the alert on its topic: many small incidents through a real broker and a real worker.

Thirty models on three topics; each loses its one required field for a whole pane, one after another, again and again. A pane
is complete once event time has passed its end by the lateness: that moment is where the clock starts. It stops when a consumer
of the alerts topic holds the alert. Events carry the time at which they are sent, so both are times of one clock.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import confluent_kafka
import numpy as np

from benchmarks.cluster import create, rig
from stream.kafka.cluster import create_ours
from tests.broker.process import Worker, running, until

TOPICS = 3
MODELS = 30
PARTITIONS = 2
PANE_MS = 1_000
LATENESS_MS = 1_000
RATE = 40
"""Records per second of each model: 30 are needed to judge a pane."""
CYCLE = 8
"""Panes from one loss of a model's field to its next; three clean panes end an incident, so each loss opens one again."""
SECONDS = 60
SETTLE_S = 10
SLICE_S = 0.025
APP = "sg-latency"


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, details)."""
    seconds = max(int(SECONDS * scale), 25)
    with rig() as (brokers, folder), running() as workers:
        for topic in range(TOPICS):
            create(brokers, f"latency.{topic}", PARTITIONS)
        asyncio.run(create_ours(brokers, APP, 1))
        worker = Worker(folder, APP, brokers, configuration())
        workers.append(worker.start())
        until("the worker is ready", worker.ready, 60)
        seen = _run(brokers, seconds)
        appended = _appended(brokers)
        worker.stop()
    if not seen:
        raise RuntimeError("no alert came")
    delays = [item.delay for item in seen]
    figures = {
        "alert_latency_p50": float(np.percentile(delays, 50)),
        "alert_latency_p99": float(np.percentile(delays, 99)),
        "alert_latency_max": max(delays),
        "alert_latency_incidents": float(len(delays)),
    }
    to_ledger = [appended[item.ledger_offset] - item.closed for item in seen]
    to_alert = [item.written - appended[item.ledger_offset] for item in seen]
    parts = {"median_s_to_the_ledger": to_ledger, "median_s_from_there_to_the_alert": to_alert}
    details = {name: round(float(np.median(part)), 4) for name, part in parts.items()}
    return figures, {**details, "pane_ms": PANE_MS, "models": MODELS, "records_per_s": MODELS * RATE}


@dataclass(frozen=True, slots=True)
class Seen:
    """One alert: when its pane closed, when the alert was written and when it was read (s since 1970), and what caused it."""

    closed: float
    written: float
    read: float
    ledger_offset: int

    @property
    def delay(self) -> float:
        return self.read - self.closed


def configuration() -> str:
    models = "".join(
        f"  {name}:\n    owner: bench\n    decision: none\n    when_wrong: nothing\n    features: {{topic: latency.{i % TOPICS}, "
        f"where: {{m: {name}}}, time: {{field: ts, unit: ms}}, unlisted: ignore, fields: {{x: {{required: true}}}}}}\n"
        for i, name in enumerate(names())
    )
    return f"app: {APP}\npane: 1s\nlateness: 1s\nstart: earliest\nmodels:\n{models}"


def names() -> list[str]:
    return [f"m{i:03d}" for i in range(MODELS)]


def _run(brokers: str, seconds: int) -> list[Seen]:
    """Send the events and return every alert that began or came back."""
    producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "linger.ms": 2})
    alerts = confluent_kafka.Consumer(
        {"bootstrap.servers": brokers, "group.id": APP + "-reader", "fetch.wait.max.ms": 10}
    )
    alerts.assign([confluent_kafka.TopicPartition(f"{APP}.alerts", 0, 0)])
    seen: list[Seen] = []
    begun = time.time()
    first = int(begun * 1000) // PANE_MS + SETTLE_S * 1000 // PANE_MS
    sent = 0
    while time.time() - begun < seconds:
        due = int((time.time() - begun) * RATE)
        for round in range(sent, due):
            _send(producer, round, first)
        sent = due
        producer.poll(0)
        for message in alerts.consume(100, SLICE_S):
            seen += _seen(message)
    producer.flush(10)
    alerts.close()
    return seen


def _send(producer: confluent_kafka.Producer, round: int, first: int) -> None:
    """Send one record of each model, with the time that it is now."""
    now = int(time.time() * 1000)
    pane = now // PANE_MS
    for i, name in enumerate(names()):
        broken = pane >= first and pane % CYCLE == i % CYCLE
        value = {"m": name, "ts": now, "x": None if broken else round % 97 + i / 7}
        producer.produce(f"latency.{i % TOPICS}", json.dumps(value).encode(), partition=round % PARTITIONS)


def _seen(message: Any) -> list[Seen]:
    """Return an alert that began; nothing for updates and ends."""
    now = time.time()
    if message.error() is not None:
        return []
    event = json.loads(message.value())
    if event.get("status") != "firing" or event["labels"]["reason"] != "all_missing":
        return []
    begins = datetime.fromisoformat(event["evidence"]["findings"][0]["since"]).timestamp()
    closed = begins + (PANE_MS + LATENESS_MS) / 1000
    offset = int(dict(message.headers())["ledger_offset"])
    return [Seen(closed, message.timestamp()[1] / 1000, now, offset)]


def _appended(brokers: str) -> dict[int, float]:
    """Return when each record of the ledger was written, by offset."""
    ledger = confluent_kafka.Consumer({"bootstrap.servers": brokers, "group.id": APP + "-ledger"})
    place = confluent_kafka.TopicPartition(f"{APP}.ledger", 0, 0)
    ledger.assign([place])
    end = ledger.get_watermark_offsets(place)[1]
    appended: dict[int, float] = {}
    while not appended or max(appended) < end - 1:
        for message in ledger.consume(1000, 1.0):
            offset = message.offset()
            if message.error() is None and offset is not None:
                appended[offset] = message.timestamp()[1] / 1000
    ledger.close()
    return appended
