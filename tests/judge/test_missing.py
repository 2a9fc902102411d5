"""Missing values under the budget: a few of a hundred, which the rules pass over, are told with their number and their onset."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.budget import Series
from stream.contrasts import FAMILIES, missing_contrast
from stream.left_out import leave_outages_out
from tests.judge.hourly import NAMES, again
from tests.judge.test_nightly import DAYS, findings, watching
from tests.judge.weeks import HOUR, MONDAY, hours, learned, lesson, panes


@pytest.mark.parametrize(("usual", "now", "said"), [(0, 2, "4 % more"), (2, 0, "3.8 % fewer")])
def test_two_of_fifty_are_told_and_no_rule_has_a_word(usual: int, now: int, said: str) -> None:
    """Fewer too: whoever fills a field that was always patchy has changed it."""
    there = {name: hours(DAYS, name, n=50) for name in NAMES}
    before = panes(there, gone={"a": np.full(24 * DAYS, usual)})
    judge = watching(learned(lesson(MONDAY + DAYS, *NAMES), before))
    judge.hours(30, gone={"a": usual} if usual else None)
    assert judge.alerts() == []
    begin = judge.hour
    judge.hours(30, gone={"a": now} if now else None)
    assert {event["check"] for event in judge.alerts()} == {"drift"}
    (found,) = findings(judge)
    assert (found.subject, found.reason, found.evidence["contrast"]) == ("a", "missing", "missing")
    assert f"{said} of its records than usual" in found.text
    assert "the share of records without a has changed" in found.text
    onset = found.evidence["onset"]
    assert onset["earliest_ms"] <= begin * HOUR <= onset["latest_ms"]


def rises_after(outages: list[int]) -> int:
    """Return the hours until 4 % more missing values are told, after eight weeks with three bad hours on some days."""
    usual = np.zeros(24 * DAYS, np.int64)
    for day in outages:
        usual[24 * day + 9 : 24 * day + 12] = 1_000
    there = {name: hours(DAYS, name, n=50) for name in NAMES}
    judge = watching(learned(lesson(MONDAY + DAYS, *NAMES), panes(there, gone={"a": usual})))
    judge.hours(30)
    begin = judge.hour
    while not findings(judge) and judge.hour < begin + 100:
        judge.hours(1, gone={"a": 2})
    return judge.hour - begin


def test_an_outage_that_left_a_few_values_does_not_hide_a_later_rise() -> None:
    """Nobody has called it an incident. What happens on three days is how the field is, and its limits know of that."""
    healthy = rises_after([])
    assert rises_after([10, 20]) == healthy
    assert rises_after([5, 10, 20]) > healthy


def blanked(*outages: tuple[int, int]) -> set[tuple[int, int]]:
    """Return (day, field) of the panes that are left out of 28 days with outages of an hour: (day, field) too."""
    days = np.repeat(np.arange(28), 24)
    x = np.zeros((28 * 24, 4))
    for day, field in outages:
        x[24 * day + 5, field] = missing_contrast(0.9)
    series = Series(x, np.full(x.shape, 100), HOUR, days, np.zeros_like(days), np.zeros_like(days))
    leave_outages_out(series, np.full(4, FAMILIES.index("missing")))
    return {(row // 24, field) for row, field in np.argwhere(np.isnan(series.x)).tolist()}


def test_outages_are_left_out_only_where_the_file_has_few() -> None:
    """Each is one that limits do not know of: of many fields with two each, there would be one a few days."""
    assert blanked((3, 0), (9, 1)) == {(3, 0), (9, 1)}
    assert blanked((3, 0), (3, 1), (9, 0)) == {(3, 0), (3, 1), (9, 0)}
    assert blanked((3, 0), (9, 1), (12, 2)) == set()
    assert blanked((3, 0), (9, 1), (1, 3), (2, 3), (3, 3)) == {(3, 0), (9, 1)}, "field 3 is known for it"


def test_a_field_that_is_gone_altogether_is_a_matter_of_the_rule_alone() -> None:
    """One incident, at once, and no drift beside it, then or when it is back."""
    judge = watching()
    judge.hours(20)
    judge.hours(12, gone={"a": 50})
    judge.hours(12)
    assert {(event["check"], event["labels"]["subject"]) for event in judge.alerts()} == {("missing", "a")}


def test_a_restart_in_a_rise_of_missing_values_changes_nothing() -> None:
    judge = watching()
    judge.hours(20)
    judge.hours(12, gone={"b": 3})
    plain = [state for state, _ in again(judge, restarts=False)]
    assert [state for state, _ in again(judge, restarts=True)] == plain
