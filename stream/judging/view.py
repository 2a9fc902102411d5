"""What the rules on fields look at, and which rule looks at what: one line per rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from detectors import Constant, Detector, Missing, OutOfRange, Removed, Retyped, Stale, Stuck
from stream.counts import ABSENT, NO_NUMBER, NONFINITE, NULL, NUMBER, VARIED, FieldCounts
from stream.layout import BINS

MAX_LUCK = 1e-4
"""Probability that a healthy pane equals the one before, from which on equal panes are no sign of anything."""

UNUSABLE = (ABSENT, NULL, NONFINITE)
"""JSON types that are no usable value: a model cannot work with an infinite number either."""

WEIGHTS = np.sqrt(np.arange(2.0, 2.0 + BINS))
"""Of the counts in `View.summary`: different counts give different sums, except for rounding."""

Inputs = tuple[NDArray[np.float64], NDArray[np.int64]]
"""(x[F], n[F]) of a detector."""


@dataclass(frozen=True)
class View:
    """Counts of F fields in one pane, or in several thin ones together; what several rules look at is counted once.

    Attributes:
        counts: by field. expected: int64[F], JSON type a field should have (-1: not known yet).
        bins: int64[F, 36], values by bin; rows of fields with fewer than 30 values are kept back and are 0 here.
    """

    counts: FieldCounts
    expected: NDArray[np.int64]
    bins: NDArray[np.int64]

    @cached_property
    def records(self) -> NDArray[np.int64]:
        return np.asarray(self.counts.types.sum(axis=1))

    def of(self, kind: int) -> NDArray[np.int64]:
        """Return the number of values of a JSON type."""
        return self.counts.types[:, kind]

    @cached_property
    def present(self) -> NDArray[np.int64]:
        return self.records - self.of(ABSENT) - self.of(NULL)

    @cached_property
    def missing(self) -> NDArray[np.int64]:
        return missing(self.counts)

    @cached_property
    def binned(self) -> NDArray[np.int64]:
        return np.asarray(self.bins.sum(axis=1))

    @property
    def retyped(self) -> NDArray[np.int64]:
        """Values of another type than the expected one; a NaN is a number, an unknown expectation is met by all."""
        rows = np.arange(len(self.expected))
        right = self.counts.types[rows, np.maximum(self.expected, 0)]
        right = right + np.where(self.expected == NUMBER, self.of(NONFINITE), 0)
        return np.where(self.expected < 0, 0, self.present - right)

    def summary(self) -> NDArray[np.float64]:
        """Return one number per field that repeats exactly only if types and bins do; NaN where that would prove nothing.

        Two Poisson counts of mean c are equal with probability 1/sqrt(4 pi c), about; given their sum, so are all bins of
        two healthy panes with the product of these times sqrt(4 pi n). Few or crowded bins repeat by chance.
        """
        bins = self.bins.astype(np.float64)
        luck = np.exp((np.log1p(4 * np.pi * self.binned) - np.log1p(4 * np.pi * bins).sum(axis=1)) / 2)
        types = self.counts.types @ WEIGHTS[: self.counts.types.shape[1]]
        return np.where(luck < MAX_LUCK, bins @ WEIGHTS + types, np.nan)


def missing(counts: FieldCounts) -> NDArray[np.int64]:
    """Return int64[F], records in which a field has no usable value."""
    return np.asarray(counts.types[:, UNUSABLE].sum(axis=1))


def share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> Inputs:
    """Return (part / whole, whole); NaN where there is nothing."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return part / whole, whole


def _constant(view: View) -> Inputs:
    """A pane without a number is not constant, nor does it count: its n is 0."""
    only = view.counts.only
    return ((only != NO_NUMBER) & (only != VARIED)).astype(np.float64), view.of(NUMBER)


FIELD_RULES: tuple[tuple[str, str, Callable[[int], Detector], Callable[[View], Inputs]], ...] = (
    ("missing", "missing", Missing, lambda view: share(view.missing, view.records)),
    ("removed", "schema", Removed, lambda view: share(view.of(ABSENT), view.records)),
    ("retyped", "schema", Retyped, lambda view: share(view.retyped, view.present)),
    ("outside", "ranges", OutOfRange, lambda view: share(view.counts.outside, view.of(NUMBER))),
    ("constant", "ranges", Constant, _constant),
    ("stuck", "ranges", Stuck, lambda view: (view.summary(), view.of(NUMBER))),
    ("stale", "freshness", Stale, lambda view: share(view.counts.stale, view.present)),
)
"""(name, check, detector, inputs). Every one is deterministic and stands outside the false-alarm budget."""

SILENT_REASONS = frozenset({"never_present"})
"""Named reasons that are no alarm: a field that was empty from the first record on."""
