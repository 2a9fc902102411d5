"""Why an incident is one: the values since it began against the reference, and the contrast that crossed its limit, dated anew.

The judge keeps a day of whitened values; the panes in ``panes`` reach further back. So what stands here may say an earlier onset
than the alarm did. Pure: events and panes in, facts out; `stream.commands.explain` reads and draws them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.contrasts import MISSING, missing_share
from stream.gathering import Gathered, Kept
from stream.judging.advice import short
from stream.judging.drift import Shift
from stream.judging.shifted import size_of
from stream.layout import BINS, Bins, Section
from stream.plan import Plan
from stream.reading.eventtime import milliseconds
from stream.redating import Course, dated_anew

BACK_MS = 14 * 86_400_000
"""So far before the alarm it is looked for where it began."""
NAMED = 3
"""Bins that are named."""

_NONE = np.zeros(0, np.int64)
PRESENCE = Bins("category", np.zeros(0), _NONE, _NONE, ("with a value", "without a value"))
"""What a change of the missing values is drawn in."""


@dataclass(frozen=True)
class Moved:
    """What happened to one field.

    Attributes:
        learned: values behind the reference. before: float64[36], its shares. now: int64[36], values from the onset to the end.
        top: the bins that tell the two apart best. size: direction and size in words, empty where they have none.
        course: of the contrast that alarmed; None for a gross change, and where nothing normal was learned of it.
    """

    field: str
    text: str
    bins: Bins
    learned: int
    before: NDArray[np.float64]
    now: NDArray[np.int64]
    since_ms: int
    until_ms: int
    top: list[int]
    size: str
    course: Course | None


def explain(
    event: dict[str, Any], panes: Iterable[Kept], section: Section, reference: dict[str, Any], plan: Plan
) -> list[Moved]:
    """Return what moved in a drift incident, each field by its clearest finding that was dated, the clearest field first.

    Args:
        event: its newest alert event. panes: coarse panes of its stream, from `BACK_MS` before its start on.
        section, reference: of its stream, in force.
    """
    gathered = Gathered.of(section, {**reference, "found": reference["shares"]})
    kept = sorted({pane.index: pane for pane in panes}.values(), key=lambda pane: pane.index)
    for pane in kept:
        gathered.add(0, pane)
    end = (kept[-1].index + 1) * plan.coarse_ms if kept else 0
    if event["endsAt"] is not None:
        end = min(end, moment_ms(event["endsAt"]))
    rows = {short(name): row for row, name in enumerate(section.names)}  # an event shortens names
    found: dict[str, Moved] = {}
    for item in sorted(event["evidence"]["findings"], key=_dated_and_clear):
        row = rows.get(item["subject"])
        if item["check"] != "drift" or row is None or item["subject"] in found:
            continue
        contrast = item["detail"].get("contrast", "")
        course = dated_anew(contrast, row, gathered, reference, plan, moment_ms(event["startsAt"]), end)
        bins, before = section.bins[row], gathered.shares[row]
        if contrast == MISSING:
            bins, before = PRESENCE, usually_there(course)
        if bins is None or not np.isfinite(before).all():
            continue
        begun, until = (moment_ms(item["since"]), end) if course is None else (course.onset[1], course.until)
        now = _values(kept, section.names[row], bins, begun // plan.coarse_ms, -(-until // plan.coarse_ms))
        learned = int(reference["values"][reference["fields"].index(section.names[row])])
        size = "" if course is None else _size(contrast, course.size, bins, before)
        top = [1] if bins is PRESENCE else _apart(now, before)
        found[item["subject"]] = Moved(
            section.names[row], item["text"], bins, learned, before, now, begun, until, top, size, course
        )
    return list(found.values())


def _dated_and_clear(item: dict[str, Any]) -> tuple[bool, float]:
    return "contrast" not in item["detail"], item["threshold"] - item["value"]


def moment_ms(rfc3339: str) -> int:
    """Return a moment of an event in ms."""
    return int(milliseconds([rfc3339], "rfc3339")[0])


def _size(contrast: str, size: float, bins: Bins, before: NDArray[np.float64]) -> str:
    family, _, name = contrast.partition(" ")
    return size_of(Shift(0, family, name or family, 0.0, 0.0, (0, 0, 0), size), bins, before).removeprefix(": ")


def usually_there(course: Course | None) -> NDArray[np.float64]:
    """Return float64[36], how many records usually have a value while a change lasted, and how many have none; nan if unknown."""
    shares = np.zeros(BINS)
    gone = np.nan if course is None else missing_share(float(np.nanmean(course.expected[course.change()])))
    shares[:2] = 1.0 - gone, gone
    return np.clip(shares, 0.0, 1.0)


def _values(kept: list[Kept], field: str, bins: Bins, first: int, last: int) -> NDArray[np.int64]:
    """Return int64[36], the values of a field by bin over some panes."""
    total = np.zeros(BINS, np.int64)
    for pane in kept:
        if first <= pane.index < last and field in pane.fields:
            row = pane.fields.index(field)
            if bins is PRESENCE:
                total[:2] += pane.presence[row]
            elif pane.ids[row] == bins.id:
                total += pane.bins[row]
    return total


def _apart(now: NDArray[np.int64], before: NDArray[np.float64]) -> list[int]:
    """Return the bins with the largest deviance 2 o |log(o/e)|, in the order of the bins."""
    expected = before * now.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(now > 0, 2 * now * np.abs(np.log(now / expected)), 2 * expected)
    return sorted(np.argsort(-deviance, kind="stable")[:NAMED].tolist()) if now.sum() else []


def when(ms: int) -> str:
    """Return an event time for people.

    >>> when(1_767_571_200_000)
    '2026-01-05 00:00Z'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")


def spell(moved: Moved) -> str:
    """Return the time over which the values of a change were counted."""
    if moved.course is None or moved.course.lasts:
        return f"since {when(moved.since_ms)}"
    return f"from {when(moved.since_ms)} to {when(moved.until_ms)}, when it ended"
