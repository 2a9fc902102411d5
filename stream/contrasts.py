"""Which contrasts the fields of a stream have, and their values in a pane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contrasts import ORDERED, contrast, ordered_weights, share_weights
from stream.layout import BINS, TOP, UNSEEN, Bins

SHARES = 8
"""Values of a category that have a contrast each."""

FAMILIES = (*ORDERED, "share", "other", "unseen")
"""Kinds of contrasts. Streams of one kind share what is known of their scale (`detectors.risk_control`)."""


class Contrasts:
    """The contrasts of F fields: K series of numbers.

    Attributes:
        rows: int64[K], the field of each. names: what each is called within its field: ``location``, or the number of a bin,
            since two bins may have one name for people.
        family: int64[K], index into `FAMILIES`.
    """

    def __init__(self, bins: Sequence[Bins | None], shares: NDArray[np.float64]) -> None:
        """Choose contrasts for fields with bins and a reference.

        Args:
            bins: one per field. shares: float64[F, 36], reference shares; a row with NaN has none.
        """
        known = [row for row, item in enumerate(bins) if item is not None and np.isfinite(shares[row]).all()]
        numbers = [row for row in known if _of(bins, row).kind == "number"]
        counted = [row for row in known if row not in set(numbers)]
        used = np.array([len(_of(bins, row).edges) + 1 for row in numbers], np.int64)
        groups = [_groups(_of(bins, row), shares[row]) for row in counted]
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]] = []
        rows, names, family = [], [], []
        for part, labels, weights in (
            (numbers, [[(name, name) for name in ORDERED]] * len(numbers), ordered_weights(shares[numbers], used)),
            (
                counted,
                [[item[:2] for item in own] for own in groups],
                share_weights(shares[counted], [[item[2] for item in own] for own in groups]),
            ),
        ):
            told = np.asarray(weights.any(axis=1))
            self._parts.append((np.array(part, np.int64), weights, told))
            for field, contrast_no in np.argwhere(told):
                kind, name = labels[field][contrast_no]
                rows.append(part[field])
                names.append(name)
                family.append(FAMILIES.index(kind))
        self.rows = np.array(rows, np.int64)
        self.names = tuple(names)
        self.family = np.array(family, np.int64)

    def series(self, fields: Sequence[str]) -> list[str]:
        """Return ``field/contrast`` of each series: under this name a reference keeps what is normal for it."""
        return [f"{fields[row]}/{name}" for row, name in zip(self.rows, self.names, strict=True)]

    def __len__(self) -> int:
        return len(self.rows)

    def values(self, counts: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return (x float64[K], n int64[K]) of one pane; nan where a field has no value.

        Args:
            counts: int[F, 36].
        """
        parts = [contrast(counts[rows], weights)[told] for rows, weights, told in self._parts]
        return np.concatenate(parts), counts.sum(axis=1)[self.rows]


def largest(bins: Bins, shares: NDArray[np.float64]) -> list[int]:
    """Return the bins of the values of a category that have a contrast each."""
    distinct = min(TOP, len(bins.known))
    return list(np.argsort(-shares[:distinct], kind="stable")[:SHARES].tolist())


def _of(bins: Sequence[Bins | None], row: int) -> Bins:
    item = bins[row]
    assert item is not None
    return item


def _groups(bins: Bins, shares: NDArray[np.float64]) -> list[tuple[str, str, list[int]]]:
    """Return (family, name, bins) of a field with counted values: its largest shares, all others, and what was never seen."""
    if bins.kind == "bool":
        groups = [("share", "true", [1])]
    else:
        single = largest(bins, shares)
        rest = [b for b in range(UNSEEN) if b not in single]
        groups = [("share", str(b), [b]) for b in single]
        groups += [("other", "other", rest), ("unseen", "unseen", list(range(UNSEEN, BINS)))]
    return groups + [("share", "", [])] * (SHARES + 2 - len(groups))
