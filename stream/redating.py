"""A contrast over weeks: when its change began, and when it ended.

A statistic stays above its limit for days after a change is over, and an incident is open for longer still. What is counted up to
the end of the incident waters a short drift down to nothing, so the end of the change is looked for like its begin.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.calendar import place
from detectors.glr import WITHIN, onset
from stream.contrasts import Contrasts
from stream.gathering import Gathered
from stream.judging.drift import normal_of
from stream.plan import Plan

ROOM = 24
"""Fewest coarse panes that a drawing of a change leaves room for."""


@dataclass(frozen=True)
class Course:
    """A contrast over time. times: int64[T], start of each coarse pane (ms). values, expected:
    float64[T], nan where there are none.

    onset: (earliest, likeliest, latest) in ms. until: end of the change in ms. lasts: it had not ended with the newest pane.
    size: how far it was from what is expected in between, in its own unit.
    """

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    expected: NDArray[np.float64]
    onset: tuple[int, int, int]
    until: int
    lasts: bool
    size: float

    def change(self) -> slice:
        """Return the panes from the likeliest onset to the end."""
        return slice(*(int(np.searchsorted(self.times, at)) for at in (self.onset[1], self.until)))

    def shown(self) -> slice:
        """Return what to draw: the change, twice its length before it and half of it behind, or a few hours look like a line."""
        begin, end = (int(np.searchsorted(self.times, at)) for at in (self.onset[0], self.until))
        length = max(end - begin, ROOM)
        return slice(max(begin - 2 * length, 0), end + length // 2)


def dated_anew(
    contrast: str, row: int, gathered: Gathered, reference: dict[str, Any], plan: Plan, opened: int, end: int
) -> Course | None:
    """Return the contrast over time; None where nothing normal was learned of it, or there are no panes.

    Args:
        contrast: as the evidence names it (``location``, ``share 3``). opened, end: of the incident, in ms.
    """
    name = contrast.rpartition(" ")[2]
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
    last, lasts = _end(z, int(np.searchsorted(times, opened, "right")))
    if not np.isfinite(z[:last]).any():
        return None
    early, likely, late = onset(z[:last], 1.0)
    expected = one.mean[places[:, 1], places[:, 2], 0]
    size = float(np.nanmean((x - expected)[likely:last]))
    began = (int(times[early]), int(times[likely]), int(times[late]))
    return Course(name, times, x, expected, began, int(times[last - 1]) + plan.coarse_ms, lasts, size)


def _end(z: NDArray[np.float64], opened: int) -> tuple[int, bool]:
    """Return how many panes there are up to the end of a change, and whether it lasts.

    Of all stretches that end after the incident began, that which stands out most: the likelihood ratio of `detectors.glr`, with
    a free end as well. It lasts when the values do not rule out that it goes on.
    """
    total = np.concatenate([[0.0], np.nancumsum(z)])
    known = np.concatenate([[0], np.cumsum(np.isfinite(z))])
    ends = np.arange(min(max(opened, 1), len(z)), len(z) + 1)
    best = np.array([((total[end] - total[:end]) ** 2 / np.maximum(known[end] - known[:end], 1)).max() for end in ends])
    lasts = bool(best[-1] >= best.max() - WITHIN)
    return (len(z) if lasts else int(ends[best.argmax()])), lasts


def _index(contrasts: Contrasts, row: int, name: str) -> int | None:
    pairs = zip(contrasts.rows.tolist(), contrasts.names, strict=True)
    return next((k for k, pair in enumerate(pairs) if pair == (row, name)), None)
