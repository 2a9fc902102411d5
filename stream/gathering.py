"""Coarse panes put side by side: what a night learns from, as series of contrasts, and what each field looked like."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.budget import Series
from detectors.calendar import place
from detectors.histogram import distance
from stream.contrasts import Contrasts
from stream.layout import BINS, Section
from stream.learn import MIN_PANES, MIN_VALUES, basis

DAY_MS = 86_400_000

RENEWED_DAYS = 14
"""Days of a new normal after which a field is compared with the shares of before after all, by the distances that its panes have
from them now: a field of few values would be without the rule for ever."""


@dataclass(frozen=True)
class Kept:
    """A coarse pane as it was kept. fields: those with records; ids: of their bins; bins: int32[len(fields), 36]; presence:
    int32[len(fields), 2], records with and without a value.
    """

    stream: str
    index: int
    fields: list[str]
    ids: list[str | None]
    bins: NDArray[np.int32]
    presence: NDArray[np.int32]

    @staticmethod
    def of(header: dict[str, Any], body: dict[str, Any]) -> Kept:
        """Return what `stream.coarse.CoarsePane.frame` wrote."""
        counts = (body[name].astype(np.int32) for name in ("bins", "presence"))
        return Kept(header["stream"], header["index"], body["fields"], body["ids"], *counts)


@dataclass
class _Day:
    """Sums over one day: totals int64[F, 36], panes with values int64[F], farthest distance of one of them float64[F]."""

    totals: NDArray[np.int64]
    panes: NDArray[np.int64]
    farthest: NDArray[np.float64]


@dataclass
class Gathered:
    """One stream: the contrasts of its panes, by the shares that the last night found.

    Attributes:
        shares: float64[F, 36], NaN for a field that has none yet. since: int64[F], event time (ms) of the new normal that they
            are of; 0 where nobody spoke of one. x, n: contrasts and numbers of values by index of the pane.
    """

    section: Section
    shares: NDArray[np.float64]
    farthest: NDArray[np.float64]
    since: NDArray[np.int64]
    contrasts: Contrasts
    x: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    n: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    _days: dict[int, _Day] = field(default_factory=dict)

    @staticmethod
    def of(section: Section, old: dict[str, Any]) -> Gathered:
        """Start from the stream's part of the reference in force."""
        known = {pair: row for row, pair in enumerate(zip(old["fields"], old["bins"], strict=True))}
        rows = [known.get(pair, -1) for pair in zip(section.names, section.bin_ids, strict=True)]
        shares, farthest = np.full((len(rows), BINS), np.nan), np.full(len(rows), np.nan)
        since = np.zeros(len(rows), np.int64)
        for row, at in enumerate(rows):
            if at >= 0 and section.bins[row] is not None:
                shares[row], farthest[row] = old.get("found", old["shares"])[at], old["farthest"][at]
                since[row] = old["since"][at] if "since" in old else 0
        return Gathered(section, shares, farthest, since, Contrasts(section.bins, shares))

    @cached_property
    def _at(self) -> dict[tuple[str, str | None], int]:
        """Row of each field with the bins it has now."""
        return {pair: row for row, pair in enumerate(zip(self.section.names, self.section.bin_ids, strict=True))}

    @cached_property
    def _named(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.section.names)}

    @property
    def names(self) -> list[str]:
        return self.contrasts.series(self.section.names)

    def add(self, day: int, pane: Kept, wrong: Collection[str] = ()) -> None:
        """Take a pane. Bins of fields that have others now are passed over, and so are fields that are ``wrong``.

        Args:
            wrong: fields that must not teach; the stream's own name stands for all of them.
        """
        rows = np.array([self._at.get(pair, -1) for pair in zip(pane.fields, pane.ids, strict=True)], np.int64)
        bins, presence = (np.zeros((len(self.section.fields), size), np.int64) for size in (BINS, 2))
        bins[rows[rows >= 0]] = pane.bins[rows >= 0]
        rows = np.array([self._named.get(name, -1) for name in pane.fields], np.int64)
        presence[rows[rows >= 0]] = pane.presence[rows >= 0]
        if wrong:
            left_out = [pane.stream in wrong or name in wrong for name in self.section.names]
            bins[left_out] = presence[left_out] = 0
        x, n = self.contrasts.values(bins, presence)
        self.x[pane.index], self.n[pane.index] = x.astype(np.float32), n.astype(np.int32)
        usable = bins.any(axis=1)
        blank = _Day(np.zeros_like(bins), np.zeros(len(bins), np.int64), np.zeros(len(bins)))
        sums = self._days.setdefault(day, blank)
        sums.totals += bins
        sums.panes += usable
        apart = usable & np.isfinite(self.shares).all(axis=1)
        sums.farthest[apart] = np.maximum(sums.farthest[apart], distance(bins[apart], self.shares[apart]))

    def tree(self, days: set[int], restarts: Mapping[str, int]) -> dict[str, Any]:
        """Return the stream's part of the reference, without limits.

        ``found`` are the shares of the days that teach: the next night goes by them, because contrasts and limits must have been
        learned with the very shares they are used with. ``since`` is theirs too. As long as the shares are those of before a new
        normal, ``farthest`` is NaN: every pane is far from them, and that is no gross change.

        Args:
            restarts: since when fields have a new normal (event time, ms).
        """
        taught = [sums for day, sums in self._days.items() if day in days]
        totals = sum((sums.totals for sums in taught), np.zeros((len(self.shares), BINS), np.int64))
        panes = sum((sums.panes for sums in taught), np.zeros(len(self.shares), np.int64))
        enough = (panes >= MIN_PANES) & (totals.sum(axis=1) >= MIN_VALUES)
        long = np.sum([sums.panes > 0 for sums in taught], axis=0) >= RENEWED_DAYS
        farthest = np.stack([sums.farthest for sums in taught] or [np.zeros(len(self.shares))]).max(axis=0)
        renewed = np.array([restarts.get(name, 0) for name in self.section.names], np.int64)
        farthest = np.where(farthest > 0, farthest, self.farthest)
        return {
            "fields": list(self.section.names),
            "bins": list(self.section.bin_ids),
            "values": totals.sum(axis=1),
            "shares": self.shares,
            "found": np.where(enough[:, None], basis(totals), self.shares),
            "since": np.where(enough | long, renewed, self.since),
            "farthest": np.where(self.since < renewed, np.nan, farthest),
            "restarts": dict(restarts),
        }


