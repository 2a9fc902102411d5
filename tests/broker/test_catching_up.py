"""After a day of downtime, and while every worker is restarted in turn: everything judged, nothing alarmed that is not so."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from stream.codec import unpack
from tests.broker import reading, traffic
from tests.broker.bench import Bench, Broker
from tests.broker.process import Worker, running, until
from tests.broker.test_kill import shape
from tests.broker.trained import prepare
from tests.brokers import admin
from tests.brokers.admin import Row

DAY_S = 86_400
PARTITIONS = 2
STEP_S = 5
"""Seconds between two records of a partition."""


def day(bench: Bench, start_s: int, seconds: int) -> int:
    """Write records for some time from a moment on, evenly into every partition; return how many."""
    times = range(start_s, start_s + seconds, STEP_S)
    rows = [
        Row(json.dumps({"x": (7 * i) % 100, "ts": 1000 * at + partition}).encode(), None, partition)
        for i, at in enumerate(times)
        for partition in range(PARTITIONS)
    ]
    asyncio.run(admin.produce(bench.address, bench.topic, rows))
    return len(rows)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_day_of_downtime_is_judged_and_raises_no_alarm(broker: Broker, tmp_path: Path) -> None:
    """The monitor knew the stream, was down for a day, and reads on: no silence, no old data, no volume, nothing late.

    Every pane of that day is judged, in order, and no partition runs so far ahead that panes close before they are complete.
    """
    bench = Bench(broker, tmp_path, ", silence: 60s", partitions=PARTITIONS, start="earliest")
    bench.text = bench.text.replace("pane: 1s", "pane: 60s")
    now = int(time.time()) // 60 * 60
    with running() as workers:
        worker = bench.worker()
        workers.append(worker)
        known = day(bench, now - DAY_S - 3600, 3600)
        worker.start()
        bench.settled(applied=known)
        assert worker.stop()[0] == 0
        before = len(bench.events())
        missed = day(bench, now - DAY_S, DAY_S)
        begun = time.monotonic()
        worker.start()
        bench.settled(applied=known + missed)
        took = time.monotonic() - begun
        last = (now - 120) // 60
        wanted = {f"m.features/{index}" for index in range((now - DAY_S - 3600) // 60, last)}
        until("its panes are closed", lambda: wanted <= reading.panes(bench.address, bench.app)[0].keys(), 60, 1)
        time.sleep(10)  # of ticks, on which silence and age are judged
        closed = {key: unpack(value)[1] for key, value in reading.panes(bench.address, bench.app)[0].items()}
        assert worker.metric("streamgauge_records_after_close_total") == {'{stream="m.features"}': 0.0}
        assert worker.stop()[0] == 0
    assert [
        key for key in wanted if closed[key]["partial"] or closed[key]["counts"]["applied"] != 60 // STEP_S * PARTITIONS
    ] == []
    keys = [record.key.decode() for record in reading.read(bench.address, f"{bench.app}.panes")]
    order = [int(key.rpartition("/")[2]) for key in keys if "/coarse/" not in key]
    assert order == sorted(order)
    alarms = Counter(check for check, _, status in bench.events()[before:] if status != "resolved")
    assert not alarms, alarms
    assert ahead(bench) <= 60
    print(f"{missed} records of a day caught up in {took:.0f} s; partitions at most {ahead(bench)} panes apart")


def ahead(bench: Bench) -> int:
    """Return by how many panes the partitions were apart at most, as the ledger saw them."""
    frontier: dict[int, int] = {}
    most = 0
    for record in reading.read(bench.address, f"{bench.app}.ledger"):
        header, _ = unpack(record.value)
        if header["kind"] == "entry" and header["frontier"].get("m.features", [None])[0] is not None:
            frontier[header["partition"]] = header["frontier"]["m.features"][0]
            if len(frontier) == PARTITIONS:
                most = max(most, max(frontier.values()) - min(frontier.values()))
    return most // 60_000


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_every_worker_is_restarted_in_turn_under_load(broker: Broker, tmp_path: Path) -> None:
    """Two applications read the same records, one of them restarted worker by worker: the same classes, panes and incidents."""
    from tests.broker.test_kill import Run, ends, produce

    address = broker.address
    topics = {True: admin.unique("features"), False: admin.unique("predictions")}
    for topic in topics.values():
        asyncio.run(admin.create_topic(address, topic, traffic.PARTITIONS))
    calm, rolled = admin.unique("calm"), admin.unique("rolled")
    texts = {app: traffic.config(app, topics[True], topics[False]) for app in (calm, rolled)}
    for text in texts.values():
        prepare(address, tmp_path, text)
    run, times = Run([]), []

    async def roll(workers: list[Worker]) -> None:
        """Stop and start one after the other, and the first one again: the judge moves each time."""
        for worker in (*workers, workers[0]):
            while run.second < 20 * (len(times) + 1):  # noqa: ASYNC110 - there is no event to wait for
                await asyncio.sleep(0.1)
            code, seconds = await asyncio.to_thread(worker.stop)
            times.append(seconds)
            assert (code, seconds < 20) == (0, True)
            worker.start()
            await asyncio.to_thread(until, "it is back", worker.ready, 60)

    async def both(workers: list[Worker]) -> None:
        await asyncio.gather(produce(address, topics, 4, run), roll(workers))

    with running() as workers:
        workers += [Worker(tmp_path, "calm", address, texts[calm])]
        workers += [Worker(tmp_path, f"rolled-{n}", address, texts[rolled]) for n in range(2)]
        for worker in workers:
            worker.start()
        until("all workers are ready", lambda: all(worker.ready() for worker in workers), 120, 0.5)
        until("every partition is opened", lambda: all(len(reading.Ledger.of(address, a).next) == 8 for a in texts))
        asyncio.run(both(workers[1:]))
        goal = ends(address, topics)
        last = {f"{stream}/{traffic.BASE_MS // traffic.PANE_MS + traffic.SECONDS - 1}" for stream in traffic.STREAMS}
        for app in texts:
            until(f"{app} has read everything", lambda app=app: reading.Ledger.of(address, app).next == goal, step=1)
            until(f"{app} closed its panes", lambda app=app: last <= reading.panes(address, app)[0].keys(), step=1)
        differences = [worker.metric("streamgauge_accounting_difference_records").values() for worker in workers]
        assert not any(value for values in differences for value in values)
        assert [worker.stop()[0] for worker in workers] == [0, 0, 0]
    want = traffic.expected(run.sent)
    for app in texts:
        ledger = reading.Ledger.of(address, app)
        assert {(stream, p): +classes for (stream, _, p), classes in ledger.classes.items()} == want.classes, app
    panes = {app: reading.panes(address, app)[0] for app in texts}
    assert panes[calm] == panes[rolled], "a closed pane differs from the undisturbed one"
    said = {app: reading.events(address, app) for app in texts}
    assert Counter(map(shape, said[calm][0])) == Counter(map(shape, said[rolled][0]))
    dropped = +reading.Ledger.of(address, rolled).dropped
    print(f"{len(run.sent)} records, stops took {[round(item, 1) for item in times]} s; dropped: {dict(dropped)}")
