"""`streamgauge explain`: when it began, which bins moved and how far, from the kept panes alone; and what a person sees of it."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy as np
import pytest

from stream.commands.explain import UNTOLD, began, commands, text
from stream.commands.explain_page import page
from stream.explaining import Moved, explain
from stream.gathering import Kept
from stream.judging.advice import short
from stream.judging.alerts import rfc3339
from stream.plan import Plan
from tests.judge.weeks import HOUR, MONDAY, STREAM, hour_of, hours, learned, lesson, panes, section

DAYS, STEP_DAY = 63, 60
PLAN = Plan("app", (), (), pane_ms=HOUR)
HOSTILE = "<script>x</script>\x1b[31m"


def event(subject: str, contrast: str | None, since: int, ends_at: str | None = None) -> dict[str, Any]:
    detail = {} if contrast is None else {"contrast": contrast}
    finding = {
        "check": "drift",
        "subject": subject,
        "since": rfc3339(since),
        "text": f"{subject} moved",
        "detail": detail,
    }
    return {
        "incident": "0123456789abcdef-1",
        "startsAt": rfc3339(since),
        "endsAt": ends_at,
        "annotations": {"summary": f"m: {subject} moved", "description": f"What: {subject}"},
        "evidence": {"kcat": [], "findings": [{**finding, "value": 20.0, "threshold": 10.0}]},
    }


def stepped(*names: str) -> tuple[list[Kept], dict[str, Any], int]:
    """Return the panes of nine weeks, the reference of the day before the step, and its moment: the first field moves by 1 sd."""
    counts = {name: hours(DAYS, name) for name in names}
    counts[names[0]][STEP_DAY * 24 :] = hours(DAYS - STEP_DAY, names[0], mean=1.0)
    kept = panes(counts)
    told = learned(lesson(MONDAY + STEP_DAY, *names), kept)
    return kept, told[STREAM], hour_of(MONDAY + STEP_DAY) * HOUR


def told(name: str = "a", contrast: str | None = "location") -> tuple[dict[str, Any], list[Moved], int]:
    kept, reference, at = stepped(name, "b")
    happened = event(name, contrast, at)
    recent = [pane for pane in kept if pane.index * HOUR > at - 14 * 24 * HOUR]
    return happened, explain(happened, recent, section(name, "b"), reference, PLAN), at


def test_a_step_is_dated_sized_and_named_by_its_bins() -> None:
    _, (moved,), at = told()
    assert moved.course is not None
    early, likely, late = moved.course.onset
    assert early <= at <= late
    assert abs(likely - at) <= HOUR
    assert abs(moved.course.size - 1.0) < 0.1
    assert moved.now.sum() == (DAYS - STEP_DAY) * 24 * 200 + (at - likely) // HOUR * 200
    grown = [bin for bin in moved.top if moved.now[bin] / moved.now.sum() > moved.before[bin]]
    assert grown, "one of the named bins gained"
    assert min(grown) > np.flatnonzero(moved.before > 0.01).mean(), "on the upper side"


def test_a_gross_change_has_no_contrast_and_counts_from_its_finding_on() -> None:
    _, (moved,), at = told(contrast=None)
    assert moved.course is None
    assert moved.since_ms == at
    assert moved.now.sum() == (DAYS - STEP_DAY) * 24 * 200


def test_an_incident_that_is_over_ends_there() -> None:
    kept, reference, at = stepped("a", "b")
    happened = event("a", "location", at, rfc3339(at + 10 * HOUR))
    (moved,) = explain(happened, kept, section("a", "b"), reference, PLAN)
    assert abs(int(moved.now.sum()) - 10 * 200) <= 200


def short_drift(hours_quiet: int) -> tuple[Moved, int]:
    """Return what is said of a drift of 12 hours in an incident that stays open for some hours after it."""
    begin = (STEP_DAY - 4) * 24
    counts = {name: hours(DAYS, name) for name in ("a", "b")}
    counts["a"][begin : begin + 12] = hours(DAYS, "moved", mean=1.0)[:12]
    kept = panes(counts)
    reference = learned(lesson(MONDAY + STEP_DAY - 4, "a", "b"), kept)[STREAM]
    at = hour_of(MONDAY) * HOUR + begin * HOUR
    recent = [pane for pane in kept if pane.index * HOUR > at - 14 * 24 * HOUR]
    over = rfc3339(at + (12 + hours_quiet) * HOUR)
    (moved,) = explain(event("a", "location", at, over), recent, section("a", "b"), reference, PLAN)
    return moved, at


@pytest.mark.parametrize("quiet", [0, 24, 108])
def test_quiet_days_before_an_incident_is_over_water_nothing_down(quiet: int) -> None:
    """A statistic stays above its limit for days, and is resolved after a quiet one: size and values are those of the change."""
    moved, at = short_drift(quiet)
    assert moved.course is not None
    early, likely, late = moved.course.onset
    assert early <= at <= late
    assert abs(likely - at) <= HOUR
    assert moved.course.lasts == (quiet == 0)
    assert abs(moved.course.until - (at + 12 * HOUR)) <= HOUR
    assert abs(moved.course.size - 1.0) < 0.1
    assert moved.size.endswith("of its standard deviations higher")
    assert abs(int(moved.now.sum()) - 12 * 200) <= 200
    assert any("when it ended" in line for line in text([moved], [], [])) == (quiet > 0)


def test_a_short_change_fills_the_drawing() -> None:
    """Over all of the weeks that are read it would be a line."""
    moved, _ = short_drift(108)
    assert moved.course is not None
    assert len(moved.course.times[moved.course.shown()]) < 120 < len(moved.course.times)


def test_a_finding_that_was_dated_goes_before_a_gross_one_of_the_same_field() -> None:
    kept, reference, at = stepped("a", "b")
    happened = event("a", "location", at)
    happened["evidence"]["findings"].insert(0, {**event("a", None, at)["evidence"]["findings"][0], "value": 900.0})
    (moved,) = explain(happened, kept, section("a", "b"), reference, PLAN)
    assert moved.course is not None


def test_a_long_name_is_found_by_what_an_event_shows_of_it() -> None:
    """Events shorten names."""
    name = "x" * 400
    kept, reference, at = stepped(name, "b")
    (moved,) = explain(event(short(name), "location", at), kept, section(name, "b"), reference, PLAN)
    assert moved.field == name


def test_what_cannot_be_drawn_is_said() -> None:
    kept, reference, at = stepped("a", "b")
    for other in (event("gone", "location", at), {**event("a", None, at), "evidence": {"kcat": [], "findings": []}}):
        assert explain(other, kept, section("a", "b"), reference, PLAN) == []
    assert UNTOLD in " ".join(text([], [UNTOLD], []))
    assert UNTOLD in page(event("a", None, at), [], [UNTOLD], [])


def test_a_person_sees_the_onset_in_eighty_columns() -> None:
    happened, moved, _ = told()
    lines = list(text(moved, [began(moved)], commands(happened, "a b.yaml")))
    assert max(map(len, lines[:-4])) <= 80, "only the commands to copy are longer"
    assert "streamgauge verdict 'a b.yaml' 0123456789abcdef-1 new-normal" in lines[-3]
    assert any(date.fromordinal(MONDAY + STEP_DAY).isoformat() in line for line in lines)
    assert sum(line.startswith("* ") for line in lines) == 3 + 1


def test_names_of_other_people_are_text_on_the_page() -> None:
    happened, moved, _ = told(HOSTILE)
    written = page(happened, moved, [began(moved)], commands(happened, HOSTILE))
    assert "<script" not in written
    assert "\x1b" not in written
    assert re.search(r"https?:|src=|@import|url\(", written) is None, "nothing is loaded"


def test_missing_values_are_drawn_as_what_they_are() -> None:
    """Records with a value and without one, against what is usual at that time; the values themselves have not moved."""
    gone = {"a": np.r_[np.full(24 * STEP_DAY, 2), np.full(24 * (DAYS - STEP_DAY), 30)]}
    kept = panes({name: hours(DAYS, name) for name in "ab"}, gone=gone)
    reference = learned(lesson(MONDAY + STEP_DAY, *"ab"), kept)[STREAM]
    at = hour_of(MONDAY + STEP_DAY) * HOUR
    (moved,) = explain(event("a", "missing", at), kept, section("a", "b"), reference, PLAN)
    assert moved.since_ms == at
    assert moved.now[:2].tolist() == [200 * 24 * 3, 30 * 24 * 3]
    assert moved.before[1] == pytest.approx(2 / 202, rel=0.01)
    assert moved.size == "12 % more of its records than usual"
    said = "\n".join(text([moved], [], []))
    assert "without a value" in said
    assert re.search(r"without a value +█* +0.99 % +█+ +13 %", said), said
    assert "category" not in said
