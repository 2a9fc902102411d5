"""Sketch: what taps ship while a section is being learned, so that the learner can choose kinds, edges and categories.

Per field it holds four small tables, each of which gives the same result however the records were grouped:

* numbers: value -> count. Values keep 10 bits of mantissa, so that none stands here as its record had it (P14), but for what
  needs no more bits: whole numbers up to 2048. While a field has more than 4096 distinct keys one more bit is dropped. The
  precision is the finest at which *all* values seen fit: a property of the set of values and not of the order of merging.
* codes: numbers again, by keyed hash, because the codes 10001 and 10002 must not become one. While a field has at most 24
  different numbers, all of them whole, all are here; after that none. Of a field declared a category the table is that of
  strings. Beside each hash stands its rounded number; the number itself only where the field says ``show``.
* strings: keyed hash -> count of the 1024 smallest hashes: a hash that is kept was kept in every part, so its count is
  exact, and the density of the kept hashes estimates the number of distinct values. The value itself travels only where
  the field says ``show``.
* bools: counts.

A KLL or t-digest was rejected: both depend on the grouping of the records, and their noise exceeds what the edges need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.plan import Field
from stream.reading.tables import MAX_CODES, Hashed, Numbers, rounded

Ints = NDArray[np.int64]


class Sketch:
    """One sketch of F fields of one stream.

    Attributes:
        names: the fields it was made for, in order. show: whether values of a field may be shown. declared: whether the
            field is a category by declaration, so that its numbers are counted as strings are.

    >>> sketch = Sketch.empty((Field("amount", "amount"),))
    >>> sketch.add_numbers(0, np.array([-1.5, 3.0, 3.0]), hash)
    >>> [array.tolist() for array in sketch.numbers(0)]
    [[-1.5, 3.0], [1, 2]]
    """

    def __init__(self, names: tuple[str, ...], show: tuple[bool, ...], declared: tuple[bool, ...]) -> None:
        self.names = names
        self.show = show
        self.declared = declared
        self._numbers = [Numbers() for _ in names]
        self._codes = [Hashed(sample) for sample in declared]
        self._strings = [Hashed(True) for _ in names]
        self._n_strings = np.zeros(len(names), np.int64)
        self._bools = np.zeros((len(names), 2), np.int64)

    @staticmethod
    def empty(fields: Iterable[Field]) -> Sketch:
        chosen = tuple(fields)
        return Sketch(
            tuple(field.name for field in chosen),
            tuple(field.show for field in chosen),
            tuple(field.kind == "category" for field in chosen),
        )

    @property
    def size(self) -> int:
        """Return the number of table rows held, which is what a sketch costs in an entry; less after `compact`.

        A code costs two: its hash and its label.
        """
        tables = zip(self._numbers, self._codes, self._strings, strict=True)
        return sum(numbers.rows + 2 * len(codes.counts) + len(strings.counts) for numbers, codes, strings in tables)

    def compact(self) -> None:
        """Add equal numbers up now; otherwise it is done now and then, and when the sketch is read."""
        for numbers in self._numbers:
            numbers.compact()

    def add_numbers(self, i: int, values: NDArray[np.float64], hashed: Callable[[float], int]) -> None:
        """Count finite numbers of field ``i``; ``hashed`` gives the keyed hash of one."""
        self._numbers[i].add(values)
        codes = self._codes[i]
        if codes.closed:
            return
        free = not self.declared[i]
        if free and (values != np.rint(values)).any():
            codes.saturate()  # most fields are no codes: find out before anything is counted or hashed
            return
        distinct, counts = np.unique(values, return_counts=True)
        if free and len(distinct) > MAX_CODES:
            codes.saturate()
            return
        hashes = [hashed(value) for value in distinct.tolist()]
        labels = distinct + 0.0 if self.show[i] else rounded(distinct)
        codes.add(dict(zip(hashes, counts.tolist(), strict=True)), dict(zip(hashes, labels.tolist(), strict=True)))

    def add_strings(self, i: int, counts: Mapping[int, int], texts: Mapping[int, str]) -> None:
        """Count strings of field ``i`` by keyed hash; ``texts`` are their values, used only where the field says ``show``."""
        self._strings[i].add(counts, texts if self.show[i] else {})
        self._n_strings[i] += sum(counts.values())

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
            self._codes[i].merge(other._codes[j])
            self._strings[i].merge(other._strings[j])
            self._n_strings[i] += other._n_strings[j]
            self._bools[i] += other._bools[j]

    def numbers(self, i: int) -> tuple[NDArray[np.float64], Ints]:
        """Return (values ascending, counts): float64[], int64[]. Values are rounded towards zero."""
        return self._numbers[i].table()

    def codes(self, i: int) -> tuple[Ints, Ints, NDArray[np.float64], bool]:
        """Return (hashes ascending, counts, their numbers, saturated). Saturated: the numbers are more than these, or no codes.

        The numbers are rounded as in `numbers`, unless the field says ``show``.
        """
        codes = self._codes[i]
        hashes, counts = codes.table()
        return hashes, counts, np.array([codes.labels[key] for key in hashes.tolist()], np.float64), codes.saturated

    def strings(self, i: int) -> tuple[Ints, Ints, bool]:
        """Return (hashes ascending, counts, saturated). Saturated: there are more than these 1024."""
        return *self._strings[i].table(), self._strings[i].saturated

    def shown(self, i: int) -> dict[int, str]:
        """Return the value of each kept hash of a string; empty unless the field says ``show``."""
        return dict(self._strings[i].labels)

    def bools(self, i: int) -> tuple[int, int]:
        """Return (false, true)."""
        return int(self._bools[i, 0]), int(self._bools[i, 1])

    def n(self, i: int) -> tuple[int, int, int]:
        """Return how many (numbers, strings, bools) field ``i`` had, dropped table rows included."""
        return (
            int(self._numbers[i].table()[1].sum()),
            int(self._n_strings[i]),
            sum(self.bools(i)),
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "show": list(self.show),
            "declared": list(self.declared),
            "numbers": [numbers.to_dict() for numbers in self._numbers],
            "codes": [codes.to_dict() for codes in self._codes],
            "strings": [strings.to_dict() for strings in self._strings],
            "n_strings": self._n_strings,
            "bools": self._bools,
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Sketch:
        sketch = Sketch(tuple(tree["names"]), tuple(tree["show"]), tuple(tree["declared"]))
        sketch._numbers = [Numbers.from_dict(item) for item in tree["numbers"]]
        pairs = zip(sketch.declared, tree["codes"], strict=True)
        sketch._codes = [Hashed.from_dict(item, sample) for sample, item in pairs]
        sketch._strings = [Hashed.from_dict(item, True) for item in tree["strings"]]
        sketch._n_strings = tree["n_strings"].copy()
        sketch._bools = tree["bools"].copy()
        return sketch
