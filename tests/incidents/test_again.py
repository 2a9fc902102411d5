"""One cause is one opening over days, and nothing new hides behind it."""

from __future__ import annotations

from typing import Any

import pytest

from stream.codec import pack, unpack
from stream.judging.again import KEPT, Ended
from stream.judging.findings import Finding
from stream.judging.incidents import Clock, Incident, Incidents
from stream.judging.verdicts import about
from tests.incidents.test_openings import HOUR, observe, opened, shifted
from tests.incidents.timeline import finding, plan


def moved(
    subject: str, early: float, late: float, size: float = 0.8, contrast: str = "location", **changes: Any
) -> Finding:
    """Return a statistic that began between two hours and has moved by so much."""
    item = shifted(subject, early, late, late, **changes)
    return finding(
        "drift",
        subject,
        item.severity,
        reason=item.reason,
        onset_ms=item.onset_ms,
        statistical=True,
        evidence={**item.evidence, "size": size, "contrast": contrast},
    )


def over() -> tuple[Incidents, Incident]:
    """Return a board on which a drift of hours 30 to 50 was over at the end of day 3, by a quiet day."""
    board = Incidents(plan(pane_ms=HOUR))
    (first,) = observe(board, 50, moved("amount", 28, 32))
    ended = [told for pane in range(51, 97) for told in observe(board, pane)]
    assert [item.status for item in ended] == ["resolved"]
    return board, first


def test_the_same_change_again_is_no_new_opening_and_names_the_first() -> None:
    board, first = over()
    (told,) = observe(board, 120, moved("amount", 28, 40, 1.1))
    assert (told.status, told.again, told.severity) == ("firing", first.id, "ticket")
    assert told.id != first.id
    assert told.why.startswith("Again since 1970-01-02 16:00 UTC")
    assert len(opened(board)) == 1


@pytest.mark.parametrize(
    "new",
    [
        moved("amount", 60, 100),
        moved("amount", 28, 40, 1.3),
        moved("amount", 28, 40, -0.8),
        moved("amount", 28, 40, float("nan")),
        moved("amount", 28, 40, reason="scale"),
        moved("amount", 28, 40, contrast="share 3"),
        moved("zip", 28, 40),
        moved("amount", 28, 40, 0.0),
        shifted("amount", 28, 32, 40),
    ],
    ids=[
        *("later", "larger", "other-way", "no-number", "other-contrast", "other-value", "other-field", "no-size"),
        "no-evidence",
    ],
)
def test_what_differs_is_told_and_counted(new: Finding) -> None:
    board, _ = over()
    (told,) = observe(board, 120, new)
    assert (told.again, told.why, len(opened(board))) == ("", "It began.", 2)


def test_a_worse_one_is_told_and_counted() -> None:
    board, _ = over()
    worse = moved("amount", 28, 40)
    (told,) = observe(board, 120, finding("drift", "amount", "page", reason="location", onset_ms=worse.onset_ms,
                                          statistical=True, evidence=worse.evidence))  # fmt: skip
    assert (told.severity, told.again, len(opened(board))) == ("page", "", 2)


def test_after_a_week_it_is_told_anew() -> None:
    board, first = over()
    week = 7 * 24
    (early,) = observe(board, 96 + week, moved("amount", 28, 40))
    assert early.again == first.id
    board, _ = over()
    (late,) = observe(board, 97 + week, moved("amount", 28, 40))
    assert late.again == ""


def test_one_that_is_again_keeps_nothing_alive() -> None:
    """A cause that lasts is counted once a week, not once for ever."""
    board, first = over()
    observe(board, 120, moved("amount", 28, 40))
    for pane in range(121, 193):
        observe(board, pane)
    (later,) = observe(board, 200, moved("amount", 100, 120))
    assert later.again == "", "it began while only the repetition was in alarm"
    (other,) = observe(over()[0], 200, moved("amount", 28, 40))
    assert other.again == first.id


@pytest.mark.parametrize("word", ["false-alarm", "new-normal"])
@pytest.mark.parametrize("while_open", [True, False])
def test_a_drift_after_a_false_alarm_is_told_and_counted(word: str, while_open: bool) -> None:
    """An attacker waits for the verdict: the same field, contrast and size, even dated into the time before it."""
    board, first = over()
    if while_open:
        board = Incidents(plan(pane_ms=HOUR))
        (first,) = observe(board, 50, moved("amount", 28, 32))
    said = {**about(first), "verdict": word, "why": "x", "by": "alice", "until_ms": None}
    board.obey(said, Clock(100 * HOUR, 0, 4))
    (told,) = observe(board, 120, moved("amount", 28, 40))
    assert (told.again, len(opened(board))) == ("", 2)


