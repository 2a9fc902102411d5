"""A broker, topics filled quickly, and applications that have learned before their first worker starts."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Producer as FastProducer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.monitor import BEGIN_MS, SECRET, Learned, reference_of
from stream.codec import pack
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.kafka.cluster import create_ours
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.layout import Layout
from stream.ledger import adopt_header, open_header
from stream.plan import Plan
from tests.brokers.kafka import Kafka

PARTITIONS = 4
QUEUED_KB = 1 << 20


@contextmanager
def rig() -> Iterator[tuple[str, Path]]:
    """Start a broker; give its address and a folder, and remove both afterwards."""
    broker = Kafka()
    try:
        broker.start()
        with tempfile.TemporaryDirectory() as folder:
            yield broker.address, Path(folder)
    finally:
        broker.stop()


def create(brokers: str, topic: str, partitions: int = PARTITIONS) -> None:
    """Create an input topic."""
    admin = AdminClient({"bootstrap.servers": brokers})  # it must live until the answer is there
    for future in admin.create_topics([NewTopic(topic, partitions, 1, config={"retention.ms": "-1"})]).values():
        future.result()


def fill(
    brokers: str, topic: str, values: Sequence[bytes], count: int, step_ms: float = 1.0, partitions: int = PARTITIONS
) -> None:
    """Write ``count`` records, ``values`` over and over, ``step_ms`` of event time apart, dealt out over the partitions.

    Raises:
        RuntimeError: the broker did not take all of them.
    """
    producer = FastProducer(
        {
            "bootstrap.servers": brokers,
            "linger.ms": 5,
            "batch.size": 256 * 1024,
            "queue.buffering.max.messages": 500_000,
            "queue.buffering.max.kbytes": QUEUED_KB,
        }
    )
    kinds = len(values)
    for i in range(count):
        stamp = BEGIN_MS + int(i * step_ms)
        while True:
            try:
                producer.produce(topic, values[i % kinds], partition=i % partitions, timestamp=stamp)
                break
            except BufferError:
                producer.poll(0.05)
        if i % 1000 == 0:
            producer.poll(0)
    if left := producer.flush(120):
        raise RuntimeError(f"{left} records were not acknowledged")


def configuration(folder: Path, brokers: str, app: str, topic: str, more: str = "") -> Path:
    """Write the file of an application with one stream of features, ``bench.features``."""
    (folder / "hash.key").write_bytes(SECRET)
    file = folder / f"{app}.yaml"
    file.write_text(
        f"app: {app}\nkafka: {{brokers: '{brokers}'}}\nhash_key: {{file: hash.key}}\nstart: earliest\n{more}"
        "models:\n  bench:\n    owner: bench\n    decision: none\n    when_wrong: nothing\n"
        f"    features: {{topic: {topic}}}\n"
    )
    return file


def prepare(file: Path, learned: Learned, partitions: int = PARTITIONS) -> None:
    """Create the topics of an application and bring a layout and a reference into force, as a host of the judge does it.

    Each partition is opened at offset 0 as if its topic had been empty then, so no record is history: detectors and incidents
    work on every pane.
    """
    settings = load(file)
    plan = compile_plan(settings)
    asyncio.run(_prepare(",".join(settings.kafka.brokers), plan, learned, partitions))


async def _prepare(brokers: str, plan: Plan, learned: Learned, partitions: int) -> None:
    sections = {item.name: learned.named(item.name, partitions) for item in plan.streams}
    trees: dict[str, Any] = {
        "layout": Layout(plan, sections).to_dict(),
        "reference": reference_of(plan, learned),
    }
    await create_ours(brokers, plan.app, 1)
    producer = Producer(brokers)
    store = Store(brokers, f"{plan.app}.state", producer)
    await producer.start()
    await store.start()
    for what, tree in trees.items():
        name = await store.put_blob(tree, 0)
        await producer.send(f"{plan.app}.ledger", b"note", pack(adopt_header(what, name, None)))
    for topic in plan.topics:
        for partition in range(partitions):
            frame = pack(open_header((topic, partition), 0, 0, 0))
            await producer.send(f"{plan.app}.ledger", f"{topic}/{partition}".encode(), frame)
    await store.stop()
    await producer.stop()


def consumer(*arguments: str) -> list[str]:
    """Return the command of one of the processes of `benchmarks.consumers`."""
    return [sys.executable, "-m", "benchmarks.consumers", *arguments]


def run(*arguments: str) -> dict[str, Any]:
    """Run one of the consumers in a process of its own and return what it measured.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(consumer(*arguments), capture_output=True, text=True, check=False)
    return result(arguments[0], done.returncode, done.stdout, done.stderr)


def result(name: str, code: int, out: str, err: str) -> dict[str, Any]:
    """Return the last line a consumer wrote.

    Raises:
        RuntimeError: it failed.
    """
    if code:
        raise RuntimeError(f"{name} failed:\n{err[-2000:]}")
    figures: dict[str, Any] = json.loads(out.splitlines()[-1])
    return figures