@dataclass(frozen=True)
class Grid:
    """All contrasts of all streams over whole local days up to yesterday; a pane that was not kept has no value.

    Attributes:
        series: K columns. first: index of its first coarse pane. names, streams: of the columns. family: int64[K].
    """

    series: Series
    first: int
    names: list[str]
    streams: NDArray[np.str_]
    family: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Return int64[T], start of each pane in ms."""
        return (self.first + np.arange(len(self.series.days))) * self.series.pane_ms

    def columns(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """Yield each stream with its columns."""
        for name in dict.fromkeys(self.streams.tolist()):
            yield name, np.flatnonzero(self.streams == name)


def side_by_side(
    gathered: dict[str, Gathered], length_ms: int, zone: str, holidays: frozenset[date], today: int
) -> Grid | None:
    """Return the grid, None as long as there is no whole day. The first day counts once half of it was seen."""
    names = {stream: item.names for stream, item in gathered.items() if item.names}
    seen = sorted({index for stream in names for index in gathered[stream].x})
    if not seen:
        return None
    margin = 2 * DAY_MS // length_ms
    indexes = np.arange(seen[0] - margin, seen[-1] + margin)
    half_hours, back = np.unique(indexes * length_ms // 1_800_000, return_inverse=True)
    places = np.array([place(int(half) * 1_800_000, zone, holidays) for half in half_hours])[back]
    begin = int(places[margin, 0])
    begin += (places[margin:, 0] == begin).sum() < (places[:, 0] == begin).sum() / 2
    inside = (places[:, 0] >= begin) & (places[:, 0] < today)
    if not inside.any():
        return None
    indexes, places = indexes[inside], places[inside]
    k = sum(map(len, names.values()))
    x, n = np.full((len(indexes), k), np.nan, np.float32), np.zeros((len(indexes), k), np.int32)
    column = 0
    for stream, own in names.items():
        span = slice(column, column + len(own))
        column += len(own)
        for index, values in gathered[stream].x.items():
            if indexes[0] <= index <= indexes[-1]:
                x[index - indexes[0], span], n[index - indexes[0], span] = values, gathered[stream].n[index]
    series = Series(x, n, length_ms, *places.T)
    return Grid(
        series,
        int(indexes[0]),
        [name for own in names.values() for name in own],
        np.array([stream for stream, own in names.items() for _ in own], np.str_),
        np.concatenate([gathered[stream].contrasts.family for stream in names]),
    )
