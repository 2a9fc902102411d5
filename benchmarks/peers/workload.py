"""The records that everybody reads, and the counts that must come out.

30 numeric features in JSON of about 1 kB; one record in a hundred has a null. Event time is in the field ``ts`` and, the same, in
the record's timestamp. The key is the partition, so that frameworks that count by key need not shuffle: that is kind to them,
since the key of a real topic is rather a customer.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

PARTITIONS = 4
FEATURES = [f"feature_{i:02d}" for i in range(30)]
PANE_MS = 60_000
BEGIN_MS = 1_700_000_000_000 // PANE_MS * PANE_MS

Window = list[float]  # values, missing values, smallest, largest: of all features together


def records(first: int, count: int, begin_ms: int, step_ms: int) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield (event time in ms, record), ``step_ms`` apart; the same arguments yield the same records."""
    rng = random.Random(first)
    for i in range(count):
        ts = begin_ms + i * step_ms
        features: dict[str, object] = {name: rng.lognormvariate(0, 1) for name in FEATURES}
        if i % 100 == 7:
            features["feature_07"] = None
        yield ts, {"request_id": f"{first + i:012d}", "ts": ts, **features, "note": "x" * 40}


def create(brokers: str, topics: list[str]) -> None:
    """Create the input topics."""
    new = [NewTopic(topic, PARTITIONS, 1, config={"retention.ms": "-1"}) for topic in topics]
    admin = AdminClient(
        {"bootstrap.servers": brokers}
    )  # held by a name: once collected, it breaks off what it has begun
    for future in admin.create_topics(new).values():
        future.result()


def produce(brokers: str, topics: dict[str, int], source: Iterator[tuple[int, dict[str, object]]]) -> dict[int, Window]:
    """Write records round-robin over the partitions of each topic, so many to each; return what is to be counted, by window."""
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "queue.buffering.max.kbytes": 65536})
    expected: dict[int, Window] = {}
    for i, (ts, record) in enumerate(source):
        partition = i % PARTITIONS
        value = json.dumps(record).encode()
        for topic in (topic for topic, limit in topics.items() if i < limit):
            while True:
                try:
                    producer.produce(topic, value, b"p%d" % partition, partition, timestamp=ts)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
        values = [x for name in FEATURES if isinstance(x := record[name], float)]
        row = [len(values), len(FEATURES) - len(values), min(values), max(values)]
        start = ts // PANE_MS * PANE_MS
        expected[start] = merge(expected[start], row) if start in expected else row
    if producer.flush(60):
        raise RuntimeError("the broker did not take all records within a minute")
    return expected


def merge(a: Window, b: Window) -> Window:
    """Add up two parts of one window."""
    return [a[0] + b[0], a[1] + b[1], min(a[2], b[2]), max(a[3], b[3])]
