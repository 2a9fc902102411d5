"""Rules that the history of a stream would have set off: silent, said once, and armed again when that is long ago."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.provisional import taught
from stream.codec import pack, unpack
from stream.judging.disarmed import LEAST_DAYS, MOST_RULES, MOST_SHARE, Disarmed
from stream.judging.findings import Finding
from stream.plan import Field, StreamPlan
from stream.recalibrate import REACH_DAYS
from tests.incidents.timeline import finding
from tests.judge.hourly import Hourly, plan
from tests.judge.weeks import STREAM, reference

MISSING = ("missing", "amount", "all_missing")


def missing(subject: str = "amount", **changes: Any) -> Finding:
    return finding("missing", subject, reason="all_missing", **changes)


def told(day: int, days: int, false_alarms: float = 1.0) -> dict[str, Any]:
    return {"day": day, "days": days, "false_alarms": false_alarms}


def on(*days: int, subject: str = "amount", history: int = 0) -> Disarmed:
    """Return what has heard one rule on some days of the history, which had so many before the newest ones, or only those."""
    rules = Disarmed()
    for day in range(history):
        rules.would_have_fired([], day)
    for day in days:
        rules.would_have_fired([missing(subject)], day)
    return rules


@pytest.mark.parametrize(
    ("days", "disarmed"),
    [
        ((), False),
        ((5,), False),
        ((5, 5, 5), False),
        ((5, 6), False),
        ((5, 6, 7), True),
        ((1, 5, 13), True),
        ((1, 5, 14), False),
        ((14, 15, 19), False),
        ((1, 2, 3, 19), True),
    ],
)
def test_more_days_that_teach_than_are_tolerated_disarm(days: tuple[int, ...], disarmed: bool) -> None:
    """Twenty days, of which the newest six do not teach: of fourteen, two are once a week. Findings of one day are one."""
    rules = on(*days, history=20)
    counted = len({day for day in days if day < 14})
    assert rules.learn(told(20, 20)) == ({MISSING: (counted, 14)} if disarmed else {})
    assert rules.heard([missing()]) == ([] if disarmed else [missing()])


@pytest.mark.parametrize(
    ("false_alarms", "least"), [(0.25, 3), (0.5, 5), (1.0, 9), (2.0, 17), (3.5, 29), (7.0, 29), (0.1, LEAST_DAYS)]
)
def test_two_outages_of_eight_weeks_disarm_nothing(false_alarms: float, least: int) -> None:
    """What disarms is more than the stated number of false alarms of the whole file, two days at least, half of them at most."""
    for bad in range(LEAST_DAYS - 1, 56):
        rules = on(*range(1, 1 + bad), history=63)
        assert bool(rules.learn(told(63, 63, false_alarms))) == (bad >= least)


def test_of_a_short_history_two_days_disarm() -> None:
    rules = on(1, 2, history=9)
    assert rules.learn(told(9, 9)) == {MISSING: (2, 6)}


def test_a_history_that_grows_old_does_not_make_its_last_days_weigh_more() -> None:
    """Two bad days at the end of eight weeks of history, and then weeks of watching: at no time are they a habit."""
    rules = on(53, 54, history=56)
    for day in range(56, 130):
        assert rules.learn(told(day, min(day, REACH_DAYS))) == {}


@given(
    st.integers(1, REACH_DAYS),
    st.integers(0, 81),
    st.sets(st.integers(0, 80), max_size=20),
    st.sampled_from((0.25, 1.0, 2.0, 7.0)),
)
def test_it_is_what_the_words_say(age: int, history: int, days: set[int], false_alarms: float) -> None:
    """Of the days that the reference was learned from, neither the newest ones nor, where it fired, older than nine weeks."""
    rules = on(*sorted(days), history=history)
    rules.learn(told(81, age, false_alarms))
    newest = sorted({*range(history), *days})[-REACH_DAYS:]
    last = 81 - (age - taught(age))
    count = sum(81 - REACH_DAYS < day < last for day in days)
    of = sum(day < last for day in newest)
    wanted = count >= LEAST_DAYS and (count / of > false_alarms / 7 or count / of > MOST_SHARE)
    assert rules.rules == ({MISSING} if wanted else set())


def test_a_rule_is_named_once_and_armed_again_when_its_days_are_old() -> None:
    """Every night decides anew."""
    rules = on(5, 6)
    assert rules.learn(told(20, 20)) == {MISSING: (2, 2)}
    assert rules.learn(told(21, 21)) == {}
    assert rules.heard([missing()]) == []
    assert rules.learn(told(5 + REACH_DAYS - 1, REACH_DAYS)) == {}
    assert rules.heard([missing()]) == []
    rules.learn(told(5 + REACH_DAYS, REACH_DAYS))
    assert rules.heard([missing()]) == [missing()]
    assert rules.days == {MISSING: [6]}
    rules.learn(told(6 + REACH_DAYS, REACH_DAYS))
    assert rules.days == {}


def test_another_reason_subject_and_statistics_are_heard() -> None:
    """Only the very rule is normal."""
    rules = on(5, 6)
    rules.would_have_fired([finding("drift", "amount", statistical=True)], 5)
    rules.would_have_fired([finding("drift", "amount", statistical=True)], 6)
    rules.learn(told(20, 20))
    assert rules.rules == {MISSING}
    others = [missing("zip"), finding("missing", "amount", reason="removed"), missing(statistical=True)]
    assert rules.heard([missing(), *others]) == others


def test_what_is_kept_is_bounded() -> None:
    rules = Disarmed()
    for number in range(MOST_RULES + 5):
        rules.would_have_fired([missing(f"f{number}")], 5)
    for day in range(200):
        rules.would_have_fired([missing("f0")], day)
    assert len(rules.days) == MOST_RULES
    assert len(rules.days["missing", "f0", "all_missing"]) == REACH_DAYS


def test_a_restart_changes_nothing() -> None:
    rules = on(5, 6)
    rules.learn(told(20, 20))
    other = Disarmed()
    other.restore(unpack(pack({}, rules.state()))[1])
    assert pack({}, other.state()) == pack({}, rules.state())
    assert other.heard([missing()]) == []
    assert other.learn(told(21, 21)) == {}


def test_a_field_that_is_another_one_now_is_armed() -> None:
    """History was of the old one; nothing would be told of the new one for weeks."""
    fields = Field("amount", "amount", required=True), Field("zip", "zip")
    before = StreamPlan("f.features", "f", "features", "t", fields=fields)
    rules = on(5, 6, 7)
    for day in (5, 6, 7):
        rules.would_have_fired([missing("zip")], day)
    rules.learn(told(20, 20))
    assert len(rules.rules) == 2
    moved = rules.under(before, replace(before, fields=(replace(fields[0], source="tx.amount"), fields[1])))
    assert moved.rules == {("missing", "zip", "all_missing")} == moved.days.keys()
    assert moved.history == rules.history
    assert rules.under(before, replace(before, lateness_ms=1)).state() == rules.state()
    assert rules.under(before, replace(before, where=(("type", "b"),))).state() == Disarmed().state()


def history(days: int, bad: tuple[int, ...]) -> Hourly:
    """Return a judge that has read days of history, in each bad one of which a field was missing for some hours."""
    judge = Hourly(plan(), history=50 * 24 * days)
    judge.refer({STREAM: reference("a", "b")})
    for day in range(days):
        judge.hours(10)
        judge.hours(4, {"a": float("nan")} if day in bad else None)
        judge.hours(10)
    judge.hours(1)
    return judge


def said(judge: Hourly, since: int = 0) -> list[tuple[str, str, str, str]]:
    return [
        (event["check"], event["labels"]["subject"], event["labels"]["reason"], event["status"])
        for event in judge.alerts(since)
    ]


def test_a_rule_that_is_normal_is_silent_and_one_ticket_names_it() -> None:
    """Before and after a restart; the same rule on another field still speaks."""
    judge = history(9, (1, 4))
    assert said(judge) == [], "history is not told"
    budget = judge.night()
    assert budget is not None
    assert budget["days"] == 9
    begin = len(judge.records)
    judge.hours(4)
    ((check, subject, reason, status), *more) = said(judge, begin)
    assert (check, subject, reason, status) == ("version", "rules", "disarmed", "firing")
    assert {subject for _, subject, _, _ in more} <= {"rules"}
    (event, *_) = judge.alerts(begin)
    assert (event["severity"], "all_missing of a (2 of 6 days)" in event["annotations"]["description"]) == (
        "ticket",
        True,
    )
    judge.hours(4)
    begin = len(judge.records)
    judge.hours(4, {"a": float("nan")})
    assert [item for item in said(judge, begin) if item[3] == "firing"] == []
    judge.hours(4, {"b": float("nan")})
    assert {item[1] for item in said(judge, begin) if item[3] == "firing"} == {"b"}


@pytest.mark.parametrize("bad", [(4,), (6, 7, 8)])
def test_one_day_or_the_newest_days_disarm_nothing(bad: tuple[int, ...]) -> None:
    """A fault of yesterday is a fault."""
    judge = history(9, bad)
    judge.night()
    begin = len(judge.records)
    judge.hours(3)
    assert said(judge, begin) == []
    judge.hours(3, {"a": float("nan")})
    assert [item[:2] for item in said(judge, begin)][:1] == [("missing", "a")]


def test_what_was_found_while_somebody_watched_disarms_nothing() -> None:
    """That is for that person to judge."""
    judge = Hourly(plan())
    judge.refer({STREAM: reference("a", "b")})
    for day in range(9):
        judge.hours(12)
        judge.hours(12, {"a": float("nan")} if day in (1, 3) else None)
    judge.hours(1)
    judge.night()
    watch = judge.judge.watches[STREAM]
    assert (watch.disarmed.days, watch.disarmed.rules) == ({}, set())
    days = [
        event["startsAt"] for event in judge.alerts() if event["status"] == "firing" and event["check"] == "missing"
    ]
    assert len(days) == 2
    assert all(one < other for one, other in pairwise(days))
