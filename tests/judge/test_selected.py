"""River's detectors, where the configuration selects them: a ticket outside the budget that says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from detectors import GUARDED
from stream.coarse import CoarsePane
from stream.counts import FieldCounts, PaneCounts
from stream.judging.bank import Bank
from stream.layout import OTHER
from stream.panes import ClosedPane
from stream.plan import Plan, StreamPlan
from tests.judge.weeks import HOUR, MONDAY, STREAM, hour_of, hours, learned, lesson, panes, section

DAYS = 8


def bank(*detectors: str) -> Bank:
    """Return the detectors of a stream of one field, with what is normal for it."""
    stream = StreamPlan(STREAM, "m", "features", "t", detectors=detectors)
    ready = Bank(stream, section("a"), Plan("app", (stream,), (), pane_ms=HOUR))
    tree = learned(lesson(MONDAY + DAYS, "a"), panes({"a": hours(DAYS, "a")}))[STREAM]
    ready.set_reference(tree)
    return ready


def found(ready: Bank, mean: float, week: int = 0) -> list[str]:
    """Return what is found in a week of hours whose values are moved."""
    said = []
    for hour, bins in enumerate(hours(7, "a", mean=mean)):
        index = hour_of(MONDAY + DAYS + 7 * week) + hour
        counts = FieldCounts.zero(1)
        counts.bins[0] = bins
        presence = np.array([[bins.sum(), 0]])
        pane = ClosedPane(
            STREAM, index, ready.section, PaneCounts(groups={(OTHER, OTHER): counts}), np.ones(1, np.bool_)
        )
        verdict = ready.judge(pane, [CoarsePane(STREAM, index, ready.section, bins[None], presence)])
        said += [item.text for item in verdict.findings if item.reason == "selected"]
        assert not any(item.statistical for item in verdict.findings if item.reason == "selected")
    return said


def test_each_of_them_finds_a_step_and_says_that_it_keeps_no_budget() -> None:
    for name in GUARDED:
        ready = bank(name)
        found(ready, 0.0)
        said = found(ready, 1.0, week=1)
        assert said, name
        assert f"({name}, " in said[0]
        assert "without a false-alarm budget" in said[0]


def test_nothing_is_found_where_nothing_moved_or_nothing_was_selected() -> None:
    for name in GUARDED:
        assert found(bank(name), 0.0) == [], name
    assert found(bank(), 1.0) == []


def test_their_memory_is_part_of_the_state() -> None:
    whole, half = bank("page_hinkley"), bank("page_hinkley")
    found(whole, 0.02)
    other = replace(half.stream)
    half = Bank(other, half.section, Plan("app", (other,), (), pane_ms=HOUR))
    half.set_reference(whole.drift.reference)
    half.restore(whole.state())
    assert found(half, 1.0, week=1) == found(whole, 1.0, week=1)
