"""From the close of a pane to the alert on its topic: many small incidents through a real broker and a real worker.

A hundred models on five topics; each loses its one required field for a whole pane, one after another, again and again. A pane
is complete once event time has passed its end by the lateness: that moment is where the clock starts. It stops when a consumer
of the alerts topic holds the alert. Events carry the time at which they are sent, so both are times of one clock.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime
from typing import Any

import confluent_kafka
import numpy as np

from benchmarks.cluster import create, rig
from stream.kafka.cluster import create_ours
from tests.broker.process import Worker, running, until

TOPICS = 5
MODELS = 100
PARTITIONS = 2
PANE_MS = 1_000
LATENESS_MS = 1_000
RATE = 40
"""Records per second of each model: 30 are needed to judge a pane."""
CYCLE = 20
"""Panes from one loss of a model's field to its next; three clean panes end an incident, so each loss opens one again."""
SECONDS = 75
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
        delays = _run(brokers, seconds)
        worker.stop()
    if not delays:
        raise RuntimeError("no alert came")
    figures = {
        "alert_latency_p50": float(np.percentile(delays, 50)),
        "alert_latency_p99": float(np.percentile(delays, 99)),
        "alert_latency_max": max(delays),
        "alert_latency_incidents": float(len(delays)),
    }
    return figures, {"pane_ms": PANE_MS, "models": MODELS, "records_per_s": MODELS * RATE}


def configuration() -> str:
    models = "".join(
        f"  {name}:\n    owner: bench\n    decision: none\n    when_wrong: nothing\n    features: {{topic: latency.{i % TOPICS}, "
        f"where: {{m: {name}}}, time: {{field: ts, unit: ms}}, unlisted: ignore, fields: {{x: {{required: true}}}}}}\n"
        for i, name in enumerate(names())
    )
    return f"app: {APP}\npane: 1s\nlateness: 1s\nstart: earliest\nmodels:\n{models}"


def names() -> list[str]:
    return [f"m{i:03d}" for i in range(MODELS)]


def _run(brokers: str, seconds: int) -> list[float]:
    """Send the events and return the delay in seconds of every alert that began or came back."""
    producer = confluent_kafka.Producer({"bootstrap.servers": brokers, "linger.ms": 2})
    alerts = confluent_kafka.Consumer(
        {"bootstrap.servers": brokers, "group.id": APP + "-reader", "fetch.wait.max.ms": 10}
    )
    alerts.assign([confluent_kafka.TopicPartition(f"{APP}.alerts", 0, 0)])
    delays: list[float] = []
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
            delay = _delay(message)
            if delay is not None:
                delays.append(delay)
    producer.flush(10)
    alerts.close()
    return delays


def _send(producer: confluent_kafka.Producer, round: int, first: int) -> None:
    """Send one record of each model, with the time that it is now."""
    now = int(time.time() * 1000)
    pane = now // PANE_MS
    for i, name in enumerate(names()):
        broken = pane >= first and pane % CYCLE == i % CYCLE
        value = {"m": name, "ts": now, "x": None if broken else round % 97 + i / 7}
        producer.produce(f"latency.{i % TOPICS}", json.dumps(value).encode(), partition=round % PARTITIONS)


def _delay(message: Any) -> float | None:
    """Return how long after the close of its pane an alert came; None for updates and ends."""
    now = time.time()
    if message.error() is not None:
        return None
    event = json.loads(message.value())
    if event["status"] != "firing" or event["labels"]["reason"] != "all_missing":
        return None
    begins = _ms(event["evidence"]["findings"][0]["since"])
    return now - (begins + PANE_MS + LATENESS_MS) / 1000


def _ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
