"""Weights of models: into the lesson of a night, and from there into the limits; a new one waits for the next night."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream.codec import pack, unpack
from stream.gathering import Kept
from stream.judge import Judge
from stream.plan import Plan
from stream.recalibrate import Night
from tests.judge.hourly import NAMES, Hourly, plan
from tests.judge.weeks import MONDAY, STREAM, hours, lesson, panes, reference, same, section

OTHER = "other.features"


def limits_at(age: int, weights: dict[str, float]) -> dict[str, Any]:
    """Return what is normal for two streams, the second of which has another model."""
    told = lesson(MONDAY + age, "a", "b")
    told["sections"][OTHER] = replace(section("a", "b"), stream=OTHER).to_dict()
    told |= {"reference": {STREAM: reference("a", "b"), OTHER: reference("a", "b")}, "weights": weights}
    night = Night(told)
    for pane in panes({name: hours(age, name) for name in "ab"}):
        night.add(pane)
    for pane in panes({name: hours(age, name, seed=2) for name in "ab"}):
        night.add(Kept(OTHER, pane.index, pane.fields, pane.ids, pane.bins, pane.presence))
    tree = night.reference()
    return {name: tree[name]["normal"] for name in (STREAM, OTHER)}


@pytest.mark.parametrize("age", [1, 12, 42])
def test_the_heavy_model_has_lower_limits(age: int) -> None:
    """They move apart by log 10 scales of each series, provisional and calibrated alike; equal weights change nothing."""
    even, twice = limits_at(age, {STREAM: 1.0, OTHER: 1.0}), limits_at(age, {STREAM: 2.0, OTHER: 2.0})
    steep = limits_at(age, {STREAM: 10.0, OTHER: 1.0})
    assert same(even, twice)
    moved = {name: (steep[name]["limit"] - even[name]["limit"]) / even[name]["scale"] for name in steep}
    assert np.allclose(moved[OTHER] - moved[STREAM], np.log(10)), "and the common threshold by the same for all"
    assert (moved[STREAM] <= 0).all(), "of five weeks few openings count: the last that may may be its own"
    assert (moved[OTHER] > 0).all()
    assert all(same(steep[name]["mean"], even[name]["mean"]) for name in steep), "what is normal is another matter"


def weighted(weight: float) -> Plan:
    usual = plan()
    return replace(usual, models=tuple(replace(model, weight=weight) for model in usual.models))


def test_a_new_weight_waits_for_the_next_night() -> None:
    """It is a new plan, and no limit moves before the day has ended; a restart in between changes nothing."""
    judge = Hourly(weighted(4.0))
    judge.hours(26)
    judge.refer({STREAM: reference(*NAMES)})
    told = judge.judge.recalibration()
    assert told is not None
    assert told["weights"] == {STREAM: 4.0}
    judge.night()
    known = judge.judge.reference
    judge.adopt("layout", replace(judge.layout, plan=weighted(0.5)).to_dict())
    judge.tap.adopt(judge.layout)
    judge.hours(2)
    assert judge.judge.recalibration() is None
    assert same(judge.judge.reference, known)
    judge.until_night()
    restored = Judge.restore(unpack(pack({}, judge.judge.state()))[1], judge.blobs.__getitem__)
    for each in (judge.judge, restored):
        told = each.recalibration()
        assert told is not None
        assert told["weights"] == {STREAM: 0.5}
    assert same(restored.recalibration(), told)


def test_a_plan_of_before_there_were_weights_has_equal_ones() -> None:
    """What an earlier commit stored is read as it was meant."""
    tree = json.loads(json.dumps(weighted(4.0).to_dict()))
    assert Plan.from_dict(tree) == weighted(4.0)
    del tree["models"][0]["weight"]
    assert Plan.from_dict(tree) == weighted(1.0)
