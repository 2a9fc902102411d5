"""Workers that are killed and brokers that go away: partitions move, the judge is one, and reading goes on."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from stream.batch import RecordBatch
from stream.kafka.transport import make_app, reach
from tests.brokers import admin
from tests.brokers.admin import Row, unique
from tests.brokers.kafka import Kafka, lacking

pytestmark = pytest.mark.kafka
WORKER = Path(__file__).with_name("worker.py")


class Worker:
    """A worker in a process of its own; collects what it says."""

    def __init__(self, *arguments: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.process = subprocess.Popen([sys.executable, str(WORKER), *arguments], stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def said(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of a kind."""
        return [event for event in self.events if event["kind"] == kind]

    def owns(self) -> tuple[list[int], bool]:
        """Return the partitions it has now, and whether it is the judge."""
        last = [event for event in self.events if event["kind"] in ("assigned", "revoked")][-1:]
        return (last[0]["partitions"], last[0]["judge"]) if last and last[0]["kind"] == "assigned" else ([], False)

    def kill(self) -> None:
        """Kill with -9."""
        self.process.kill()
        self.process.wait()


@contextmanager
def workers() -> Iterator[list[Worker]]:
    """Give a list for workers; whoever is in it at the end is killed."""
    running: list[Worker] = []
    try:
        yield running
    finally:
        for one in running:
            one.kill()


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def covered(events: list[dict[str, Any]], partition: int) -> set[int]:
    """Return the offsets of a partition that were handled."""
    mine = [event for event in events if event["kind"] == "batch" and event["partition"] == partition]
    return {offset for event in mine for offset in range(event["start"], event["next"])}


def test_two_workers_share_and_one_takes_over(kafka: Kafka) -> None:
    """Partitions and the judge's seat are split, never doubled; after kill -9 the survivor has all and reads on."""
    topic, ledger, group = unique("input"), unique("ledger"), unique("group")
    asyncio.run(admin.create_topic(kafka.address, topic, 4))
    asyncio.run(admin.create_topic(kafka.address, ledger))

    def write(first: int) -> None:
        rows = [Row(b"%d" % n, None, n % 4) for n in range(first, first + 400)]
        asyncio.run(admin.produce(kafka.address, topic, rows))

    with workers() as running:
        running += [Worker(kafka.address, group, topic, ledger) for _ in range(2)]
        until(lambda: sorted(len(worker.owns()[0]) for worker in running) == [2, 2])
        write(0)
        until(lambda: all(len(covered(running[0].events + running[1].events, p)) == 100 for p in range(4)))
        assert sorted(p for worker in running for p in worker.owns()[0]) == [0, 1, 2, 3]
        assert [worker.owns()[1] for worker in running].count(True) == 1
        judge = next(worker for worker in running if worker.owns()[1])
        survivor = next(worker for worker in running if worker is not judge)
        judge.kill()
        write(400)
        until(lambda: survivor.owns() == ([0, 1, 2, 3], True))
        until(lambda: all(covered(judge.events + survivor.events, p) == set(range(200)) for p in range(4)))
        assert all(event["start"] < event["next"] for event in survivor.said("batch"))


def test_frozen_worker_loses_its_partitions_and_comes_back(kafka: Kafka) -> None:
    """A worker that stood still longer than its session finds its partitions gone, says so, and shares again."""
    topic, ledger, group = unique("input"), unique("ledger"), unique("group")
    asyncio.run(admin.create_topic(kafka.address, topic, 2))
    asyncio.run(admin.create_topic(kafka.address, ledger))
    with workers() as running:
        running += [Worker(kafka.address, group, topic, ledger) for _ in range(2)]
        first, second = running
        until(lambda: sorted(first.owns()[0] + second.owns()[0]) == [0, 1] and first.owns()[0] and second.owns()[0])
        first.process.send_signal(signal.SIGSTOP)
        until(lambda: second.owns() == ([0, 1], True))
        first.process.send_signal(signal.SIGCONT)
        until(lambda: len(second.owns()[0]) == 1 and len(first.owns()[0]) == 1)
        assert sorted(first.owns()[0] + second.owns()[0]) == [0, 1]
        assert first.owns()[1] != second.owns()[1]
        assert first.said("revoked")


def test_stopped_worker_hands_over_at_once(kafka: Kafka) -> None:
    """A worker that stops leaves its group: nobody waits for the session to end."""

    async def test(address: str) -> None:
        topic, ledger, group = unique("input"), unique("ledger"), unique("group")
        await admin.create_topic(address, topic)
        await admin.create_topic(address, ledger)
        revoked: list[Any] = []
        assigned = asyncio.Event()

        async def on_batch(batch: RecordBatch) -> None:
            """No record is written here."""

        async def on_assigned(*_: Any) -> None:
            assigned.set()

        async def on_revoked(partitions: Any) -> None:
            revoked.append(partitions)

        for _ in range(2):
            assigned.clear()
            source = make_app(
                *(group, [address], [topic], ledger, on_batch, on_assigned, on_revoked), session_timeout=30.0
            )
            await source.app.start()
            await asyncio.wait_for(assigned.wait(), 10)  # a third of the session
            await source.app.stop()
        assert revoked == [{(topic, 0)}] * 2

    asyncio.run(test(kafka.address))


@pytest.mark.slow
def test_reading_goes_on_after_the_broker_was_killed() -> None:
    """kill -9 of the broker and a restart: no crash, no new worker, every record."""
    if lacking():
        pytest.skip(f"needs Apache Kafka: {lacking()}")

    async def test(node: Kafka) -> None:
        await reach([node.address])
        await admin.create_topic(node.address, "input")
        await admin.create_topic(node.address, "ledger")
        seen: list[RecordBatch] = []

        async def on_batch(batch: RecordBatch) -> None:
            seen.append(batch)

        async def nothing(*_: Any) -> None:
            """Nothing to do on a rebalance."""

        source = make_app("group", [node.address], ["input"], "ledger", on_batch, nothing, nothing)
        await source.app.start()
        await admin.produce(node.address, "input", [b"%d" % n for n in range(50)])
        await asyncio.to_thread(until, lambda: seen and seen[-1].next == 50)
        await asyncio.to_thread(node.kill)
        assert not await source.commit_accepted({("input", 0): 50})  # a courtesy that failed is no crash
        await asyncio.to_thread(node.start)
        await admin.produce(node.address, "input", [b"%d" % n for n in range(50, 100)])
        await asyncio.to_thread(until, lambda: seen[-1].next == 100)
        assert await source.commit_accepted({("input", 0): 100})
        assert not source.app.crashed
        assert {offset for batch in seen for offset in batch.offsets} == set(range(100))
        await source.app.stop()

    node = Kafka()
    try:
        asyncio.run(test(node.start()))
    finally:
        node.stop()
