"""A record that ends every worker that reads it: found by bisection, set aside by name, and everything else counted."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import orjson
import pytest

from tests.broker import deadly, reading
from tests.broker.bench import BASE_MS, Bench, Broker
from tests.broker.process import running, until
from tests.brokers import admin
from tests.brokers.admin import Row
from tests.ledger.test_trouble import MOST

COUNT, PLACE = 3_000, 1_717


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_the_one_record_that_kills_is_set_aside(broker: Broker, tmp_path: Path) -> None:
    """The other partition of the same worker, which dies with it, loses nothing."""
    bench = Bench(broker, tmp_path, partitions=2, start="earliest")
    stamps = [BASE_MS + 10 * i for i in range(COUNT)]
    rows = [Row(json.dumps({"x": i % 7, "ts": ts}).encode(), None, i % 2) for i, ts in enumerate(stamps)]
    rows.insert(PLACE, Row(b'{"x": "%s", "ts": %d}' % (deadly.MARK, stamps[PLACE]), None, 1))
    offset = sum(row.partition == 1 for row in rows[:PLACE])
    asyncio.run(admin.produce(bench.address, bench.topic, rows))
    deaths = 0
    with running() as workers:
        worker = bench.worker()
        workers.append(worker)
        worker.command[worker.command.index("stream.cli")] = "tests.broker.deadly"
        worker.command += ["--session-timeout", "2"]
        worker.start()

        def over() -> bool:
            nonlocal deaths
            assert worker.process is not None
            if (code := worker.process.poll()) is not None:
                assert code == deadly.CODE, worker.text
                deaths += 1
                worker.start()
            return sum(bench.classes().values()) >= COUNT + 1

        until("everything is accounted for", over, 400, 0.5)
        assert bench.classes() == {"applied": COUNT, "poison": 1}
        until("an incident opens", lambda: ("rejected", "poison", "firing") in bench.events(), 30, 0.5)
        assert deaths <= MOST
        code, _ = worker.stop()
        assert code == 0
    found, _ = reading.events(bench.address, bench.app)
    where = {"topic": bench.topic, "partition": 1, "from": offset, "to": offset + 1}
    told = [event for event in found if event["labels"]["reason"] == "poison" and event["status"] == "firing"]
    assert [event["evidence"]["coordinates"] for event in told] == [[where]]
    letters = [orjson.loads(record.value) for record in reading.read(bench.address, f"{bench.app}.dead-letter")]
    assert {(item["partition"], item["offset"], item["reason"]) for item in letters} == {(1, offset, "poison")}
    assert deadly.MARK not in b"".join(
        record.value for record in reading.read(bench.address, f"{bench.app}.dead-letter")
    )
    print(f"{deaths} deaths, at most {MOST}")
