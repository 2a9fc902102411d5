"""Recalibration: every night, from the coarse panes kept so far, what is normal and which limits keep the false-alarm budget.

Pure: panes in, a reference out. All streams of the file are learned together, since they share one budget. What
a series may do depends on its age:

=====================  =============================================================================================
age                    limits
=====================  =============================================================================================
first day              none: rules only (``learning``)
from the second day    the provisional rule (`detectors.provisional`), without a guarantee
4 clean weeks + one    risk control over up to 8 weeks, the newest left out (`detectors.budget`): ``calibrated``
=====================  =============================================================================================

The newest week never teaches (of the first weeks the newest third), or a change nobody saw would be normal before anybody could.
Left out beside it: what a person called an incident, what came before a new normal, days on which a quarter of all series stood
apart together, and outages that left few values of a field (`stream.left_out`). A series that is too young for the others is
learned alone until it can join them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.baseline import Baseline
from detectors.budget import Series, days_of, learn
from detectors.calendar import GROUPS, SLOTS, group, place
from detectors.provisional import nightly, prequential, taught, threshold
from detectors.risk_control import DAYS, head_start, weeks_needed
from stream.gathering import DAY_MS, Gathered, Grid, Kept, side_by_side
from stream.layout import Section
from stream.left_out import global_days, leave_outages_out

MOST_WEEKS, LEAST_WEEKS = 8, 4
REACH_DAYS = DAYS * (MOST_WEEKS + 1)
"""Days of panes that a recalibration reads: eight weeks, and the newest one, which does not teach."""

SETTINGS = ("day", "coarse_ms", "timezone", "holidays", "false_alarms")
"""Of a lesson, what the reference names: under others it is not the one that is wanted (`stream.judging.night`)."""

EPOCH = date(1970, 1, 1).toordinal()


class Night:
    """One recalibration: panes come in any order, then `reference` says what is normal.

    Args:
        lesson: ``day``, ordinal of the local day that begins; ``timezone``, ``holidays``, ``coarse_ms``, ``false_alarms``;
            ``weights`` (of their models), ``sections`` and ``reference`` by stream; ``excluded`` and ``restarts`` by stream:
            [[subject, from_ms, to_ms]] and {subject: from_ms}.
    """

    def __init__(self, lesson: dict[str, Any]) -> None:
        self.lesson = lesson
        self._holidays = frozenset(date.fromisoformat(day) for day in lesson["holidays"])
        self._days: dict[int, int] = {}
        self._streams = {
            name: Gathered.of(Section.from_dict(tree), lesson["reference"][name])
            for name, tree in lesson["sections"].items()
        }

    def add(self, pane: Kept) -> None:
        """Take a pane; one that comes twice counts once, and those older than `REACH_DAYS` do not count."""
        stream = self._streams.get(pane.stream)
        if stream is None or pane.index in stream.x:
            return
        day = self._days.get(pane.index)
        if day is None:
            start = pane.index * self.lesson["coarse_ms"]
            day = self._days[pane.index] = place(start, self.lesson["timezone"], self._holidays)[0]
        if self.lesson["day"] - REACH_DAYS <= day < self.lesson["day"]:
            stream.add(day, pane, self._wrong(pane))

    def _wrong(self, pane: Kept) -> set[str]:
        """Return the fields of which a pane must not teach (the stream's own name: all of them), since people have said so:
        during incidents, and before a new normal.
        """
        begin, end = pane.index * self.lesson["coarse_ms"], (pane.index + 1) * self.lesson["coarse_ms"]
        excluded = self.lesson["excluded"].get(pane.stream, ())
        restarts = self.lesson["restarts"].get(pane.stream, {})
        wrong = {subject for subject, from_ms, to_ms in excluded if end > from_ms and (to_ms is None or begin < to_ms)}
        return wrong | {subject for subject, from_ms in restarts.items() if begin < from_ms}

    def reference(self) -> dict[str, Any]:
        """Return the reference for the next day: ``budget``, what people are told, and a tree for each stream."""
        lesson, today = self.lesson, self.lesson["day"]
        told = {name: lesson[name] for name in SETTINGS} | {"status": "learning", "until": "", "left_out": []}
        grid = side_by_side(self._streams, lesson["coarse_ms"], lesson["timezone"], self._holidays, today)
        if grid is None:  # nothing was kept: the limits in force stay, and what they are
            known = [tree for tree in lesson["reference"].values() if "status" in tree]
            told |= {name: tree[name] for tree in known for name in ("status", "until")}
            return {**lesson["reference"], "budget": told}
        days = days_of(grid.series)
        apart = global_days(grid.series)
        for day in apart:
            grid.series.x[days[day]] = np.nan
        leave_outages_out(grid.series, grid.family)
        limits = Limits(grid, lesson["false_alarms"], lesson["weights"], group(date.fromordinal(today), self._holidays))
        told |= limits.told(today) | {"left_out": [_iso(grid.series.days[days[day][0]]) for day in apart]}
        teach = [day for number, day in enumerate(days[: taught(len(days))]) if number not in apart]
        teaching = {int(grid.series.days[day[0]]) for day in teach}
        normal = dict(limits.trees())
        state = {"status": told["status"], "until": told["until"]}
        trees = {
            name: stream.tree(teaching, lesson["restarts"].get(name, {})) | {"normal": normal.get(name)} | state
            for name, stream in self._streams.items()
        }
        return {"budget": told} | trees


class Limits:
    """What is normal for the K series of a grid, and from where on each alarms: inf for one that only learns.

    Attributes:
        weeks: that were calibrated on; 0 before. empty: those in reach that hold nothing. old: bool[K], series in the calibrated
            maximum. young: those with a provisional limit. group: of the day that will be judged.
    """

    def __init__(self, grid: Grid, budget: float, weights: Mapping[str, float], group: int) -> None:
        self.grid = grid
        self.group = group
        self.budget = budget
        self.weight = np.array([weights[name] for name in grid.streams.tolist()])
        series = grid.series
        k = series.x.shape[1]
        self.parts: dict[str, NDArray[Any]] = {
            "mean": np.zeros((GROUPS, SLOTS, k), np.float32),
            "between": np.ones(k),
            "sampling": np.zeros(k),
            "rhythm": np.ones((SLOTS, k), np.float32),
            "longrun": np.ones(k),
            "limit": np.full(k, np.inf),
            "scale": np.ones(k),
            "calibrated": np.zeros(k, np.bool_),
        }
        self.days = len(days_of(series))
        self.old, self.weeks = self._calibrated(series)
        self.young = self._provisional(series, np.flatnonzero(~self.old))

    def _calibrated(self, series: Series) -> tuple[NDArray[np.bool_], int]:
        """Calibrate the series that have values in enough weeks; return which, and over how many weeks."""
        none = np.zeros(series.x.shape[1], np.bool_)
        weeks = min(MOST_WEEKS, (self.days - DAYS) // DAYS)
        days = days_of(series)[-DAYS * (weeks + 1) : -DAYS]
        panes = [np.concatenate(days[i : i + DAYS]) for i in range(0, len(days), DAYS)]
        by_week = np.array([np.isfinite(series.x[week]).any(axis=0) for week in panes], np.bool_).reshape(-1, len(none))
        told = np.asarray(by_week.any(axis=1))  # a week without any values was not quiet: it says nothing
        old: NDArray[np.bool_] = by_week.sum(axis=0) >= LEAST_WEEKS
        self.empty = int((~told).sum())
        if told.sum() < _weeks_needed(self.budget) or not old.any():
            return none, 0
        columns = np.flatnonzero(old)
        # whole weeks fall out, so what the long-run variance blocks together by place is as close in time as before
        kept = np.concatenate([week for week, tells in zip(panes, told, strict=True) if tells])
        learned = learn(series.take(kept, columns), self.grid.family[columns])
        self._put(columns, learned.baseline, learned.limit(self.budget, self.weight[columns]), learned.normaliser.scale)
        self.parts["calibrated"] = old
        return old, int(told.sum())

    def _provisional(self, series: Series, columns: NDArray[np.int64]) -> int:
        """Set the limits of young series; return how many have one.

        Those that began on one day learn together, and the others apart from them: on days before its first one a series was
        not quiet, it was not there.
        """
        seen = np.isfinite(series.x[:, columns])
        first = np.where(seen.any(axis=0), series.days[seen.argmax(axis=0)], 0)
        return sum(self._of_one_age(series, columns[first == day], day) for day in np.unique(first[first > 0]).tolist())

    def _of_one_age(self, series: Series, columns: NDArray[np.int64], begin: int) -> int:
        """Set the limits of series whose first day was ``begin``; return how many have one."""
        part = _columns(series.take(np.flatnonzero(series.days >= begin)), columns)
        days = days_of(part)
        known = np.isfinite(part.x[np.concatenate(days[: taught(len(days))])]).any(axis=0)
        if not known.any():
            return 0
        part, columns = _columns(part, np.flatnonzero(known)), columns[known]
        ahead, family = head_start(self.weight[columns]), self.grid.family[columns]
        limit = threshold(prequential(part, family) + ahead, self.budget, DAYS * DAY_MS // part.pane_ms) - ahead
        self._put(columns, nightly(part, family, self.group), limit, np.ones(len(columns)))
        return len(columns)

    def _put(self, columns: NDArray[np.int64], base: Baseline, limit: NDArray[np.float64], scale: Any) -> None:
        for name in ("mean", "between", "sampling", "rhythm", "longrun"):
            self.parts[name][..., columns] = getattr(base, name)
        self.parts["limit"][columns], self.parts["scale"][columns] = limit, scale

    def told(self, today: int) -> dict[str, Any]:
        """Return what people are told: ``status``, the date until which it lasts, what it rests on."""
        left = max(DAYS * (_weeks_needed(self.budget) + 1 + self.empty) - self.days, 1)
        status = "calibrated" if self.weeks else "provisional" if self.young else "learning"
        return {
            "status": status,
            "until": "" if self.weeks else _iso(today + left),
            "days": self.days,
            "weeks": self.weeks,
            "series": int(self.old.sum()),
            "young": self.young,
        }

    def trees(self) -> Iterable[tuple[str, dict[str, Any]]]:
        """Yield each stream with the part of its reference that is about its series."""
        for stream, columns in self.grid.columns():
            names = [self.grid.names[column] for column in columns]
            parts = {name: np.ascontiguousarray(part[..., columns]) for name, part in self.parts.items()}
            yield stream, {"series": names} | parts


def _weeks_needed(budget: float) -> int:
    return max(LEAST_WEEKS, weeks_needed(budget))


def _columns(series: Series, columns: NDArray[np.int64]) -> Series:
    return Series(series.x[:, columns], series.n[:, columns], series.pane_ms, series.days, series.groups, series.slots)


def _iso(day: Any) -> str:
    return date.fromordinal(int(day)).isoformat()
