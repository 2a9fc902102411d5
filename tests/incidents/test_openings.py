"""Openings of statistical incidents: told by owner and local day, counted by day, as the false-alarm budget promises them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.codec import pack, unpack
from stream.judging.findings import Finding
from stream.judging.incidents import Clock, Incident, Incidents
from stream.judging.promise import KEPT_DAYS, KEPT_GROUPED, Promise, Realised
from stream.judging.verdicts import about
from stream.plan import Plan, StreamPlan
from tests.incidents.timeline import FEATURES, PREDICTIONS, finding, plan

HOUR = 3_600_000
DAY_0 = 719_163
"""Ordinal of 1970-01-01, in which the panes of these tests begin."""


def two_owners() -> Plan:
    """Return a plan of three models, two of which have one owner."""
    usual = plan(pane_ms=HOUR)
    (first,) = usual.models
    names = {"g": "payments-ml", "h": "credit-ml"}
    streams = [StreamPlan(f"{name}.features", name, "features", "t") for name in names]
    models = [dataclasses.replace(first, name=name, owner=owner) for name, owner in names.items()]
    return dataclasses.replace(usual, streams=(*usual.streams, *streams), models=(first, *models))


def shifted(subject: str, early: float, likely: float, late: float, **changes: Any) -> Finding:
    """Return a statistic that began between two hours."""
    onset = {"earliest_ms": int(early * HOUR), "likeliest_ms": int(likely * HOUR), "latest_ms": int(late * HOUR)}
    evidence = {"topic": "t", "spans": [], "examples": [], "onset": onset}
    usual = {"reason": "location", "statistical": True, "onset_ms": int(likely * HOUR), "evidence": evidence}
    return finding("drift", subject, **{**usual, **changes})


def observe(board: Incidents, pane: int, *findings: Finding, stream: str = FEATURES) -> list[Incident]:
    return board.observe_pane(stream, pane, findings, frozenset(), Clock((pane + 1) * HOUR, 0, pane))


def other(name: str, subject: str, pane: int) -> Finding:
    return shifted(subject, pane, pane, pane, model=name, stream=f"{name}.features")


def opened(board: Incidents) -> list[tuple[int, str, str]]:
    return [(day - DAY_0, owner, name) for day, owner, name in board.promise.opened]


@pytest.mark.parametrize(
    ("early", "late", "joins"),
    [(0, 4, False), (0, 5, True), (7, 8, True), (9, 11, True), (9.5, 11, False), (6, 6, True)],
)
def test_statistics_that_may_have_begun_together_are_one_incident(early: float, late: float, joins: bool) -> None:
    """The first began between hours 5 and 9; the ends of the interval belong to it. It is one opening."""
    board = Incidents(plan(pane_ms=HOUR))
    observe(board, 60, shifted("amount", 5, 7, 9))
    (told,) = observe(board, 61, shifted("amount", 5, 7, 9), shifted("zip", early, -20 if early == 0 else late, late))
    assert (told.status, len(board.open())) == (("updated", 1) if joins else ("firing", 2))
    assert len(opened(board)) == (1 if joins else 2) - (not joins), "a second one of a day is not counted"


def test_a_rule_has_no_interval_and_does_not_join() -> None:
    """It pages; behind a drift it would wait for the end of a quiet day."""
    board = Incidents(plan(pane_ms=HOUR))
    observe(board, 60, shifted("amount", 5, 7, 90))
    (told,) = observe(board, 61, shifted("amount", 5, 7, 90), finding("missing", "zip", onset_ms=8 * HOUR))
    assert (told.check, told.status, told.grouped_with) == ("missing", "firing", "")
    assert len(opened(board)) == 1


def test_a_second_one_of_the_day_is_grouped_and_not_counted() -> None:
    """It keeps its own event, which names the first; the next day, and another owner, are counted again."""
    board = Incidents(two_owners())
    (first,) = observe(board, 3, shifted("amount", 1, 2, 2))
    (second,) = observe(board, 10, shifted("amount", 1, 2, 2), shifted("zip", 9, 9, 9))
    (third,) = observe(board, 11, other("g", "x", 11), stream="g.features")
    (credit,) = observe(board, 12, other("h", "x", 12), stream="h.features")
    (predictions,) = observe(board, 20, shifted("p", 19, 19, 19, stream=PREDICTIONS), stream=PREDICTIONS)
    (tomorrow,) = observe(board, 24, other("g", "y", 24), stream="g.features")
    assert [item.grouped_with for item in (first, credit, tomorrow)] == ["", "", ""]
    assert [item.grouped_with for item in (second, third, predictions)] == [first.id] * 3
    assert len({item.id for item in (first, second, third, credit, predictions, tomorrow)}) == 6
    assert opened(board) == [
        (0, "payments-ml", first.id),
        (0, "credit-ml", credit.id),
        (1, "payments-ml", tomorrow.id),
    ]


def test_days_are_local_ones() -> None:
    """At 23:00 UTC it is tomorrow in Berlin."""
    board = Incidents(plan(pane_ms=HOUR, timezone="Europe/Berlin"))
    observe(board, 22, shifted("amount", 15, 16, 16))
    (told,) = observe(board, 23, shifted("amount", 15, 16, 16), shifted("zip", 23, 23, 23))
    assert told.grouped_with == ""
    assert [day for day, *_ in opened(board)] == [0, 1]


def test_what_comes_back_on_the_day_it_opened_is_not_grouped_with_itself() -> None:
    """A false alarm that is dismissed and found again at once is the same incident and the same opening."""
    board = Incidents(plan(pane_ms=HOUR))
    (first,) = observe(board, 3, shifted("amount", 1, 2, 2))
    said = {**about(first), "verdict": "false-alarm", "why": "x", "by": "alice", "until_ms": None}
    board.obey(said, Clock(4 * HOUR, 0, 4))
    (back,) = observe(board, 5, shifted("amount", 1, 2, 2))
    assert (back.id, back.openings, back.grouped_with) == (first.id, 2, "")
    assert opened(board) == [(0, "payments-ml", first.id)]


def test_rules_are_no_openings() -> None:
    """They stand outside the budget."""
    board = Incidents(plan(pane_ms=HOUR))
    observe(board, 3, finding("missing", "amount", "page", onset_ms=3 * HOUR))
    observe(board, 3, finding("missing", "amount", "page", onset_ms=3 * HOUR), shifted("amount", 3, 3, 3))
    assert opened(board) == [], "a statistic that joins a rule's incident calls nobody"


def test_a_restart_between_two_openings_changes_nothing() -> None:
    """Through JSON, as a checkpoint has it."""
    calm, shaken = Incidents(two_owners()), Incidents(two_owners())
    steps = [
        (3, shifted("amount", 1, 2, 2)),
        (10, shifted("zip", 9, 9, 9)),
        (12, other("h", "x", 12)),
        (24, other("g", "y", 24)),
    ]
    for pane, found in steps:
        saved = unpack(pack({}, shaken.state()))[1]
        shaken = Incidents(two_owners())
        shaken.restore(saved)
        assert observe(shaken, pane, found, stream=found.stream) == observe(calm, pane, found, stream=found.stream)
        assert shaken.state() == calm.state()
    assert len(opened(shaken)) == 3


def verdict(incident: str, word: str) -> dict[str, Any]:
    return {"incident": incident, "verdict": word}


def lived(*days: int) -> Promise:
    """Return an account of days on which panes were judged; of eighty where none are named."""
    account = Promise()
    for day in days or range(80):
        account.watch(day)
    return account


def promised(since: int, *opened: tuple[int, str, str]) -> Promise:
    account = lived()
    account.armed(since, "calibrated")
    for item in opened:
        account.open(*item)
    return account


def restored(account: Promise) -> Promise:
    """Return it through JSON, as a checkpoint has it."""
    again = Promise()
    again.restore(unpack(pack({}, account.state()))[1])
    return again


def test_nothing_is_realised_before_something_is_promised() -> None:
    """No limits, no days, no rate."""
    account = lived()
    account.open(5, "a", "one")
    assert account.realised(10) == Realised(0, 0, 0)
    assert account.realised(10).per_week == 0.0
    account.armed(8, "calibrated")
    assert account.realised(7) == Realised(0, 0, 0)
    assert account.realised(10) == Realised(0, 0, 3), "what opened before is not part of it"
    account.armed(9, "calibrated")
    assert account.limits == [(8, "calibrated")]


def test_the_rate_is_of_false_ones_over_the_days_of_the_window() -> None:
    """The newest verdict counts, and only `incident` makes an opening a true one."""
    account = promised(1, (1, "a", "one"), (3, "a", "two"), (14, "b", "three"), (15, "a", "four"))
    found = account.realised(14)
    assert (found, found.per_week) == (Realised(3, 0, 14), 1.5)
    said = [
        verdict("one", "false-alarm"),
        verdict("one", "incident"),
        verdict("two", "mute"),
        verdict("gone", "incident"),
    ]
    found = account.realised(14, said)
    assert (found, found.per_week) == (Realised(3, 1, 14), 1.0)
    said.append(verdict("one", "false-alarm"))
    assert account.realised(14, said).true == 0
    assert account.realised(14, window=12) == Realised(2, 0, 12)
    assert account.realised(15, window=1) == Realised(1, 0, 1)


def test_a_day_is_one_opening_whoever_is_called() -> None:
    """That is what the file promises; it is a false one unless everything that opened was an incident."""
    account = promised(1, (3, "a", "one"), (3, "b", "two"))
    assert account.realised(7) == Realised(1, 0, 7)
    assert account.realised(7, [verdict("one", "incident")]) == Realised(1, 0, 7)
    assert account.realised(7, [verdict("one", "incident"), verdict("two", "incident")]) == Realised(1, 1, 7)


def test_provisional_limits_promise_nothing() -> None:
    """Neither while there are no others nor where a field is too young for them; limits may become provisional again."""
    account = lived()
    for day, status in (
        (2, "provisional"),
        (3, "provisional"),
        (10, "calibrated"),
        (20, "provisional"),
        (24, "calibrated"),
    ):
        account.armed(day, status)
    for day in (4, 12, 13, 21, 25):
        account.open(day, "a", str(day), provisional=day in (4, 13, 21))
    account = restored(account)
    assert account.realised(29) == Realised(2, 0, 16)
    assert account.realised(29, status="provisional") == Realised(2, 0, 12)
    assert account.realised(29, window=9, status="provisional") == Realised(1, 0, 3)
    account.open(13, "a", "another of the day")
    assert account.realised(29) == Realised(3, 0, 16), "of which something was promised"


def test_an_opening_is_promised_not_to_be_once_a_calibrated_limit_is_crossed_in_it() -> None:
    """Whatever joined first: a young field must not hide the others."""
    board = Incidents(plan(pane_ms=HOUR))
    board.promise.armed(DAY_0, "calibrated")
    young = shifted("amount", 5, 7, 9, provisional=True)
    observe(board, 60, young)
    assert board.promise.realised(DAY_0 + 6) == Realised(0, 0, 1)
    observe(board, 61, young, shifted("zip", 5, 7, 9))
    assert len(board.open()) == 1
    assert board.promise.realised(DAY_0 + 6) == Realised(1, 0, 1)


def test_one_that_comes_back_at_a_provisional_limit_is_not_taken_off_the_day_of_its_first_opening() -> None:
    """Another budget may make limits provisional again, and an incident keeps its name when it comes back."""
    account = promised(1, (3, "a", "one"))
    account.armed(5, "provisional")
    account.open(5, "a", "one", provisional=True)
    assert account.realised(6) == Realised(1, 0, 4)
    assert account.realised(6, status="provisional") == Realised(1, 0, 2)


def test_old_openings_are_dropped_when_new_ones_come() -> None:
    account = promised(1, (1, "a", "one"), (KEPT_DAYS, "a", "two"))
    assert len(account.opened) == 2
    account.open(KEPT_DAYS + 1, "a", "three")
    assert [name for *_, name in account.opened] == ["two", "three"]


items = st.lists(st.tuples(st.integers(1, 60), st.sampled_from("ab"), st.sampled_from("uvwxyz")), max_size=25)


@settings(max_examples=100, deadline=None)
@given(items, st.integers(0, 25), st.integers(1, 70), st.integers(1, 70), st.sets(st.sampled_from("uvwxyz")))
def test_it_is_what_a_list_of_all_would_say(
    told: list[tuple[int, str, str]], at: int, today: int, window: int, true: set[str]
) -> None:
    """The first of each owner and day, by day, within the window; true by what is said of it, or of one grouped with it."""
    account, first, joined = promised(10), dict[tuple[int, str], str](), dict[str, str]()
    for number, (day, owner, name) in enumerate(sorted(told)):
        if number == at:
            account = restored(account)
        grouped = account.open(day, owner, name)
        known = first.setdefault((day, owner), name)
        assert grouped == (None if known == name else known)
        joined |= {name: grouped} if grouped else {}
    begin = max(10, today - window + 1)
    counted: dict[int, list[str]] = {}
    for (day, _), name in first.items():
        if begin <= day <= today:
            counted.setdefault(day, []).append(name)
    said = [verdict(name, "incident") for name in true]
    meant = true | {joined[name] for name in true if name in joined}
    expected = Realised(len(counted), sum(meant.issuperset(names) for names in counted.values()), today - begin + 1)
    assert account.realised(today, said, window) == (expected if today >= 10 else Realised(0, 0, 0))


def test_days_without_a_pane_are_no_days_on_which_nothing_opened() -> None:
    """After weeks of downtime the rate is that of the days that were watched."""
    account = lived(*range(10), 56)
    account.armed(0, "calibrated")
    for day in (1, 4, 7):
        account.open(day, "a", str(day))
    assert restored(account).realised(56, window=57) == Realised(3, 0, 11)


def test_an_opening_with_a_verdict_of_its_own_goes_by_it() -> None:
    """What is said of one that is grouped with it stands for it only as long as nobody has judged it."""
    account = promised(1, (3, "a", "one"), (3, "a", "two"))
    assert account.grouped == {"two": "one"}
    assert account.realised(7, [verdict("two", "incident")]).true == 1
    assert account.realised(7, [verdict("one", "false-alarm"), verdict("two", "incident")]).true == 0


def test_the_oldest_grouping_goes_first_after_a_restart_too() -> None:
    calm = promised(1, (2, "a", "first"))
    for number in range(KEPT_GROUPED - 1):
        calm.group(f"f{number}", f"z{9999 - number}")
    calm.open(2, "a", "aaa")
    shaken = restored(calm)
    for account in (calm, shaken):
        account.open(3, "a", "next")
        account.open(3, "a", "zzz")
    assert calm.state() == shaken.state()
    assert "aaa" in shaken.grouped
