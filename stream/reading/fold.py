"""Fold: the values of some records of one cell (pane and group) become the counts of its fields.

numpy must not see a value whose type was not checked: ``np.array([1.0, "12", True], float)`` is three numbers without
an error. So the set of Python types in a column decides first: what is missing is taken out, and a column of one type
goes on whole; only a really mixed one is split value by value.

Numbers are sorted instead of binned one by one: the bins of all of them are then 35 look-ups of the edges in the sorted
column (and it is constant if its ends are equal), two to four times faster than one look-up per value, with the same result.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stream import counts as c
from stream.counts import FieldCounts
from stream.layout import BINS, UNSEEN, Bins, Section
from stream.plan import Field, StreamPlan
from stream.reading.columns import Column, Records
from stream.reading.eventtime import BAD, milliseconds
from stream.reading.records import ABSENT, Absent, printable
from stream.reading.sketch import Sketch

_CODES: dict[type, int] = {
    Absent: c.ABSENT,
    type(None): c.NULL,
    bool: c.BOOL,
    int: c.NUMBER,
    float: c.NUMBER,
    str: c.STRING,
}
"""Values of any other type are objects and arrays: nested."""

_NUMBERS = {int, float}
_MISSING = {type(None), Absent}


def category_hash(text: str, key: bytes) -> int:
    """Return the keyed 64-bit hash of a category value; the value cannot be told from it without the key."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8, key=key).digest()
    return int.from_bytes(digest, "little", signed=True)


def number_hash(value: float, key: bytes) -> int:
    """Return the keyed 64-bit hash of a number; 1, 1.0 and True are not told apart, nor 0.0 and -0.0."""
    raw = struct.pack("<d", value + 0.0)
    digest = hashlib.blake2b(raw, digest_size=8, key=key, person=b"number").digest()
    return int.from_bytes(digest, "little", signed=True)


class SectionFold:
    """Counts the fields of one section of a layout.

    Args:
        plan: the stream; its time unit is that of numeric ``as_of`` values.
        key: secret key of the hashes, at most 64 bytes.
    """

    def __init__(self, plan: StreamPlan, section: Section, key: bytes) -> None:
        self._fields = [
            _FieldFold(i, field, bins, key)
            for i, (field, bins) in enumerate(zip(section.fields, section.bins, strict=True))
        ]
        self._numeric = np.array([fold.numeric for fold in self._fields], bool)
        self._unit = "ms" if plan.time_unit == "rfc3339" else plan.time_unit

    def count(
        self,
        records: Records,
        times: NDArray[np.int64],
        known: NDArray[np.int64],
        partition: int,
        sketch: Sketch | None,
    ) -> FieldCounts:
        """Return the counts of some records.

        Args:
            records: in offset order. times: int64[n], their event times.
            known: int64[F], examples that are known already; no others are looked for there.
            sketch: takes the values too, while the section is being learned.
        """
        total = FieldCounts.zero(len(self._fields))
        total.records = len(records)
        for fold in self._fields:
            column = records.column(fold.field.source)
            bad = fold.count(column, records.all_floats(fold.field.source), total, sketch)
            stale = self._stale(fold.field, records, column, times)
            total.stale[fold.i] = len(stale)
            if (bad or stale) and known[fold.i] == c.NO_EXAMPLE:
                first = min([*stale[:1], *fold.first_bad(column, bad)])
                total.example[fold.i] = c.example(partition, records.offsets[first])
        cumulative = total.bins[self._numeric]
        cumulative[:, 1:] -= cumulative[:, :-1].copy()
        total.bins[self._numeric] = cumulative
        return total

    def _stale(self, field: Field, records: Records, column: Column, times: NDArray[np.int64]) -> list[int]:
        """Return which values are older than they may be; one without a usable ``as_of`` is not judged."""
        if field.as_of is None or field.max_age_ms is None:
            return []
        stated = records.column(field.as_of)
        as_of = np.maximum(milliseconds(stated, self._unit), milliseconds(stated, "rfc3339"))
        old = np.flatnonzero((as_of != BAD) & (times - np.maximum(as_of, -(1 << 60)) > field.max_age_ms))
        return [i for i in old.tolist() if _CODES.get(type(column[i])) in (c.BOOL, c.NUMBER, c.STRING)]


