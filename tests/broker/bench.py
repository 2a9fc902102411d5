"""An application that watches one stream of one topic, for tests on a real broker."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stream.demo.broker import EmbeddedBroker
from stream.kafka.cluster import create_ours
from tests.broker import reading
from tests.broker.process import Worker, running, until
from tests.brokers import admin
from tests.brokers.admin import Row, unique
from tests.brokers.kafka import Kafka

BASE_MS = 1_767_571_200_000
Broker = Kafka | EmbeddedBroker


class Bench:
    """An application that watches one stream of one topic.

    Args:
        broker: where. folder: for files. extra: more lines of the stream. partitions: of the input topic.
    """

    def __init__(self, broker: Broker, folder: Path, extra: str = "", partitions: int = 1, start: str = "end") -> None:
        self.address, self.folder = broker.address, folder
        self.app, self.topic = unique("app"), unique("input")
        self.sent = 0
        self.text = f"""
app: {self.app}
pane: 1s
lateness: 3s
warm_up: 200s
start: {start}
models:
  m:
    owner: risk
    decision: decide
    when_wrong: rules decide
    features: {{topic: {self.topic}, time: {{field: ts, unit: ms}}, fields: {{x: }}{extra}}}
"""
        asyncio.run(admin.create_topic(self.address, self.topic, partitions))
        asyncio.run(create_ours(self.address, self.app))

    def worker(self, name: str = "worker") -> Worker:
        """Return a worker that is not started."""
        return Worker(self.folder, name, self.address, self.text)

    @contextmanager
    def at_work(self) -> Iterator[Worker]:
        """Give a worker that is ready; it is killed in the end."""
        with running() as workers:
            workers.append(self.worker().start())
            until("the worker is ready", workers[0].ready)
            yield workers[0]

    def send(self, n: int, partition: int = 0) -> None:
        """Write records to a partition, ten to a second of event time."""
        stamps = [BASE_MS + 100 * (self.sent + i) for i in range(n)]
        self.sent += n
        rows = [Row(json.dumps({"x": i % 7, "ts": ts}).encode(), None, partition) for i, ts in enumerate(stamps)]
        asyncio.run(admin.produce(self.address, self.topic, rows))

    def ledger(self) -> reading.Ledger:
        """Read the ledger."""
        return reading.Ledger.of(self.address, self.app)

    def state(self) -> dict[str, bytes]:
        """Return what compaction would leave of the state topic."""
        view = {record.key.decode(): record.value for record in reading.read(self.address, f"{self.app}.state")}
        return {key: value for key, value in view.items() if value is not None}

    def classes(self) -> Counter[str]:
        """Return the records of the stream by class, over all partitions and incarnations."""
        return +sum(self.ledger().classes.values(), Counter[str]())

    def events(self) -> list[tuple[str, str, str]]:
        """Return (check, reason, status) of the alert events."""
        found, _ = reading.events(self.address, self.app)
        return [(event["check"], event["labels"]["reason"], event["status"]) for event in found]

    def settled(self, **classes: int) -> None:
        """Wait until the ledger counts exactly these records."""
        until(f"the ledger counts {classes}", lambda: self.classes() == classes, 90, 0.5)