def test_what_is_new_in_an_incident_that_is_again_counts_after_all() -> None:
    """Another field joins it, since both began together; nobody was told of that one."""
    board, _ = over()
    told = observe(board, 120, moved("amount", 28, 40), moved("zip", 30, 41))
    assert (told[0].again, len(opened(board))) == ("", 2)
    board, _ = over()
    observe(board, 120, moved("amount", 28, 40))
    assert len(opened(board)) == 1
    (joined,) = observe(board, 121, moved("amount", 28, 40), moved("zip", 30, 41))
    assert (joined.status, joined.again, len(opened(board))) == ("updated", "", 2)
    observe(board, 122, moved("amount", 28, 40))
    assert len(opened(board)) == 2, "the known half does not make it a repetition"


def test_another_contrast_of_the_field_is_told_too() -> None:
    """In an incident that is new it would say the same once more; here nobody was told of it."""
    board, _ = over()
    observe(board, 120, moved("amount", 28, 40))
    (told,) = observe(board, 121, moved("amount", 28, 40), moved("amount", 28, 40, reason="scale"))
    assert (told.status, told.again, len(opened(board))) == ("updated", "", 2)


def test_another_value_of_the_category_is_told_too() -> None:
    """Its reason is the same; the value that moves is not."""
    board, _ = over()
    observe(board, 120, moved("amount", 28, 40))
    other = moved("amount", 28, 40, contrast="share 3", value=99.0)
    observe(board, 121, other)
    assert len(opened(board)) == 2


@pytest.mark.parametrize("word", ["false-alarm", "new-normal"])
def test_a_verdict_on_the_repetition_closes_the_account_of_the_first_too(word: str) -> None:
    board, first = over()
    (again,) = observe(board, 120, moved("amount", 28, 40))
    assert again.again == first.id
    board.obey({**about(again), "verdict": word, "why": "x", "by": "alice", "until_ms": None}, Clock(121 * HOUR, 0, 4))
    (told,) = observe(board, 140, moved("amount", 28, 40))
    assert (told.again, len(opened(board))) == ("", 2)


def test_one_that_comes_back_is_not_again_of_itself() -> None:
    board, first = over()
    (told,) = observe(board, 100, moved("amount", 28, 40))
    assert (told.id, told.again, told.why, told.openings) == (first.id, "", "It came back.", 2)
    assert opened(board)[-1][0] == 4, "on another day that is an opening of its own"


@pytest.mark.parametrize("size", [5.0, -0.8])
def test_a_change_that_grows_or_turns_while_it_is_again_counts_after_all(size: float) -> None:
    board, _ = over()
    observe(board, 120, moved("amount", 28, 40))
    (told,) = observe(board, 121, moved("amount", 28, 40, size))
    assert (told.status, told.again, len(opened(board))) == ("updated", "", 2)


def test_the_oldest_ended_incident_goes_first_after_a_restart_too() -> None:
    _, first = over()
    calm, shaken = Ended(), Ended()
    for number in range(KEPT):
        copy = first.copy()
        copy.id, copy.resolved_ms = f"i{9999 - number}", 0
        calm.take(copy)
    shaken.restore(unpack(pack({}, calm.state()))[1])
    for ended in (calm, shaken):
        copy.id = "newest"
        ended.take(copy)
    assert calm.state() == shaken.state()
    assert "i9999" not in shaken.known


def test_a_restart_between_the_two_changes_nothing() -> None:
    board, _ = over()
    other = Incidents(plan(pane_ms=HOUR))
    other.restore(unpack(pack({}, board.state()))[1])
    assert observe(other, 120, moved("amount", 28, 40)) == observe(board, 120, moved("amount", 28, 40))
    assert other.state() == board.state()


def test_what_is_kept_is_bounded() -> None:
    _, first = over()
    ended = Ended()
    for number in range(KEPT + 5):
        copy = first.copy()
        copy.id, copy.resolved_ms = f"i{number}", 0
        ended.take(copy)
    assert len(ended.known) == KEPT
    assert "i4" not in ended.known


def test_a_true_alarm_that_was_grouped_makes_the_opening_a_true_one() -> None:
    """The second of a day, and one that is again."""
    board, _ = over()
    (again,) = observe(board, 120, moved("amount", 28, 40))
    (zip_code,) = observe(board, 121, moved("amount", 28, 40), moved("zip", 120, 120))
    (city,) = observe(board, 130, moved("amount", 28, 40), moved("zip", 120, 120), moved("city", 130, 130))
    assert city.grouped_with == zip_code.id
    board.promise.armed(1, "calibrated")
    today = board.promise.opened[-1][0]
    judged = [{"incident": city.id, "verdict": "incident"}]
    assert board.promise.realised(today, judged).true == 1
    judged.append({"incident": again.id, "verdict": "incident"})
    assert board.promise.realised(today, judged).true == 2
