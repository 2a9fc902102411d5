"""One worker on a real broker: how it starts, stops, refuses, and what it says of what happens to its topics.

What the embedded broker cannot do (delete records, add partitions, limit the size of records) needs Apache Kafka.
"""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from stream.codec import unpack
from stream.exits import NO_INPUT
from stream.parts import blob_key, checkpoint_key, split
from stream.publishing import latest_checkpoint, latest_positions
from tests.broker import reading
from tests.broker.bench import BASE_MS, Bench, Broker
from tests.broker.process import Worker, running, until
from tests.brokers import admin
from tests.brokers.admin import Row
from tests.brokers.kafka import Kafka


@pytest.fixture
def bench(broker: Broker, tmp_path: Path) -> Bench:
    """An application, its topics, no worker yet."""
    return Bench(broker, tmp_path)


def lines(worker: Worker) -> list[str]:
    """Return what a worker said, line by line."""
    return worker.text.strip().splitlines()


def test_what_a_topic_holds_is_counted_whole(broker: Broker, tmp_path: Path) -> None:
    """``start: earliest`` on thin, long history: everything is counted, no pane is closed before it is complete.

    SIGTERM then ends the worker with 0, and the next start goes on where the ledger is: not one record is read twice.
    """
    bench = Bench(broker, tmp_path, partitions=3, start="earliest")
    stamps = [[BASE_MS + 500 * i + partition for i in range(1500)] for partition in range(3)]
    for partition, times in enumerate(stamps):
        rows = [Row(json.dumps({"x": 1, "ts": ts}).encode(), None, partition) for ts in times]
        asyncio.run(admin.produce(bench.address, bench.topic, rows))
    with running() as workers:
        worker = bench.worker().start()
        workers.append(worker)
        bench.settled(applied=4500)
        until("most panes are closed", lambda: len(reading.panes(bench.address, bench.app)[0]) > 700, step=1)
        trees = [unpack(value)[1] for value in reading.panes(bench.address, bench.app)[0].values()]
        assert [pane["index"] for pane in trees if pane["partial"] or pane["counts"]["applied"] != 6] == []
        assert worker.metric("streamgauge_records_after_close_total") == {'{stream="m.features"}': 0.0}
        code, seconds = worker.stop()
        assert (code, seconds < 20) == (0, True)
        before = bench.ledger()
        worker.start()
        until("the worker is ready", worker.ready)
        asyncio.run(admin.produce(bench.address, bench.topic, [Row(b'{"ts": %d}' % (BASE_MS + 750_000), None, 0)]))
        bench.settled(applied=4501)
        assert worker.stop()[0] == 0
    after = bench.ledger()
    assert +after.dropped == +before.dropped == Counter()
    assert worker.text.count("assigned: 3 partitions, judge") == 2


def test_streams_of_opposite_skew_are_counted_whole(broker: Broker, tmp_path: Path) -> None:
    """One partition holds the one stream first, the other partition the other: neither waits for the other for ever."""
    bench = Bench(broker, tmp_path, ", where: {kind: a}", partitions=2, start="earliest")
    other = bench.text[bench.text.index("  m:") :].replace("  m:", "  n:").replace("{kind: a}", "{kind: b}")
    bench.text += other
    for partition, kinds in enumerate(("ab", "ba")):
        stamps = [(kind, BASE_MS + 250 * i) for kind in kinds for i in range(1200)]
        rows = [Row(json.dumps({"x": 1, "ts": ts, "kind": kind}).encode(), None, partition) for kind, ts in stamps]
        asyncio.run(admin.produce(bench.address, bench.topic, rows))
    with bench.at_work() as worker:
        bench.settled(applied=2 * 2400, filtered=2 * 2400)
        assert worker.stop()[0] == 0


