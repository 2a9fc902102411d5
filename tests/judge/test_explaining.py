"""`streamgauge explain`: when it began, which bins moved and how far, from the kept panes alone; and what a person sees of it."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import numpy as np

from stream.commands.explain import text
from stream.commands.explain_page import page
from stream.explaining import Moved, explain
from stream.gathering import Kept
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
        "endsAt": ends_at,
        "annotations": {"summary": f"m: {subject} moved", "description": f"What: {subject}"},
        "evidence": {"findings": [{**finding, "value": 20.0, "threshold": 10.0}]},
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


def test_what_cannot_be_drawn_is_said() -> None:
    kept, reference, at = stepped("a", "b")
    for other in (event("gone", "location", at), {**event("a", None, at), "evidence": {"findings": []}}):
        assert explain(other, kept, section("a", "b"), reference, PLAN) == []
        assert "There is no histogram to draw" in "\n".join(text(other, []))
        assert "no histogram" in page(other, [])


def test_a_person_sees_the_onset_in_eighty_columns() -> None:
    happened, moved, _ = told()
    lines = list(text(happened, moved))
    assert max(map(len, lines[:-1])) <= 80, "only the command to copy is longer"
    assert any(date.fromordinal(MONDAY + STEP_DAY).isoformat() in line for line in lines)
    assert sum(line.startswith("* ") for line in lines) == 3 + 1


def test_names_of_other_people_are_text_on_the_page() -> None:
    happened, moved, _ = told(HOSTILE)
    written = page(happened, moved)
    assert "<script" not in written
    assert "\x1b" not in written
    assert re.search(r"https?:|src=|@import|url\(", written) is None, "nothing is loaded"
