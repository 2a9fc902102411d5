"""Carry of thin panes: fewer than 30 values of a field, or records of a stream, are handed on to the next panes, for 7 days."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.counts import FieldCounts, PaneCounts
from stream.layout import BINS
from stream.learn import MIN_N

MAX_MS = 7 * 86_400_000


class Thin:
    """What F fields hold back. Records and bin counts are held apart: a field may have records enough and few values.

    Attributes:
        counts: held records by field. bins: int64[F, 36], held values. since: int64[F], start of the first held pane (-1: none).
    """

    def __init__(self, fields: int) -> None:
        self.counts = FieldCounts.zero(fields)
        self.bins = np.zeros((fields, BINS), np.int64)
        self.since = np.full(fields, -1, np.int64)

    def add(self, pane: FieldCounts, binned: NDArray[np.bool_], start_ms: int) -> tuple[FieldCounts, NDArray[np.int64]]:
        """Add a pane; return the counts and the bins that are enough to test, with rows of 0 for the fields held back.

        Args:
            pane: its counts. binned: bool[F], whether the pane's bins may be added to those held. start_ms: its start.
        """
        counts = self._counts(pane, start_ms)
        total = self.bins + pane.bins
        if not binned.all():
            total[~binned] = 0
        few = total.sum(axis=1) < MIN_N
        self.bins = np.zeros_like(total)
        self.bins[few] = total[few]
        total[few] = 0
        return counts, total

    def _counts(self, pane: FieldCounts, start_ms: int) -> FieldCounts:
        """Add a pane; return the counts that are enough to test: the pane itself where nothing is or becomes held."""
        if not (self.since >= 0).any() and (pane.types.sum(axis=1) >= MIN_N).all():
            self.counts.records += pane.records  # as the long way does: the stored state stays the same
            return pane
        rows = np.arange(len(self.since))
        old = (self.since >= 0) & (start_ms - self.since > MAX_MS)
        held = self.counts.take(np.where(old, -1, rows))
        held.add(pane)
        since = np.where((self.since < 0) | old, start_ms, self.since)
        ready = held.types.sum(axis=1) >= MIN_N
        counts = held.take(np.where(ready, rows, -1))
        self.counts = held.take(np.where(ready, -1, rows))
        self.since = np.where(ready, -1, since)
        return counts

    def carry(self, rows: NDArray[np.int64], same_bins: NDArray[np.bool_]) -> Thin:
        """Return what is held for other fields in another order; row -1 is a new field."""
        moved = Thin(len(rows))
        moved.counts = self.counts.take(rows)
        moved.bins = np.where(same_bins[:, None], pick(self.bins, rows, 0), 0)
        moved.counts.bins[~same_bins] = 0
        moved.since = pick(self.since, rows, -1)
        return moved

    def state(self) -> dict[str, Any]:
        return {"counts": self.counts.to_dict(), "bins": self.bins, "since": self.since}

    def restore(self, tree: dict[str, Any]) -> None:
        self.counts, self.bins, self.since = FieldCounts.from_dict(tree["counts"]), tree["bins"], tree["since"]


class ThinStream:
    """What a stream holds back of its records, read or not: a share of 20 says little, but 20 a minute are no blind spot.

    Attributes:
        held: totals of the panes since ``since``, the start (ms) of the first of them; -1: none.
    """

    def __init__(self) -> None:
        self.held = PaneCounts()
        self.since = -1

    def add(self, pane: PaneCounts, start_ms: int) -> PaneCounts:
        """Add a pane; return the totals that are enough to test, of no record while they are held back."""
        if self.since >= 0 and start_ms - self.since > MAX_MS:
            self.held, self.since = PaneCounts(), -1
        self.held.add_totals(pane)
        if self.held.seen < MIN_N:
            self.since = start_ms if self.since < 0 else self.since
            return PaneCounts()
        whole, self.held, self.since = self.held, PaneCounts(), -1
        return whole

    def state(self) -> dict[str, Any]:
        return {"held": self.held.to_dict(), "since": self.since}

    def restore(self, tree: dict[str, Any]) -> None:
        self.held, self.since = PaneCounts.from_dict(tree["held"]), tree["since"]


def pick(array: NDArray[Any], rows: NDArray[np.int64], blank: float) -> NDArray[Any]:
    """Return rows of an array; row -1 is filled with ``blank``.

    >>> pick(np.array([1, 2]), np.array([1, -1]), 9).tolist()
    [2, 9]
    """
    blank_row = np.full((1, *array.shape[1:]), blank, array.dtype)
    return np.concatenate([array, blank_row])[rows]
