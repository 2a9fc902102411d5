"""Starting before the broker does, and stopping at the worst moment: 0, within 20 s, and nothing is read twice or left out."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.broker.bench import BASE_MS, Bench, Broker
from tests.broker.process import Worker, running, until
from tests.brokers import admin
from tests.brokers.admin import Row
from tests.brokers.kafka import Kafka, lacking

PARTITIONS = 4


class Load:
    """Records in every partition, some thousand a second, until told to end."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.sent = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()))

    async def _send(self) -> None:
        second = 0
        while not self._end.is_set():
            rows = [
                Row(json.dumps({"x": i, "ts": BASE_MS + second * 100}).encode(), None, i % PARTITIONS)
                for i in range(400)
            ]
            await admin.produce(self.bench.address, self.bench.topic, rows)
            self.sent += len(rows)
            second += 1
            await asyncio.sleep(0.1)

    @contextmanager
    def flowing(self) -> Iterator[Load]:
        self._thread.start()
        try:
            yield self
        finally:
            self._end.set()
            self._thread.join()


def stopped(worker: Worker) -> float:
    """Stop a worker, which must end in order; return how long it took."""
    code, seconds = worker.stop()
    assert (code, seconds < 20) == (0, True), (code, seconds)
    assert "Traceback" not in worker.text
    return seconds


@pytest.mark.timeout(300)
def test_a_broker_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    """Not ready and why, a line each 10 s, and everything by itself once the broker is there."""
    if lacking():
        pytest.skip(f"needs Apache Kafka: {lacking()}")
    node = Kafka()
    try:
        bench = Bench(node.start(), tmp_path, start="earliest")
        bench.send(50)
        node.kill()
        with running() as workers:
            workers += [bench.worker("early").start(), bench.worker("stopped").start()]
            early, other = workers
            until("it says so", lambda: "no Kafka broker answers" in early.get("/ready")[1], 120)
            assert (early.get("/ready")[0], early.get("/live")[0]) == (503, 200)
            until("the other says so", lambda: "no Kafka broker answers" in other.text, 120)
            assert stopped(other) < 5
            time.sleep(25)
            lines = early.text.count("no Kafka broker answers")
            assert 2 <= lines <= 13, early.text  # one each 10 s, and it may have waited for two minutes by now
            node.start()
            bench.settled(applied=50)
            until("it is ready", early.ready)
            stopped(early)
    finally:
        node.stop()


@pytest.mark.timeout(300)
def test_a_stop_under_load_leaves_nothing_to_read_again(broker: Broker, tmp_path: Path) -> None:
    """What was counted is in the ledger when the worker ends, and the next one goes on at that very offset."""
    bench = Bench(broker, tmp_path, partitions=PARTITIONS, start="earliest")
    with running() as workers, Load(bench).flowing() as load:
        worker = bench.worker()
        workers.append(worker)
        times = []
        for _ in range(3):
            worker.start()
            known = sum(bench.classes().values())
            until("it counts", lambda known=known: sum(bench.classes().values()) > known + 400, 120, 0.5)
            times.append(stopped(worker))
            before = bench.ledger()
            assert +before.dropped == Counter()
            time.sleep(1)
            assert bench.ledger().next == before.next, "somebody still writes"
        worker.start()
        until("it is ready", worker.ready)
    with running() as workers:
        workers.append(bench.worker("last").start())
        bench.settled(applied=load.sent)
        stopped(workers[0])
    assert +bench.ledger().dropped == Counter(), "an entry covered records that another one had"
    print(f"{load.sent} records; stops took {[round(item, 1) for item in times]} s")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_stop_in_the_middle_of_a_rebalance(broker: Broker, tmp_path: Path) -> None:
    """One of two is stopped while the group is being formed, at several moments of it."""
    bench = Bench(broker, tmp_path, partitions=PARTITIONS, start="earliest")
    times = []
    with running() as workers, Load(bench).flowing() as load:
        workers += [bench.worker(f"worker-{n}") for n in range(2)]
        stays, goes = workers
        stays.start()
        until("it has all", lambda: stays.owns[0] == PARTITIONS)
        for wait in (0.0, 0.3, 1.0):
            goes.start()
            until("it joins", lambda: "started:" in goes.text)
            time.sleep(wait)
            times.append(stopped(goes))
            goes.log.unlink()
        goes.start()
        until("it joins", lambda: "started:" in goes.text)
        times.append(stopped(stays))
    with running() as workers:
        workers.append(bench.worker("last").start())
        bench.settled(applied=load.sent)
        stopped(workers[0])
    print(f"{load.sent} records; stops took {[round(item, 1) for item in times]} s")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_stop_while_catching_up(broker: Broker, tmp_path: Path) -> None:
    """A long topic is read in several lives; each goes on where the one before was."""
    bench = Bench(broker, tmp_path, partitions=2, start="earliest")
    count = 60_000
    for partition in range(2):
        rows = [Row(json.dumps({"x": i % 7, "ts": BASE_MS + 20 * i}).encode(), None, partition) for i in range(count)]
        asyncio.run(admin.produce(bench.address, bench.topic, rows))
    times, reached = [], [0]
    with running() as workers:
        worker = bench.worker()
        workers.append(worker)
        for _ in range(3):
            worker.start()
            known = reached[-1]
            until("it reads on", lambda known=known: sum(bench.classes().values()) > known, 120)
            times.append(stopped(worker))
            reached.append(sum(bench.classes().values()))
        assert reached[-1] < 2 * count, "it was never stopped while catching up"
        worker.start()
        bench.settled(applied=2 * count)
        times.append(stopped(worker))
    assert +bench.ledger().dropped == Counter()
    print(f"reached {reached[1:]}; stops took {[round(item, 1) for item in times]} s")
