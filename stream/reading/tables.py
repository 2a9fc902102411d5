"""Tables of a sketch: counts by rounded number and counts by keyed hash.

Both are bounded, and what they hold is a property of the values seen, not of the order in which parts were merged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_NUMBERS = 4096
MAX_STRINGS = 1024
MAX_CODES = 24
FRACTION_BITS = 10
EXACT = 2 << FRACTION_BITS
"""Whole numbers up to this one are not changed by rounding: they have no more bits than are kept."""
_ALL_BITS = 52
_POSITIVE = np.int64(0x7FFF_FFFF_FFFF_FFFF)

Ints = NDArray[np.int64]


class Numbers:
    """Counts by number. Keys are the bits of the float, mapped so that keys order like numbers, cut to ``bits`` of mantissa."""

    def __init__(self) -> None:
        self.bits = FRACTION_BITS
        self._keys = [np.zeros(0, np.int64)]
        self._counts = [np.zeros(0, np.int64)]
        self.rows = 0

    def add(self, values: NDArray[np.float64]) -> None:
        self._append(_ordered(values), np.ones(len(values), np.int64), self.bits)

    def merge(self, other: Numbers) -> None:
        other.compact()
        self._append(other._keys[0], other._counts[0], other.bits)

    def table(self) -> tuple[NDArray[np.float64], Ints]:
        self.compact()
        fill = (1 << (_ALL_BITS - self.bits)) - 1
        keys = self._keys[0]
        return _numbers(np.where(keys < 0, keys | fill, keys)), self._counts[0].copy()

    def to_dict(self) -> dict[str, Any]:
        self.compact()
        return {"bits": self.bits, "keys": self._keys[0] >> (_ALL_BITS - self.bits), "counts": self._counts[0]}

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Numbers:
        numbers = Numbers()
        numbers._append(tree["keys"] << (_ALL_BITS - tree["bits"]), tree["counts"], tree["bits"])
        return numbers

    def _append(self, keys: Ints, counts: Ints, bits: int) -> None:
        self.bits = min(self.bits, bits)
        self._keys.append(keys)
        self._counts.append(counts)
        self.rows += len(keys)
        if self.rows > 2 * MAX_NUMBERS:  # sorting at every call would cost more than all the rest of a tap
            self.compact()

    def compact(self) -> None:
        keys, counts = np.concatenate(self._keys), np.concatenate(self._counts)
        while True:
            keys, counts = _add_up(keys & -(1 << (_ALL_BITS - self.bits)), counts)
            if len(keys) <= MAX_NUMBERS or self.bits == 0:
                break
            self.bits -= 1
        self._keys, self._counts, self.rows = [keys], [counts], len(keys)


class Hashed:
    """Counts by keyed hash, each with a label: what may be said of the value.

    A ``sample`` keeps the 1024 smallest hashes and is saturated when there were more. Otherwise it is all or nothing: up
    to 24 values are kept, and when there were more (or one that is no code) it is closed and keeps none.
    """

    def __init__(self, sample: bool) -> None:
        self.counts: dict[int, int] = {}
        self.labels: dict[int, Any] = {}
        self.sample = sample
        self.saturated = False

    @property
    def closed(self) -> bool:
        return self.saturated and not self.sample

    def add(self, counts: Mapping[int, int], labels: Mapping[int, Any], saturated: bool = False) -> None:
        for key, count in counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        self.labels.update(labels)
        room = MAX_STRINGS if self.sample else MAX_CODES
        self.saturated |= saturated or len(self.counts) > room
        if self.saturated:
            for key in sorted(self.counts)[room if self.sample else 0 :]:
                del self.counts[key]
                self.labels.pop(key, None)

    def merge(self, other: Hashed) -> None:
        self.add(other.counts, other.labels, other.saturated)

    def saturate(self) -> None:
        self.add({}, {}, saturated=True)

    def table(self) -> tuple[Ints, Ints]:
        hashes = sorted(self.counts)
        return np.array(hashes, np.int64), np.array([self.counts[key] for key in hashes], np.int64)

    def to_dict(self) -> dict[str, Any]:
        hashes, counts = self.table()
        labels = [self.labels[key] for key in hashes.tolist()] if self.labels else []
        return {"hashes": hashes, "counts": counts, "labels": labels, "saturated": self.saturated}

    @staticmethod
    def from_dict(tree: dict[str, Any], sample: bool) -> Hashed:
        hashed = Hashed(sample)
        hashes, labels = tree["hashes"].tolist(), tree["labels"]
        counts = dict(zip(hashes, tree["counts"].tolist(), strict=True))
        hashed.add(counts, dict(zip(hashes, labels, strict=True)) if labels else {}, tree["saturated"])
        return hashed


def rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the numbers as they may leave the process: towards zero to 10 bits of mantissa.

    Whole numbers up to 2048 stay as they are: there is nothing to cut off.

    >>> rounded(np.array([57.0, -2048.0, 10001.0, 1234567.891, -0.1])).tolist()
    [57.0, -2048.0, 10000.0, 1233920.0, -0.0999755859375]
    """
    return (values.view(np.int64) & -(1 << (_ALL_BITS - FRACTION_BITS))).view(np.float64) + 0.0


def _ordered(values: NDArray[np.float64]) -> Ints:
    """Return integers that order like the numbers: the bits of the float, with those of negative numbers inverted."""
    bits = (values + 0.0).view(np.int64)  # adding 0.0 makes -0.0 and 0.0 one
    return bits ^ ((bits >> 63) & _POSITIVE)


def _numbers(keys: Ints) -> NDArray[np.float64]:
    return (keys ^ ((keys >> 63) & _POSITIVE)).view(np.float64)


def _add_up(keys: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Return the distinct keys, ascending, and the sum of the counts of each."""
    if len(keys) == 0:
        return keys, counts
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[first], np.add.reduceat(counts[order], first)
