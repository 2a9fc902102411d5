"""A field with a new normal: silent from the verdict on, until a night knows what is normal now."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from stream.codec import pack
from stream.gathering import RENEWED_DAYS, Gathered
from stream.judging.verdicts import note
from tests.judge.hourly import Hourly, again, plan
from tests.judge.weeks import HOUR, MONDAY, STREAM, hour_of, hours, learned, lesson, panes, reference, section

NAMES = ("a", "b")
DAYS = 30
UP = {"a": 2.0}
"""Far beyond the limit of the rule on gross change."""


@functools.cache
def history() -> Any:
    kept = panes({name: hours(DAYS, name, n=50) for name in NAMES})
    return kept, learned(lesson(MONDAY + DAYS, *NAMES), kept)


def moved() -> Hourly:
    """Return a judge whose field a has moved for some hours, as rule and contrasts have told."""
    judge = Hourly(plan(), first=MONDAY + DAYS)
    judge.refer(history()[1])
    judge.hours(6)
    judge.hours(6, UP)
    assert {"distribution", "location"} <= reasons(judge)
    return judge


def reasons(judge: Hourly, field: str = "a") -> set[str]:
    """Return what is told of a field now."""
    assert judge.judge.incidents is not None
    members = [member for incident in judge.judge.incidents.open() for member in incident.members.values()]
    return {item.finding.reason for item in members if item.finding.subject == field}


def say(judge: Hourly, verdict: str, name: str = "one") -> None:
    assert judge.judge.incidents is not None
    (known,) = judge.judge.incidents.open() or [None]
    about = (known.id, known.fingerprint) if known else (judge.judge.said.given[-1]["incident"], "")
    judge.fold(note(name, about, verdict, "test", ("alice", judge.hour * HOUR), None), None)


def fired(judge: Hourly, since: int) -> list[str]:
    return [event["labels"]["subject"] for event in judge.drifts(since) if event["status"] == "firing"]


def test_what_somebody_called_normal_is_not_told_again_the_same_day() -> None:
    """Neither by the rule nor by a contrast, at the limits of what was normal before; the field beside it is."""
    judge = moved()
    say(judge, "new-normal")
    begin = len(judge.records)
    judge.hours(6, UP)
    assert (judge.drift.quiet, judge.drifts(begin)) == (["a"], [])
    judge.hours(5, {**UP, "b": 2.0})
    assert fired(judge, begin) == ["b"]


def test_a_night_that_did_not_know_of_the_verdict_ends_nothing() -> None:
    """It was asked before, and what it learned came into force after."""
    judge = moved()
    told = learned(lesson(MONDAY + DAYS + 1, *NAMES), [*history()[0], *judge.kept])
    say(judge, "new-normal")
    begin = len(judge.records)
    judge.refer(told)
    judge.hours(8, UP)
    assert (judge.drift.quiet, judge.drifts(begin)) == (["a"], [])


@pytest.mark.parametrize("verdict", ["incident", "false-alarm"])
def test_who_takes_it_back_hears_of_it(verdict: str) -> None:
    """The newest verdict on an incident counts."""
    judge = moved()
    say(judge, "new-normal")
    judge.hours(2, UP)
    say(judge, verdict, "two")
    begin = len(judge.records)
    judge.hours(6, UP)
    assert judge.drift.quiet == []
    assert fired(judge, begin) == ["a"]


def test_another_section_keeps_it_quiet() -> None:
    """In whatever row it is."""
    judge = moved()
    say(judge, "new-normal")
    section = judge.layout.sections[STREAM]
    begin = len(judge.records)
    judge.section(section.replace(fields=section.fields[::-1], bins=section.bins[::-1]))
    judge.hours(8, UP)
    assert (judge.drift.quiet, judge.drifts(begin)) == (["a"], [])


@functools.cache
def relearned() -> tuple[Hourly, list[str], dict[int, bool]]:
    """Return a judge after 19 nights with a new normal, what was told in these, and for each day whether the rule is armed."""
    judge = moved()
    say(judge, "new-normal")
    begin, armed = len(judge.records), {}
    for day in range(1, 20):
        judge.until_night(mean=UP)
        assert judge.night(history()[0]) is not None
        armed[day] = bool(judge.drift.gross.known[judge.drift.section.names.index("a")])
    return judge, fired(judge, begin), armed


def test_no_night_tells_it_again() -> None:
    """Its limits are learned at once from what came after; the shares are the old ones for more than a week."""
    judge, told, armed = relearned()
    assert "a" not in told
    assert judge.drift.quiet == []
    assert np.isfinite(judge.drift.shift.limit).all()
    learned_on = min(day for day, known in armed.items() if known)
    assert 8 < learned_on < 18, "a week does not teach, and then come 200 panes and another night"
    assert all(known == (day >= learned_on) for day, known in armed.items())
    since = judge.judge.said.given[0]["settled_ms"]
    assert 0 <= since - (hour_of(MONDAY + DAYS) + 6) * HOUR <= 4 * HOUR, "no pane of before is one of after"
    assert judge.judge.reference[STREAM]["restarts"] == {"a": since}
    assert judge.judge.reference[STREAM]["since"].tolist() == [since, 0]


def test_a_gross_change_is_found_again_once_it_is_learned() -> None:
    """And being back where it was before is one."""
    judge, *_ = relearned()
    begin = len(judge.records)
    judge.hours(5)
    assert "a" in fired(judge, begin)
    assert "distribution" in reasons(judge)


def test_a_restart_changes_nothing() -> None:
    """From a checkpoint before each record: the verdict, quiet hours, the night that ends them."""
    judge = moved()
    say(judge, "new-normal")
    judge.until_night(mean=UP)
    judge.night(history()[0])
    judge.hours(2, UP)
    for number, (_, said) in enumerate(again(judge, restarts=True)):
        assert said == judge.said[number]
    *_, (state, _) = again(judge, restarts=True)
    assert state == pack({}, judge.judge.state())


@pytest.mark.parametrize(("days", "known"), [(RENEWED_DAYS - 1, False), (RENEWED_DAYS, True)])
def test_the_rule_of_a_field_of_few_values_comes_back_after_two_weeks(days: int, known: bool) -> None:
    """It never has the panes that new shares are learned from: it is compared with the old ones, by the distances of today."""
    since = hour_of(MONDAY) * HOUR
    old = {**reference("a"), "farthest": np.array([0.1])}
    told = []
    for _ in range(2):
        gathered = Gathered.of(section("a"), old)
        for day in range(MONDAY, MONDAY + days):
            gathered.add(day, panes({"a": hours(1, "a", n=40, mean=2.0)[:1]}, first=day)[0])
        old = gathered.tree(set(range(MONDAY, MONDAY + days)), {"a": since})
        told.append(float(old["farthest"][0]))
    assert np.array_equal(old["found"], old["shares"]), "new shares there are none"
    assert np.isnan(told[0])
    assert (told[1] > 0.5) == known
