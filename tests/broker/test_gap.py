"""The ledger's retention took what was not judged yet: the monitor goes on, says how long it was blind, and counts exactly."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stream.codec import unpack
from stream.publishing import latest_checkpoint, latest_positions
from tests.broker import reading
from tests.broker.bench import Bench
from tests.broker.process import Worker, running, until
from tests.brokers import admin
from tests.brokers.kafka import Kafka

RECORDS = "streamgauge_records_total"


def difference(worker: Worker) -> list[float]:
    """Return the accounting difference of every partition the judge knows."""
    return list(worker.metric("streamgauge_accounting_difference_records").values())


def counted(worker: Worker, kind: str) -> float:
    return worker.metric(RECORDS).get(f'{{stream="m.features",class="{kind}"}}', 0.0)


def last(bench: Bench) -> int:
    """Return the offset behind the newest record of the ledger."""
    return 1 + reading.read(bench.address, f"{bench.app}.ledger")[-1].offset


def cut(bench: Bench, offset: int) -> None:
    asyncio.run(admin.delete_records(bench.address, f"{bench.app}.ledger", {0: offset}))


def told(bench: Bench) -> list[dict]:
    found, _ = reading.events(bench.address, bench.app)
    return [event for event in found if event["labels"]["reason"] == "blind" and event["status"] == "firing"]


@pytest.mark.timeout(420)
@pytest.mark.parametrize("behind", [pytest.param("checkpoint", marks=pytest.mark.slow), "everything"])
def test_the_monitor_goes_on_when_the_ledger_is_gone(kafka: Kafka, tmp_path: Path, behind: str) -> None:
    """Killed workers, and a ledger that was cut behind their newest checkpoint, or behind all they had stored.

    What was counted behind the checkpoint and is gone is `unjudged`; what was counted behind everything stored is counted again
    from the topic. Nothing is counted twice, nothing is missing, and another life comes to the same state.
    """
    bench = Bench(kafka, tmp_path, partitions=2)
    with running() as workers:
        worker = bench.worker().start()
        workers.append(worker)
        until("it is ready", worker.ready)
        bench.send(100)
        bench.send(100, 1)
        bench.settled(applied=200)
        assert worker.stop()[0] == 0  # with a checkpoint
        checkpoint = latest_checkpoint(bench.state())
        assert checkpoint is not None
        worker.start()
        until("it is ready", worker.ready)
        bench.send(50)
        bench.settled(applied=250)
        past = last(bench)
        until("positions are stored", lambda: (at := latest_positions(bench.state())) and at.offset >= past, 30, 0.5)
        if behind == "everything":
            bench.send(30)
            bench.settled(applied=280)
        worker.kill()
        newest = latest_checkpoint(bench.state())
        assert newest is not None
        assert newest.offset == checkpoint.offset, "it stored a checkpoint that this test does not expect"
        positions = latest_positions(bench.state())
        assert positions is not None
        cut(bench, positions.offset if behind == "checkpoint" else last(bench))
        worker.start()
        until("it is ready", worker.ready)
        bench.send(70, 1)
        again = 30 if behind == "everything" else 0
        until("what is new is counted", lambda: counted(worker, "applied") == 200 + again + 70, 40, 0.5)
        assert counted(worker, "unjudged") == 50
        assert difference(worker) == [0.0, 0.0]
        assert worker.metric("streamgauge_judge_gaps_total") == {"": 1.0}
        until("an incident opens", lambda: told(bench), 20, 0.5)
        (event,) = told(bench)
        assert event["severity"] == "page"
        assert event["evidence"]["findings"][0]["detail"]["ledger"][0] == checkpoint.offset
        assert "was blind from " in event["annotations"]["summary"]
        assert worker.stop()[0] == 0
        worker.start()
        until("it is ready", worker.ready)
        assert (counted(worker, "unjudged"), difference(worker)) == (50, [0.0, 0.0])
        notes = [unpack(record.value)[0] for record in reading.read(bench.address, f"{bench.app}.ledger")]
        assert [note["from"] for note in notes if note.get("note") == "judge_gap"] != []
        assert len(told(bench)) == 1
        assert worker.stop()[0] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_stood_still_for_too_long_starts_again(kafka: Kafka, tmp_path: Path) -> None:
    """Its ledger was deleted under it: it ends with 75, and the next life goes on."""
    bench = Bench(kafka, tmp_path)
    with bench.at_work() as worker:
        bench.send(20)
        bench.settled(applied=20)
        until("positions are stored", lambda: latest_positions(bench.state()), 30, 0.5)
        assert worker.process is not None
        worker.process.send_signal(19)
        asyncio.run(asyncio.sleep(1))  # a fetch that was under way must not bring what comes now
        asyncio.run(admin.produce(bench.address, f"{bench.app}.ledger", [b"x"] * 9))
        cut(bench, last(bench))
        worker.process.send_signal(18)
        assert worker.ended() == 75
        worker.start()
        until("it is ready", worker.ready)
        bench.send(30)
        until("it counts on", lambda: counted(worker, "applied") + counted(worker, "unjudged") == 50, 40, 0.5)
        assert difference(worker) == [0.0]
        assert worker.stop()[0] == 0
