"""``streamgauge reopen``: an operator moves the monitor, the group's offsets do not."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.codec import unpack
from tests.broker import reading
from tests.broker.bench import Bench
from tests.broker.process import Worker, running, until
from tests.broker.test_gap import counted, difference
from tests.brokers.kafka import Kafka


def reopen(bench: Bench, worker: Worker, *arguments: str) -> tuple[int, str]:
    """Call the command as a person does; return its exit code and what it said."""
    file = worker.command[worker.command.index("-c") + 1]
    command = [sys.executable, "-m", "stream.cli", "reopen", file, "--topic", bench.topic, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def opens(bench: Bench) -> list[tuple[int, int]]:
    """Return (incarnation, offset) of the records that opened the partition."""
    headers = [unpack(record.value)[0] for record in reading.read(bench.address, f"{bench.app}.ledger")]
    return [(header["inc"], header["to"]) for header in headers if header["kind"] == "open"]


@pytest.mark.timeout(420)
def test_an_operator_skips_and_reads_again(kafka: Kafka, tmp_path: Path) -> None:
    """Skipped records are lost, with the reason; those read again change no closed pane, and are no cause of alarm."""
    bench = Bench(kafka, tmp_path)
    with running() as workers:
        worker = bench.worker().start()
        workers.append(worker)
        until("it is ready", worker.ready)
        bench.send(400)
        bench.settled(applied=400)
        assert worker.stop()[0] == 0
        bench.send(300)
        assert reopen(bench, worker, "--at", "end", "--why", "load test") == (
            0,
            f"{bench.topic}/0: 400 -> 700: 300 records are skipped and counted as lost\n",
        )
        worker.start()
        until("it is ready", worker.ready)
        bench.send(100)
        until("it reads on behind them", lambda: counted(worker, "applied") == 500, 30, 0.5)
        assert (counted(worker, "lost"), difference(worker)) == (300, [0.0])
        until("it is told", lambda: ("lost", "skipped", "firing") in bench.events(), 20, 0.5)
        found, _ = reading.events(bench.address, bench.app)
        (event,) = [item for item in found if item["labels"]["reason"] == "skipped" and item["status"] == "firing"]
        assert "load test" in event["annotations"]["description"]
        assert event["evidence"]["coordinates"] == [{"topic": bench.topic, "partition": 0, "from": 400, "to": 700}]

        before = reading.panes(bench.address, bench.app)[0]
        code, said = reopen(bench, worker, "--at", "200", "--why", "the skip was a mistake")
        assert (code, said.split(": ", 1)[1]) == (
            0,
            "800 -> 200: 600 records are read again; panes that are closed do not change\n",
        )
        until("it has read them again", lambda: counted(worker, "applied") == 600, 30, 0.5)
        assert difference(worker) == [0.0]
        bench.send(200)
        until("and reads on", lambda: counted(worker, "applied") == 800, 30, 0.5)
        until("a new pane closes", lambda: reading.panes(bench.address, bench.app)[0].keys() > before.keys(), 30, 0.5)
        after = reading.panes(bench.address, bench.app)[0]
        assert {key: after[key] for key in before} == before
        applied = sum(unpack(value)[1]["counts"]["applied"] for value in after.values())
        assert applied <= 1000, "records stand in the panes twice"
        assert opens(bench) == [(0, 0), (1, 700), (2, 200)]
        reasons = {reason for _, reason, _ in bench.events()}
        assert reasons <= {"skipped", "read_again"}, reasons
        assert worker.stop()[0] == 0


@pytest.mark.timeout(300)
def test_an_offset_reset_of_the_group_changes_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """Earlier, later, beyond the end: the next start goes on where the ledger is, and commits over it."""
    bench = Bench(kafka, tmp_path)

    async def reset(offset: int) -> None:
        consumer = AIOKafkaConsumer(bootstrap_servers=bench.address, group_id=bench.app, enable_auto_commit=False)
        await consumer.start()
        tp = TopicPartition(bench.topic, 0)
        consumer.assign([tp])
        await consumer.commit({tp: offset})
        await consumer.stop()

    with running() as workers:
        worker = bench.worker()
        workers.append(worker)
        sent = 0
        for offset in (0, 3, 10_000):
            worker.start()
            until("it is ready", worker.ready)
            bench.send(50)
            sent += 50
            bench.settled(applied=sent)
            assert worker.stop()[0] == 0
            asyncio.run(reset(offset))
        worker.start()
        until("it is ready", worker.ready)
        assert difference(worker) == [0.0]
        assert worker.stop()[0] == 0
    assert (bench.classes(), opens(bench)) == ({"applied": sent}, [(0, 0)])


@pytest.mark.timeout(300)
def test_a_wrong_move_is_refused_and_writes_nothing(kafka: Kafka, tmp_path: Path) -> None:
    """An offset that is not there, a topic that is not watched, a monitor that has not begun."""
    bench = Bench(kafka, tmp_path)
    with running() as workers:
        worker = bench.worker()
        workers.append(worker)
        code, said = reopen(bench, worker, "--at", "end", "--why", "x")
        assert (code, "has not begun" in said) == (66, True), said
        worker.start()
        until("it is ready", worker.ready)
        bench.send(10)
        bench.settled(applied=10)
        for arguments, part in (
            (("--at", "11", "--why", "x"), "holds the offsets 0 to 10"),
            (("--at", "end", "--why", ""), "--why"),
            (("--at", "latest", "--why", "x"), "expected earliest, end or an offset"),
            (("--at", "end", "--why", "x", "--partition", "7"), "--partition 7"),
            (("--at", "end", "--why", "x", "--topic", "other"), "not watched"),
        ):
            code, said = reopen(bench, worker, *arguments)
            assert (code, part in said) == (64, True), said
        code, said = reopen(bench, worker, "--at", "end", "--why", "x")
        assert (code, said) == (0, f"{bench.topic}/0: already at 10\n")
        assert opens(bench) == [(0, 0)]