def test_a_missing_topic_is_said_in_one_line(broker: Broker, bench: Bench) -> None:
    """Exit code 66, for an input as for a topic of ours; and nothing is created by asking."""
    worker = bench.worker()
    for topic in (f"{bench.app}.panes", bench.topic):
        asyncio.run(admin.delete_topic(bench.address, topic))
        worker.log.unlink(missing_ok=True)
        assert worker.start().ended() == NO_INPUT
        assert len(lines(worker)) == 1
        assert topic in worker.text


def test_pages_answer(bench: Bench) -> None:
    """``/live`` and ``/ready`` say ok, ``/metrics`` counts what was read."""
    with bench.at_work() as worker:
        bench.send(300)
        bench.settled(applied=300)
        assert worker.get("/live") == (200, "ok\n")
        assert worker.get("/ready") == (200, "ok\n")
        wanted = {'{stream="m.features",class="applied"}': 300.0}
        until("the metrics say so", lambda: wanted.items() <= worker.metric("streamgauge_records_total").items(), 20)


@pytest.mark.parametrize("frozen", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_recreated_topic_is_read_from_its_beginning(broker: Broker, tmp_path: Path, frozen: bool) -> None:
    """The topic comes back with fewer records while the worker runs: all of them count, and one incident says so.

    A worker that is frozen meanwhile never sees the topic missing, only an end that lies before its position.
    """
    bench = Bench(broker, tmp_path, partitions=2)
    with bench.at_work() as worker:
        for partition in range(2):
            bench.send(200, partition)
        bench.settled(applied=400)
        assert worker.process is not None
        if frozen:
            worker.process.send_signal(signal.SIGSTOP)
        asyncio.run(admin.delete_topic(bench.address, bench.topic))
        asyncio.run(admin.create_topic(bench.address, bench.topic, 2))
        for partition in range(2):
            bench.send(70, partition)
        worker.process.send_signal(signal.SIGCONT)
        bench.settled(applied=540)
        assert set(bench.ledger().inc.values()) == {1}
        until("an incident opens", lambda: ("lost", "recreated", "firing") in bench.events(), 20, 0.5)
        assert bench.events().count(("lost", "recreated", "firing")) == 1


def test_what_retention_took_is_counted_as_lost(kafka: Kafka, tmp_path: Path) -> None:
    """Records deleted while nobody read are counted to the offset, and an incident names them."""
    bench = Bench(kafka, tmp_path)
    with bench.at_work() as worker:
        bench.send(100)
        bench.settled(applied=100)
        assert worker.stop()[0] == 0
        bench.send(500)
        asyncio.run(admin.delete_records(bench.address, bench.topic, {0: 350}))
        worker.start()
        bench.settled(applied=350, lost=250)
        until("an incident opens", lambda: ("lost", "lost", "firing") in bench.events(), 20, 0.5)
        found, _ = reading.events(bench.address, bench.app)
        assert {"topic": bench.topic, "partition": 0, "from": 100, "to": 350} in found[0]["evidence"]["coordinates"]


@pytest.mark.slow
def test_what_nobody_can_need_leaves_the_state_topic(kafka: Kafka, tmp_path: Path) -> None:
    """One checkpoint is left, and of the blobs those in use; a worker starts from what is left."""
    bench = Bench(kafka, tmp_path)
    dead = split(checkpoint_key(1, "dead"), b"x") | split(blob_key("0" * 16, 0), b"x")
    with bench.at_work() as worker:
        rows = [Row(value, key.encode(), 0) for key, value in dead.items()]
        asyncio.run(admin.produce(bench.address, f"{bench.app}.state", rows))
        until("positions are stored", lambda: latest_positions(bench.state()), 30, 1)
        assert worker.stop()[0] == 0
        first, positions = latest_checkpoint(bench.state()), latest_positions(bench.state())
        assert first is not None
        assert positions is not None
        asyncio.run(admin.delete_records(bench.address, f"{bench.app}.ledger", {0: positions.offset}))
        worker.start()
        until("the judge is at work", lambda: latest_positions(bench.state()) != positions, 60, 1)
        assert worker.stop()[0] == 0
        second = latest_checkpoint(bench.state())
        assert second is not None
        assert second.offset > first.offset
        kinds = Counter(key.partition("/")[0] for key in bench.state())
        assert (kinds["checkpoint"], kinds["blob"]) == (1, 1)
        assert worker.start() is worker
        until("the worker is ready", worker.ready)


def test_added_partitions_are_read(kafka: Kafka, tmp_path: Path) -> None:
    """What is written before a worker notices the partition is not history, although ``start`` is ``end``."""
    bench = Bench(kafka, tmp_path)
    with bench.at_work():
        bench.send(50)
        bench.settled(applied=50)
        asyncio.run(admin.add_partitions(bench.address, bench.topic, 2))
        bench.send(80, 1)
        bench.settled(applied=130)


def test_silence_is_told_and_ends_with_a_record(broker: Broker, tmp_path: Path) -> None:
    """A silent stream fires after the stated time; the first record resolves it."""
    bench = Bench(broker, tmp_path, ", silence: 5s")
    with bench.at_work():
        bench.send(100)
        bench.settled(applied=100)
        quiet = until("the silence is told", lambda: ("volume", "silent", "firing") in bench.events(), 40, 0.5)
        assert quiet < 15
        bench.send(10)
        until("it is over", lambda: ("volume", "silent", "resolved") in bench.events(), 20, 0.5)


@pytest.mark.slow
def test_a_blind_stream_is_not_called_silent(broker: Broker, tmp_path: Path) -> None:
    """While nobody can know whether one partition has records, no silence is told; it is told when somebody can again."""
    bench = Bench(broker, tmp_path, ", silence: 12s", partitions=2)
    with running() as workers:
        workers += [bench.worker(f"worker-{n}") for n in range(2)]
        for worker in workers:
            worker.command += ["--session-timeout", "30"]
            worker.start()
        until("both have a partition", lambda: [worker.owns[0] for worker in workers] == [1, 1])
        for partition in range(2):
            bench.send(100, partition)
        bench.settled(applied=200)
        blind = next(worker for worker in workers if not worker.owns[1]).process
        assert blind is not None
        blind.send_signal(signal.SIGSTOP)
        time.sleep(18)
        assert bench.events() == []
        blind.send_signal(signal.SIGCONT)
        until("the silence is told", lambda: ("volume", "silent", "firing") in bench.events(), 40, 0.5)


def test_refused_alerts_stop_the_judge_and_not_the_taps(kafka: Kafka, tmp_path: Path) -> None:
    """While the alerts topic takes nothing, records go on being counted and ``/ready`` says why it is not ready (P7).

    Once it works again every event is delivered, once.
    """
    bench = Bench(kafka, tmp_path, ", silence: 5s")
    with bench.at_work() as worker:
        bench.send(100)
        bench.settled(applied=100)
        limit(bench, "100")
        until("the worker says so", lambda: "alerts refuses writes" in worker.get("/ready")[1], 40, 0.5)
        assert worker.get("/ready")[0] == 503
        bench.send(200)
        bench.settled(applied=300)
        assert bench.events() == []
        limit(bench, "1000000")
        wanted = Counter({("volume", "silent", "firing"): 1, ("volume", "silent", "resolved"): 1})
        until("everything is delivered", lambda: wanted <= Counter(bench.events()), 40, 0.5)
        until("the worker is ready", worker.ready)
        assert reading.events(bench.address, bench.app)[1] == 0


def limit(bench: Bench, size: str) -> None:
    """Set the largest record that the alerts topic takes."""
    from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

    async def alter() -> None:
        async with admin.admin(bench.address) as client:
            wanted = {"max.message.bytes": size}
            await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{bench.app}.alerts", wanted)])

    asyncio.run(alter())