class _FieldFold:
    """Counts one field."""

    def __init__(self, i: int, field: Field, bins: Bins | None, key: bytes) -> None:
        self.i = i
        self.field = field
        self._bins = bins
        self._key = key
        kind = field.kind if bins is None else bins.kind
        self._expected = None if kind is None else c.EXPECTED.get(kind)
        self._identifies = field.kind == "id"
        self.numeric = bins is not None and bins.kind == "number"

    def count(self, column: Column, all_floats: bool, total: FieldCounts, sketch: Sketch | None) -> int:
        """Add a column; return how many of its values are missing, of a wrong type, non-finite or outside."""
        row = total.types[self.i]
        types = {float} if all_floats else set(map(type, column))  # a look at each type is a tenth of a tap's work
        present = column
        if type(None) in types:
            present = [value for value in column if value is not None]
            row[c.NULL] = len(column) - len(present)
        if Absent in types:
            given = len(present)
            present = [value for value in present if value is not ABSENT]
            row[c.ABSENT] = given - len(present)
        types -= _MISSING
        numbers = strings = present
        if types <= _NUMBERS:
            row[c.NUMBER] = len(present)
            strings = []
        elif types == {str}:
            row[c.STRING] = len(present)
            numbers = []
        else:
            for kind, n in Counter(map(type, present)).items():
                row[_CODES.get(kind, c.NESTED)] += n
            numbers = [value for value in present if type(value) in _NUMBERS]
            strings = [value for value in present if type(value) is str]
        if self._identifies:
            numbers = strings = []  # every value is new and none may leave the process: not even as a hash
        if numbers:
            self._count_numbers(numbers, total, sketch)
        if strings:
            self._count_strings(strings, total, sketch)
        if row[c.BOOL]:
            self._count_bools(column, total, sketch)
        wanted = row[[c.BOOL, c.NUMBER, c.STRING]].sum() if self._expected is None else row[self._expected]
        return int(len(column) - wanted + total.outside[self.i])

    def first_bad(self, column: Column, bad: int) -> list[int]:
        """Return the position of the first bad value as a list of one; an empty list when there is none."""
        return [next(i for i, value in enumerate(column) if self._is_bad(value))] if bad else []

    def _is_bad(self, value: Any) -> bool:
        code = _CODES.get(type(value), c.NESTED)
        if code == c.NUMBER:
            low, high = self.field.range or (-math.inf, math.inf)
            if not (math.isfinite(value) and low <= value <= high):
                return True
        return code not in (c.BOOL, c.NUMBER, c.STRING) or self._expected not in (None, code)

    def _count_numbers(self, numbers: Sequence[float], total: FieldCounts, sketch: Sketch | None) -> None:
        i = self.i
        values = np.sort(_floats(numbers))
        if not (values[0] > -math.inf and values[-1] < math.inf):
            values = values[np.isfinite(values)]
            total.types[i, c.NUMBER] = len(values)
            total.types[i, c.NONFINITE] = len(numbers) - len(values)
            if len(values) == 0:
                return
        n = len(values)
        total.only[i] = self._hashed(float(values[0])) if values[0] == values[-1] else c.VARIED
        if self.field.range is not None:
            low, high = self.field.range
            if values[0] < low or values[-1] > high:
                total.outside[i] = values.searchsorted(low, "left") + n - values.searchsorted(high, "right")
        if sketch is not None:
            sketch.add_numbers(i, values, self._hashed)
        if self._bins is None:
            return
        if self._bins.kind == "number":
            # Cumulative for now: SectionFold takes the differences of all fields at once.
            edges = self._bins.edges
            total.bins[i, : len(edges)] = values.searchsorted(edges, "left")
            total.bins[i, len(edges) :] = n
        elif self._bins.kind == "code":
            distinct, weights = np.unique(values, return_counts=True)
            hashes = [self._hashed(value) for value in distinct.tolist()]
            total.bins[i] += _by_table(self._bins, hashes, weights)

    def _hashed(self, value: float) -> int:
        return number_hash(value, self._key)

    def _count_strings(self, strings: Sequence[str], total: FieldCounts, sketch: Sketch | None) -> None:
        bins = self._bins if self._bins is not None and self._bins.kind == "category" else None
        if bins is None and sketch is None:
            return
        distinct = Counter(strings)
        hashes = [category_hash(text, self._key) for text in distinct]
        if sketch is not None:
            shown = {h: printable(text) for h, text in zip(hashes, distinct, strict=True)} if self.field.show else {}
            sketch.add_strings(self.i, dict(zip(hashes, distinct.values(), strict=True)), shown)
        if bins is not None:
            total.bins[self.i] += _by_table(bins, hashes, list(distinct.values()))

    def _count_bools(self, column: Column, total: FieldCounts, sketch: Sketch | None) -> None:
        true = sum(value is True for value in column)
        false = int(total.types[self.i, c.BOOL]) - true
        if sketch is not None:
            sketch.add_bools(self.i, false, true)
        if self._bins is not None and self._bins.kind == "bool":
            total.bins[self.i, :2] = (false, true)


def _floats(numbers: Sequence[float]) -> NDArray[np.float64]:
    """Return ints and floats as an array. ``struct`` is a third of the price of ``np.array``."""
    return np.frombuffer(struct.pack(f"{len(numbers)}d", *numbers), np.float64)


def _by_table(bins: Bins, hashes: list[int], counts: ArrayLike) -> NDArray[np.int64]:
    """Return the counts by bin of values with these hashes; those that are not known are `UNSEEN`."""
    found = np.array(hashes, np.int64)
    if len(bins.known) == 0:
        places = np.full(len(found), UNSEEN)
    else:
        at = np.minimum(bins.known.searchsorted(found), len(bins.known) - 1)
        places = np.where(bins.known[at] == found, bins.bin[at], UNSEEN)
    return np.bincount(places, counts, BINS).astype(np.int64)
