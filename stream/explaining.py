"""Why an incident is one: the values since it began against the reference, and the contrast that crossed its limit, dated anew.

The judge keeps a day of whitened values; the panes in ``panes`` reach further back. So what stands here may say an earlier onset
than the alarm did. Pure: events and panes in, facts out; `stream.commands.explain` reads and draws them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.calendar import place
from detectors.glr import onset
from stream.contrasts import Contrasts
from stream.gathering import Gathered, Kept
from stream.judging.drift import normal_of
from stream.layout import Bins, Section
from stream.plan import Plan
from stream.reading.eventtime import milliseconds

BACK_MS = 14 * 86_400_000
"""So far before the alarm it is looked for where it began."""
NAMED = 3
"""Bins that are named."""


@dataclass(frozen=True)
class Course:
    """A contrast over time. times: int64[T], start of each coarse pane (ms). values, expected:
    float64[T], nan where there are none.

    onset: (earliest, likeliest, latest) in ms. size: how far it is from what is expected since then, in its own unit.
    """

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    onset: tuple[int, int, int]
    size: float


@dataclass(frozen=True)
class Moved:
    """What happened to one field.

    Attributes:
        before: float64[36], reference shares. now: int64[36], values since the onset. top: the bins that tell the two apart best.
        course: of the contrast that alarmed; None for a gross change, and where nothing normal was learned of it.
    """

    field: str
    text: str
    bins: Bins
    before: NDArray[np.float64]
    now: NDArray[np.int64]
    since_ms: int
    top: list[int]
    course: Course | None


def explain(
    event: dict[str, Any], panes: Iterable[Kept], section: Section, reference: dict[str, Any], plan: Plan
) -> list[Moved]:
    """Return what moved in a drift incident, each field by its clearest finding, the clearest field first.

    Args:
        event: its newest alert event. panes: coarse panes of its stream, from `BACK_MS` before the alarm on.
        section, reference: of its stream, in force.
    """
    gathered = Gathered.of(section, {**reference, "found": reference["shares"]})
    kept = sorted({pane.index: pane for pane in panes}.values(), key=lambda pane: pane.index)
    for pane in kept:
        gathered.add(0, pane)
    end = (kept[-1].index + 1) * plan.coarse_ms if kept else 0
    if event["endsAt"] is not None:
        end = min(end, int(milliseconds([event["endsAt"]], "rfc3339")[0]))
    found: dict[str, Moved] = {}
    for item in sorted(event["evidence"]["findings"], key=lambda item: item["threshold"] - item["value"]):
        if item["check"] != "drift" or item["subject"] not in section.names or item["subject"] in found:
            continue
        row = section.names.index(item["subject"])
        bins = section.bins[row]
        if bins is None or not np.isfinite(gathered.shares[row]).all():
            continue
        course = _course(item["detail"].get("contrast"), row, gathered, reference, plan, end)
        begun = int(milliseconds([item["since"]], "rfc3339")[0]) if course is None else course.onset[1]
        now = _values(kept, section.names[row], bins.id, begun // plan.coarse_ms, -(-end // plan.coarse_ms))
        top = _apart(now, gathered.shares[row])
        found[item["subject"]] = Moved(
            item["subject"], item["text"], bins, gathered.shares[row], now, begun, top, course
        )
    return list(found.values())


def _course(
    contrast: str | None, row: int, gathered: Gathered, reference: dict[str, Any], plan: Plan, end: int
) -> Course | None:
    """Return the contrast over time, as the evidence names it (``location``, ``share 3``)."""
    name = contrast.rpartition(" ")[2] if contrast else ""
    series = _index(gathered.contrasts, row, name)
    baseline, _, _ = normal_of(reference.get("normal"), gathered.names)
    indexes = [index for index in sorted(gathered.x) if index * plan.coarse_ms < end]
    if series is None or baseline is None or not indexes:
        return None
    holidays = frozenset(date.fromisoformat(day) for day in plan.holidays)
    times = np.array(indexes, np.int64) * plan.coarse_ms
    places = np.array([place(int(time), plan.timezone, holidays) for time in times])
    x = np.array([gathered.x[index][series] for index in indexes])
    n = np.array([gathered.n[index][series] for index in indexes])
    one = baseline.take(np.array([series]))
    z = one.whiten(x[:, None], n[:, None], places[:, 1], places[:, 2])[:, 0]
    if not np.isfinite(z).any():
        return None
    early, likely, late = onset(z, 1.0)
    expected = one.mean[places[:, 1], places[:, 2], 0]
    size = float(np.nanmean((x - expected)[likely:]))
    return Course(name, times, x, expected, (int(times[early]), int(times[likely]), int(times[late])), size)


def _index(contrasts: Contrasts, row: int, name: str) -> int | None:
    pairs = zip(contrasts.rows.tolist(), contrasts.names, strict=True)
    return next((k for k, pair in enumerate(pairs) if pair == (row, name)), None)


def _values(kept: list[Kept], field: str, bins: str, first: int, last: int) -> NDArray[np.int64]:
    """Return int64[36], the values of a field by bin over some panes."""
    rows = [
        pane.bins[pane.fields.index(field)]
        for pane in kept
        if first <= pane.index < last and field in pane.fields and pane.ids[pane.fields.index(field)] == bins
    ]
    return np.sum(rows, axis=0, dtype=np.int64) if rows else np.zeros(36, np.int64)


def _apart(now: NDArray[np.int64], before: NDArray[np.float64]) -> list[int]:
    """Return the bins with the largest deviance 2 o |log(o/e)|, in the order of the bins."""
    expected = before * now.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(now > 0, 2 * now * np.abs(np.log(now / expected)), 2 * expected)
    return sorted(np.argsort(-deviance, kind="stable")[:NAMED].tolist()) if now.sum() else []
