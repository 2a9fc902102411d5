"""Nights on a real broker: a first reference, then a recalibration from the kept panes, also after kill -9.

Panes are of an hour with fifty records, so that three weeks of event time are read in seconds.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from stream.codec import unpack
from stream.commands.standing import judge
from stream.judge import Judge
from tests.broker import reading
from tests.broker.bench import BASE_MS, Bench, Broker
from tests.broker.process import running, until
from tests.brokers import admin
from tests.brokers.admin import Row

DAY_MS = 86_400_000
STEP_MS = 72_000
"""50 records an hour."""

DAYS = 20
FIRST_DAY = datetime.fromtimestamp(BASE_MS / 1000, UTC).date().toordinal()


def send(bench: Bench, begin_ms: int, days: float) -> int:
    """Write so many days of records; return how many."""
    stamps = range(begin_ms, begin_ms + int(days * DAY_MS), STEP_MS)
    values = np.random.default_rng(begin_ms % 2**32).normal(100, 15, len(stamps)).round(2).tolist()
    rows = [Row(json.dumps({"x": x, "ts": ts}).encode(), None, 0) for x, ts in zip(values, stamps, strict=True)]
    asyncio.run(admin.produce(bench.address, bench.topic, rows))
    return len(rows)


def adopted(bench: Bench) -> list[str]:
    """Return the references that came into force, in order, by nothing but the rule on parents."""
    force: list[str | None] = [None]
    for record in reading.read(bench.address, f"{bench.app}.ledger"):
        header, _ = unpack(record.value)
        if header.get("note") == "adopt" and header["what"] == "reference" and header["parent"] == force[-1]:
            force.append(header["new"])
    return [name for name in force if name is not None]


def standing(bench: Bench) -> Judge:
    """Return the judge as anybody reads it."""
    found = asyncio.run(judge(bench.address, bench.app))
    assert found is not None
    return found


@pytest.mark.timeout(180)
def test_a_night_follows_the_first_reference_also_after_a_kill(broker: Broker, tmp_path: Path) -> None:
    """The first reference has no limits. Whoever comes after the worker that learned it learns these from the kept panes."""
    bench = Bench(broker, tmp_path, start="earliest")
    bench.text = bench.text.replace("pane: 1s", "pane: 1h").replace("lateness: 3s", "lateness: 0s")
    count = send(bench, BASE_MS, DAYS)
    with running() as workers:
        worker = bench.worker().start()
        workers.append(worker)
        until("a first reference is in force", lambda: adopted(bench), 60, 0.5)
        worker.kill()
        before = standing(bench)
        assert len(adopted(bench)) == 1, "the kill came too late"
        assert before.watches["m.features"].bank.drift.armed.all()
        assert "budget" not in before.reference
        count += send(bench, BASE_MS + DAYS * DAY_MS, 0.5)
        worker.start()
        until("a recalibration is in force", lambda: len(adopted(bench)) >= 2, 60, 0.5)
        bench.settled(applied=count)
        assert worker.stop()[0] == 0
    after = standing(bench)
    budget, drift = after.reference["budget"], after.watches["m.features"].bank.drift
    assert adopted(bench)[-1] == after.fold.in_force["reference"]
    assert (budget["status"], budget["young"], drift.status) == ("provisional", 5, "provisional")
    assert drift.series == [f"x/{name}" for name in ("location", "scale", "shape", "tail", "missing")]
    assert np.isfinite(drift.shift.limit).all()
    assert FIRST_DAY + 9 <= budget["day"] <= FIRST_DAY + DAYS
    assert 8 <= budget["days"] <= budget["day"] - FIRST_DAY
    assert after.incidents is not None
    assert after.incidents.promise.limits[-1][1] == "provisional"
    assert not [event for event in bench.events() if event[0] == "drift"], "nothing moved"
