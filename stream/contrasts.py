"""Which contrasts the fields of a stream have, and their values in a pane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.contrasts import ORDERED, contrast, ordered_weights, share_weights
from stream.layout import BINS, TOP, UNSEEN, Bins
from stream.learn import MIN_SHARE

SHARES = 8
"""Values of a category that have a contrast each."""

MISSING = "missing"
"""Name of the contrast on the share of missing values, and of its family."""

FAMILIES = (*ORDERED, "share", "other", "unseen", MISSING)
"""Kinds of contrasts. Streams of one kind share what is known of their scale (`detectors.risk_control`)."""


ABSENCE = share_weights(np.array([[1.0 - MIN_SHARE, MIN_SHARE]]), [[[1]]])
"""Weights of the contrast on (values, missing ones). Against a fixed share, not that of the reference: of a field that was always
there, or almost, one value in a thousand that is missing is the smallest that matters, whatever the reference says."""


class Contrasts:
    """The contrasts of F fields: K series of numbers. Each field has one on the share of missing values, the last F of them.

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
        fields = range(len(bins))
        self.rows = np.array([*rows, *fields], np.int64)
        self.names = (*names, *(MISSING for _ in fields))
        self.family = np.array([*family, *(FAMILIES.index(MISSING) for _ in fields)], np.int64)

    def series(self, fields: Sequence[str]) -> list[str]:
        """Return ``field/contrast`` of each series: under this name a reference keeps what is normal for it."""
        return [f"{fields[row]}/{name}" for row, name in zip(self.rows, self.names, strict=True)]

    def __len__(self) -> int:
        return len(self.rows)

    def of_field(self, row: int) -> dict[str, tuple[str, NDArray[np.float64]]]:
        """Return (family, weights) of each contrast of a field by name; those of `MISSING` are for (values, missing ones)."""
        found = {MISSING: (MISSING, ABSENCE[0, :, 0])}
        k = 0
        for rows, weights, told in self._parts:
            for field, number in np.argwhere(told):
                if rows[field] == row:
                    found[self.names[k]] = FAMILIES[self.family[k]], weights[field, :, number]
                k += 1
        return found

    def values(
        self, counts: NDArray[Any], presence: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return (x float64[K], n int64[K]) of one pane; nan where a field has no value.

        Args:
            counts: int[F, 36]. presence: int64[F, 2], records in which the field has a value, and in which it has none. Where
                none has one, that is a matter of the rules: a single outage in the reference would hide every smaller rise.
        """
        partly = np.where(presence[:, :1] > 0, presence, 0)
        parts = [contrast(counts[rows], weights)[told] for rows, weights, told in self._parts]
        x = np.concatenate([*parts, contrast(partly, ABSENCE)[:, 0]])
        of_bins = self.rows[: len(self) - len(partly)]
        return x, np.concatenate([counts.sum(axis=1)[of_bins], partly.sum(axis=1)])


def missing_contrast(share: float) -> float:
    """Return what `missing_share` takes for a share.

    >>> round(missing_share(missing_contrast(0.5)), 3)
    0.5
    """
    return float((share - MIN_SHARE) / np.sqrt(MIN_SHARE * (1.0 - MIN_SHARE)))


def missing_share(x: float) -> float:
    """Return the share of missing values at which their contrast is x.

    >>> round(missing_share(1.55), 3)
    0.05
    """
    return float(MIN_SHARE + x * np.sqrt(MIN_SHARE * (1.0 - MIN_SHARE)))


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
