"""Bad input on a real Apache Kafka, through a whole worker: ten thousand unreadable records, bombs, giants.

The same traps without a broker: ``test_records.py`` and ``tests/transport/test_fetch.py``.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from stream.codec import unpack
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.memory import MIB, needs
from tests.broker import reading
from tests.broker.process import until
from tests.broker.test_worker import BASE_MS, Bench
from tests.brokers import admin
from tests.brokers.kafka import Kafka, lacking

GIB = 2**30
LARGE = 100 * MIB

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def broker() -> Iterator[Kafka]:
    """A node that takes requests and batches of 100 MB."""
    if lacking():
        pytest.skip(f"needs Apache Kafka: {lacking()}")
    node = Kafka(f"message.max.bytes={LARGE}\nsocket.request.max.bytes={2 * LARGE}\nreplica.fetch.max.bytes={LARGE}\n")
    try:
        yield node.start()
    finally:
        node.stop()


@dataclass(frozen=True)
class Batch:
    """One Kafka batch of one record; ``codec`` as aiokafka names it."""

    value: bytes | None
    codec: str | None = None
    key: bytes | None = None
    headers: int = 0
    copies: int = 1


async def _send(address: str, topic: str, batches: tuple[Batch, ...]) -> None:
    for batch in batches:
        producer = AIOKafkaProducer(
            bootstrap_servers=address,
            acks="all",
            compression_type=batch.codec,
            max_batch_size=2 * GIB,
            max_request_size=LARGE,
            request_timeout_ms=120_000,
        )
        await producer.start()
        try:
            builder = producer.create_batch()
            for _ in range(batch.copies):
                headers = [("", b"")] * batch.headers
                builder.append(timestamp=BASE_MS, key=batch.key, value=batch.value, headers=headers)
            await (await producer.send_batch(builder, topic, partition=0))
        finally:
            await producer.stop()


def send(bench: Bench, *batches: Batch) -> None:
    """Write batches, made by aiokafka's own builder, one after the other."""
    asyncio.run(_send(bench.address, bench.topic, batches))


def good(i: int) -> Batch:
    return Batch(json.dumps({"x": i % 7, "ts": BASE_MS + 100 * i}).encode())


def bound(bench: Bench) -> int:
    """Return what ``streamgauge check`` says the worker needs at most."""
    return needs(compile_plan(load(bench.folder / "worker.yaml")), {bench.topic: 1}).total


def named(bench: Bench) -> list[tuple[int, str]]:
    """Return (offset, reason) of every reference to an unreadable record."""
    letters = [json.loads(record.value) for record in reading.read(bench.address, f"{bench.app}.dead-letter")]
    return sorted((letter["offset"], letter["reason"]) for letter in letters)


def peak(pid: int) -> int:
    """Return the most bytes a process ever had resident."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_ten_thousand_unreadable_records_then_a_good_one(broker: Kafka, tmp_path: Path) -> None:
    """Stock Faust restarts its agent for each of them. How long it took is printed, not asserted."""
    bench = Bench(broker, tmp_path)
    with bench.at_work():
        send(bench, *map(good, range(3)))
        bench.settled(applied=3)
        asyncio.run(admin.produce(bench.address, bench.topic, [b"{oops"] * 10_000))
        begun = time.time()
        send(bench, good(4))
        bench.settled(applied=4, not_json=10_000)
        # The judge writes the references once it has read the ledger, so a moment after the counts stand there.
        until("some of them are referred to, by their coordinates", lambda: bool(named(bench)))
    entries = [
        (unpack(record.value)[0], record.timestamp) for record in reading.read(bench.address, f"{bench.app}.ledger")
    ]
    written = min(at for header, at in entries if header["kind"] == "entry" and header["to"] == 10_004)
    print(f"the good record is in the ledger {written / 1000 - begun:.2f} s after it was sent")
    assert all(3 <= offset < 10_003 and reason == "not_json" for offset, reason in named(bench))


@pytest.mark.parametrize("size", [128 * MIB, pytest.param(GIB, marks=pytest.mark.slow)], ids=["128 MiB", "1 GiB"])
def test_bombs_among_good_batches(broker: Kafka, tmp_path: Path, size: int) -> None:
    """So many zeros in each codec: named by its offset and counted, its neighbours applied, memory as stated (P6)."""
    bench = Bench(broker, tmp_path)
    with bench.at_work() as worker:
        send(bench, good(0), good(1))
        bench.settled(applied=2)
        zeros = bytes(size)
        for i, codec in enumerate(("gzip", "snappy", "lz4", "zstd")):
            send(bench, Batch(zeros, codec), good(2 + i))
        del zeros
        near = [Batch(bytes(60 * MIB), "zstd") for _ in range(20)]
        headers = Batch(b"{}", "zstd", headers=3_000_000)
        send(bench, *near, headers, good(9))
        bench.settled(applied=7, too_large=25)
        assert worker.process is not None
        used, most = peak(worker.process.pid), bound(bench)
        print(f"peak {used / MIB:.0f} MiB of {most / MIB:.0f}")
        assert used < most
        assert worker.ready()
    offsets = [2, 4, 6, 8, *range(10, 31)]
    assert set(named(bench)) <= {(offset, "too_large") for offset in offsets}
    assert {(offset, "too_large") for offset in (2, 4, 6, 8)} & set(named(bench))


def test_giants(broker: Kafka, tmp_path: Path) -> None:
    """50 MB of value, megabytes of key, thousands of headers, depth and keys without end: each has its class."""
    deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    wide = json.dumps({f"k{i}": i for i in range(100_000)}).encode()
    some = json.dumps({f"k{i}": i for i in range(20_000)}).encode()
    ok = good(2).value
    bench = Bench(broker, tmp_path)
    with bench.at_work() as worker:
        send(bench, good(0), good(1))
        bench.settled(applied=2)
        batches = [
            *(Batch(b'{"x": "' + b"x" * 50_000_000 + b'"}') for _ in range(4)),
            Batch(ok, key=b"k" * 1_000_000),
            Batch(ok, key=b"k" * 2_000_000),
            Batch(ok, headers=10_000),
            Batch(ok, headers=20_000),
            Batch(deep),
            Batch(wide),
            Batch(some),
        ]
        for batch in batches:
            send(bench, batch, good(3))
        bench.settled(applied=2 + 2 + len(batches), too_large=4 + 1 + 1 + 1, too_deep=1, too_many_keys=1)
        assert worker.process is not None
        used, most = peak(worker.process.pid), bound(bench) + 3 * 50 * MIB
        print(f"peak {used / MIB:.0f} MiB of {most / MIB:.0f}, three batches of 50 MB on their way included")
        assert used < most


def test_a_bomb_at_the_end_holds_up_neither_a_start_nor_check(broker: Kafka, tmp_path: Path) -> None:
    """The record before the start is remembered to recognise the topic; one that cannot be unpacked is none."""
    bench = Bench(broker, tmp_path)
    send(bench, good(0), Batch(bytes(100 * MIB), "zstd"))
    with bench.at_work() as worker:
        send(bench, good(1), good(2))
        bench.settled(applied=2)
        command = [*worker.command[:3], "check", worker.command[5]]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "memory: one worker needs at most about" in ended.stdout
