"""Sketch: what taps ship while a section is being learned, so that the learner can choose kinds, edges and categories.

Per field it holds three small tables, each of which gives the same result however the records were grouped:

* numbers: value -> count. Fractions keep 10 bits of mantissa; whole numbers start exact (the codes 10001 and 10002 must not
  become one), and while a field has more than 4096 distinct keys one more bit is dropped. The precision is the finest at
  which *all* values seen fit, which is a property of the set of values and not of the order of merging.
* strings: keyed hash -> count of the 1024 smallest hashes: a hash that is kept was kept in every part, so its count is
  exact, and the density of the kept hashes estimates the number of distinct values. The value itself travels only where
  the field says ``show``.
* bools: counts.

A KLL or t-digest was rejected: both depend on the grouping of the records, and their noise exceeds what the edges need.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.plan import Field

MAX_NUMBERS = 4096
MAX_STRINGS = 1024
FRACTION_BITS = 10
_EXACT_BITS = 52
_POSITIVE = np.int64(0x7FFF_FFFF_FFFF_FFFF)

Ints = NDArray[np.int64]


class Sketch:
    """One sketch of F fields of one stream. ``names`` are the fields it was made for, in order.

    >>> sketch = Sketch.empty((Field("amount", "amount"),))
    >>> sketch.add_numbers(0, np.array([3.0, -1.5, 3.0]))
    >>> [array.tolist() for array in sketch.numbers(0)], sketch.integers(0)
    ([[-1.5, 3.0], [1, 2]], False)
    """

    def __init__(self, names: tuple[str, ...], show: tuple[bool, ...]) -> None:
        self.names = names
        self.show = show
        self._numbers = [_Numbers() for _ in names]
        self._strings = [_Strings() for _ in names]
        self._bools = np.zeros((len(names), 2), np.int64)

    @staticmethod
    def empty(fields: Iterable[Field]) -> Sketch:
        chosen = tuple(fields)
        return Sketch(tuple(field.name for field in chosen), tuple(field.show for field in chosen))

    @property
    def size(self) -> int:
        """Return the number of table rows held, which is what a sketch costs in an entry; less after `compact`."""
        return sum(
            numbers.rows + len(strings.counts) for numbers, strings in zip(self._numbers, self._strings, strict=True)
        )

    def compact(self) -> None:
        """Add equal numbers up now; otherwise it is done now and then, and when the sketch is read."""
        for numbers in self._numbers:
            numbers.compact()

    def add_numbers(self, i: int, values: NDArray[np.float64]) -> None:
        """Count finite numbers of field ``i``."""
        self._numbers[i].add(values)

    def add_strings(self, i: int, counts: Mapping[int, int], texts: Mapping[int, str]) -> None:
        """Count strings of field ``i`` by keyed hash; ``texts`` are their values, used only where the field says ``show``."""
        self._strings[i].add(counts, texts if self.show[i] else {}, sum(counts.values()))

    def add_bools(self, i: int, false: int, true: int) -> None:
        self._bools[i] += (false, true)

    def merge(self, other: Sketch) -> None:
        """Add another sketch by field name; fields that this one does not have are left out."""
        mine = {name: i for i, name in enumerate(self.names)}
        for j, name in enumerate(other.names):
            i = mine.get(name)
            if i is None:
                continue
            self._numbers[i].merge(other._numbers[j])
            theirs = other._strings[j]
            self._strings[i].add(theirs.counts, theirs.texts if self.show[i] else {}, theirs.n, theirs.saturated)
            self._bools[i] += other._bools[j]

    def numbers(self, i: int) -> tuple[NDArray[np.float64], Ints]:
        """Return (values ascending, counts): float64[], int64[]. Values are rounded towards zero."""
        return self._numbers[i].table()

    def strings(self, i: int) -> tuple[Ints, Ints, bool]:
        """Return (hashes ascending, counts, saturated). Saturated: there are more than these 1024."""
        return *self._strings[i].table(), self._strings[i].saturated

    def shown(self, i: int) -> dict[int, str]:
        """Return the value of each kept hash; empty unless the field says ``show``."""
        return dict(self._strings[i].texts)

    def bools(self, i: int) -> tuple[int, int]:
        """Return (false, true)."""
        return int(self._bools[i, 0]), int(self._bools[i, 1])

    def integers(self, i: int) -> bool:
        """Return whether every number seen was whole (3.0 is whole)."""
        return self._numbers[i].whole

    def n(self, i: int) -> tuple[int, int, int]:
        """Return how many (numbers, strings, bools) field ``i`` had, dropped table rows included."""
        return (
            int(self._numbers[i].table()[1].sum()),
            self._strings[i].n,
            sum(self.bools(i)),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "show": list(self.show),
            "numbers": [numbers.to_dict() for numbers in self._numbers],
            "strings": [strings.to_dict() for strings in self._strings],
            "bools": self._bools,
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Sketch:
        sketch = Sketch(tuple(tree["names"]), tuple(tree["show"]))
        sketch._numbers = [_Numbers.from_dict(item) for item in tree["numbers"]]
        sketch._strings = [_Strings.from_dict(item) for item in tree["strings"]]
        sketch._bools = tree["bools"].copy()
        return sketch


class _Numbers:
    """Counts by number. Keys are the bits of the float, mapped so that keys order like numbers, cut to ``bits`` of mantissa."""

    def __init__(self) -> None:
        self.whole = True
        self.bits = _EXACT_BITS
        self._keys = [np.zeros(0, np.int64)]
        self._counts = [np.zeros(0, np.int64)]
        self.rows = 0

    def add(self, values: NDArray[np.float64]) -> None:
        whole = self.whole and bool((values == np.rint(values)).all())
        self._append(_ordered(values), np.ones(len(values), np.int64), whole, self.bits)

    def merge(self, other: _Numbers) -> None:
        other.compact()
        self._append(other._keys[0], other._counts[0], self.whole and other.whole, other.bits)

    def table(self) -> tuple[NDArray[np.float64], Ints]:
        self.compact()
        fill = (1 << (_EXACT_BITS - self.bits)) - 1
        keys = self._keys[0]
        return _numbers(np.where(keys < 0, keys | fill, keys)), self._counts[0].copy()

    def to_dict(self) -> dict[str, Any]:
        self.compact()
        keys = self._keys[0] >> (_EXACT_BITS - self.bits)
        return {
            "bits": self.bits,
            "whole": self.whole,
            "keys": keys,
            "counts": self._counts[0],
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> _Numbers:
        numbers = _Numbers()
        numbers._append(
            tree["keys"] << (_EXACT_BITS - tree["bits"]),
            tree["counts"],
            tree["whole"],
            tree["bits"],
        )
        return numbers

    def _append(self, keys: Ints, counts: Ints, whole: bool, bits: int) -> None:
        self.whole = whole
        self.bits = min(self.bits, bits, _EXACT_BITS if whole else FRACTION_BITS)
        self._keys.append(keys)
        self._counts.append(counts)
        self.rows += len(keys)
        if self.rows > 2 * MAX_NUMBERS:  # sorting at every call would cost more than all the rest of a tap
            self.compact()

    def compact(self) -> None:
        keys, counts = np.concatenate(self._keys), np.concatenate(self._counts)
        while True:
            keys, counts = _add_up(keys & -(1 << (_EXACT_BITS - self.bits)), counts)
            if len(keys) <= MAX_NUMBERS or self.bits == 0:
                break
            self.bits -= 1
        self._keys, self._counts, self.rows = [keys], [counts], len(keys)


class _Strings:
    """Counts by keyed hash of the strings with the smallest hashes."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.texts: dict[int, str] = {}
        self.n = 0
        self.saturated = False

    def add(
        self,
        counts: Mapping[int, int],
        texts: Mapping[int, str],
        n: int,
        saturated: bool = False,
    ) -> None:
        self.n += n
        self.saturated |= saturated
        self.texts.update(texts)
        for key, count in counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        if len(self.counts) > MAX_STRINGS:
            self.saturated = True
            for key in sorted(self.counts)[MAX_STRINGS:]:
                del self.counts[key]
                self.texts.pop(key, None)

    def table(self) -> tuple[Ints, Ints]:
        hashes = sorted(self.counts)
        return np.array(hashes, np.int64), np.array([self.counts[key] for key in hashes], np.int64)

    def to_dict(self) -> dict[str, Any]:
        hashes, counts = self.table()
        return {
            "hashes": hashes,
            "counts": counts,
            "texts": [[key, text] for key, text in sorted(self.texts.items())],
            "n": self.n,
            "saturated": self.saturated,
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> _Strings:
        strings = _Strings()
        counts = dict(zip(tree["hashes"].tolist(), tree["counts"].tolist(), strict=True))
        strings.add(
            counts,
            dict(tree["texts"]),
            tree["n"],
            tree["saturated"],
        )
        return strings


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
