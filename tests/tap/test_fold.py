"""Fold: the counts of a cell equal counting value by value."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream import counts as c
from stream.counts import FieldCounts
from stream.layout import BINS, UNSEEN, Bins, Section
from stream.plan import Field, StreamPlan
from stream.reading.columns import Records
from stream.reading.decoders import JsonDecoder
from stream.reading.fold import SectionFold, category_hash, number_hash
from stream.reading.records import decode_json
from stream.reading.sketch import Sketch

KEY = b"k" * 16
PLAN = StreamPlan("m.features", "m", "features", "t")
NONE = np.zeros(0, np.int64)
EDGES = np.array([-1.0, 0.0, 0.5, 2.0])
known = sorted((category_hash(text, KEY), bin_) for bin_, text in enumerate(["DE", "FR", "US"]))
codes = sorted((number_hash(number, KEY), bin_) for bin_, number in enumerate([0.0, 1.0, 7.0]))
FIELDS = (
    (Field("number", "v", range=(-1.0, 2.0)), Bins("number", EDGES, NONE, NONE)),
    (
        Field("code", "v"),
        Bins("code", np.zeros(0), np.array([h for h, _ in codes]), np.array([b for _, b in codes])),
    ),
    (
        Field("category", "v", kind="category", show=True),
        Bins("category", np.zeros(0), np.array([h for h, _ in known]), np.array([b for _, b in known])),
    ),
    (Field("bool", "v"), Bins("bool", np.zeros(0), NONE, NONE)),
    (Field("any", "v"), None),
    (Field("aged", "v", as_of="t", max_age_ms=100), None),
)
SECTION = Section(PLAN.name, tuple(f for f, _ in FIELDS), tuple(b for _, b in FIELDS), False, (), (), 1)

numbers = st.sampled_from([-1, 0, 1, 7, 2**63, -2.0, -1.0, -0.0, 0.25, 0.5, 2.0, 2.1, 1e308]) | st.floats()
strings = st.sampled_from(["DE", "FR", "12", "", "\ud800"])
value = st.one_of(numbers, strings, st.booleans(), st.none(), st.just({}), st.just([]))
column = st.one_of(*(st.lists(kind, min_size=1, max_size=12) for kind in (numbers, strings, st.booleans(), value)))
row_times = st.sampled_from([{}, {"t": 50}, {"t": 900}, {"t": 1000.0}, {"t": "1970-01-01T00:00:00Z"}, {"t": None}])


def type_of(value: Any) -> int:
    if isinstance(value, bool):
        return c.BOOL
    if isinstance(value, (int, float)):
        return c.NUMBER if math.isfinite(value) else c.NONFINITE
    return c.NULL if value is None else c.STRING if isinstance(value, str) else c.NESTED


def bin_of(bins: Bins, value: Any, kind: int) -> int | None:
    if bins.kind == "number" and kind == c.NUMBER:
        return len([edge for edge in bins.edges.tolist() if edge <= value])
    if bins.kind == "code" and kind == c.NUMBER:
        return {0.0: 0, 1.0: 1, 7.0: 2}.get(float(value), UNSEEN)
    if bins.kind == "category" and kind == c.STRING:
        return {h: int(place) for h, place in known}.get(category_hash(value, KEY), UNSEEN)
    return int(value) if bins.kind == "bool" and kind == c.BOOL else None


def one_by_one(rows: list[dict[str, Any]], offsets: list[int], time: int) -> FieldCounts:
    total = FieldCounts.zero(len(FIELDS))
    total.records = len(rows)
    wanted = {"number": c.NUMBER, "code": c.NUMBER, "category": c.STRING, "bool": c.BOOL}
    seen: list[set[float]] = [set() for _ in FIELDS]
    for i, (field, bins) in enumerate(FIELDS):
        for row, offset in zip(rows, offsets, strict=True):
            kind = type_of(row["v"]) if "v" in row else c.ABSENT
            value: Any = row.get("v")
            total.types[i, kind] += 1
            bad = kind not in (c.BOOL, c.NUMBER, c.STRING) or (bins is not None and kind != wanted[bins.kind])
            if kind == c.NUMBER:
                seen[i].add(float(value))
                total.only[i] = number_hash(float(value), KEY) if len(seen[i]) == 1 else c.VARIED
                if field.range is not None and not field.range[0] <= value <= field.range[1]:
                    total.outside[i] += 1
                    bad = True
            stated = row.get("t")
            as_of = 0 if isinstance(stated, str) else stated
            judged = (c.BOOL, c.NUMBER, c.STRING, c.NONFINITE)
            if field.as_of and kind in judged and as_of is not None and time - as_of > 100:
                total.stale[i] += 1
                bad = True
            if bins is not None and (place := bin_of(bins, value, kind)) is not None:
                total.bins[i, place] += 1
            if bad:
                total.example[i] = min(total.example[i], c.example(3, offset))
    return total


def of(rows: list[dict[str, Any]]) -> Records:
    n = len(rows)
    return Records(list(rows), list(range(n)), [0] * n, [None] * n, [()] * n)


def equal(ours: FieldCounts, theirs: FieldCounts) -> None:
    for name, array in theirs.to_dict().items():
        np.testing.assert_array_equal(ours.to_dict()[name], array, err_msg=name)


@given(column, st.lists(row_times, min_size=12, max_size=12), st.sets(st.integers(0, 11), max_size=3))
def test_counts_equal_counting_value_by_value(
    values: list[Any], stated: list[dict[str, Any]], absent: set[int]
) -> None:
    rows = [{"v": v, **extra} for v, extra in zip(values, stated, strict=False)]
    for i in absent & set(range(len(rows))):
        del rows[i]["v"]
    offsets = [100 + 7 * i for i in range(len(rows))]
    n = len(rows)
    records = Records(list(rows), offsets, [0] * n, [None] * n, [()] * n)
    unknown = np.full(len(FIELDS), c.NO_EXAMPLE)
    sketch = Sketch.empty(SECTION.fields)
    got = SectionFold(PLAN, SECTION, KEY).count(records, np.full(n, 1000), unknown, 3, sketch)
    equal(got, one_by_one(rows, offsets, 1000))
    for i in range(len(FIELDS)):
        assert sketch.n(i) == tuple(got.types[i, [c.NUMBER, c.STRING, c.BOOL]])


def test_an_example_that_is_known_is_not_looked_for_again() -> None:
    records = Records([{"v": None}], [5], [0], [None], [()])
    got = SectionFold(PLAN, SECTION, KEY).count(
        records, np.zeros(1, np.int64), np.zeros(len(FIELDS), np.int64), 0, None
    )
    assert (got.example == c.NO_EXAMPLE).all()


def test_bins_reach_beyond_both_ends() -> None:
    """35 edges make 36 bins: below the smallest edge and from the largest one on."""
    edges = np.arange(35.0)
    section = Section(PLAN.name, (Field("v", "v"),), (Bins("number", edges, NONE, NONE),), True, (), (), 1)
    rows = [{"v": x} for x in (-5.0, 0.0, 0.5, 34.0, 99.0)]
    records = of(rows)
    got = SectionFold(PLAN, section, KEY).count(records, np.zeros(5, np.int64), np.zeros(1, np.int64), 0, None)
    assert {place: n for place, n in enumerate(got.bins[0].tolist()) if n} == {0: 1, 1: 2, BINS - 1: 2}


@given(st.data())
def test_a_value_falls_into_the_bin_that_a_search_of_the_edges_says(data: st.DataObject) -> None:
    """Whatever the edges: subnormal, huge, next to one another; a value that equals an edge is above it."""
    finite = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.7e308])
    edges = np.unique(data.draw(st.lists(finite, min_size=2, max_size=BINS - 1)))
    near = st.sampled_from([*edges, *np.nextafter(edges, 1e308), *np.nextafter(edges, -1e308)])
    values = data.draw(st.lists(finite | near.map(float), min_size=1, max_size=50))
    section = Section(PLAN.name, (Field("v", "v"),), (Bins("number", edges, NONE, NONE),), True, (), (), 1)
    got = SectionFold(PLAN, section, KEY).count(
        of([{"v": x} for x in values]), np.zeros(len(values), np.int64), np.zeros(1, np.int64), 0, None
    )
    expected = np.bincount(edges.searchsorted(values, "right"), minlength=BINS)
    np.testing.assert_array_equal(got.bins[0], expected)


def test_the_stated_range_includes_its_ends() -> None:
    rows = [{"v": x} for x in (-1.5, -1.0, 0.0, 2.0, 2.5)]
    records = of(rows)
    unknown = np.full(len(FIELDS), c.NO_EXAMPLE)
    got = SectionFold(PLAN, SECTION, KEY).count(records, np.zeros(5, np.int64), unknown, 0, None)
    assert got.outside[0] == 2
    assert got.example[0] == c.example(0, 0)


def test_the_hash_depends_on_the_key() -> None:
    assert category_hash("DE", KEY) == category_hash("DE", KEY)
    assert category_hash("DE", KEY) != category_hash("DE", b"other")
    assert -(2**63) <= category_hash("DE", KEY) < 2**63
    assert number_hash(10001.0, KEY) != number_hash(10001.0, b"other")
    assert number_hash(0.0, KEY) == number_hash(-0.0, KEY)


def test_numbers_that_differ_in_the_last_bit_only_have_varied() -> None:
    """300.1 and 300.2 are the same after rounding; the field is not constant."""
    section = Section(PLAN.name, (Field("v", "v"),), (None,), True, (), (), 1)
    fold = SectionFold(PLAN, section, KEY)
    for values, constant in (([300.1, 300.1], True), ([300.1, math.nextafter(300.1, 301)], False)):
        records = of([{"v": value} for value in values])
        got = fold.count(records, np.zeros(2, np.int64), np.zeros(1, np.int64), 0, None)
        assert (got.only[0] == number_hash(300.1, KEY)) == constant
        assert (got.only[0] == c.VARIED) != constant


@given(st.lists(st.lists(st.sampled_from([None, 300.1, 300.2, 7]), max_size=3), max_size=5))
def test_whether_a_field_is_constant_does_not_depend_on_the_grouping(parts: list[list[float | None]]) -> None:
    section = Section(PLAN.name, (Field("v", "v"),), (None,), True, (), (), 1)
    fold = SectionFold(PLAN, section, KEY)

    def count(values: list[float | None]) -> FieldCounts:
        records = of([{"v": value} for value in values])
        return fold.count(records, np.zeros(len(values), np.int64), np.zeros(1, np.int64), 0, None)

    total = FieldCounts.zero(1)
    for part in parts:
        if part:
            total.add(count(part))
    whole = [value for part in parts for value in part]
    distinct = set(whole) - {None}
    assert total.only.tolist() == (count(whole) if whole else FieldCounts.zero(1)).only.tolist()
    assert (total.only[0] == c.NO_NUMBER) == (len(distinct) == 0)
    assert (total.only[0] == c.VARIED) == (len(distinct) > 1)


@given(st.lists(st.one_of(numbers, st.none(), strings), min_size=1, max_size=9))
def test_counts_do_not_depend_on_the_way_of_reading(values: list[Any]) -> None:
    """The slot of a field that had only fractions holds floats; nobody looks at their types."""
    chunk: list[bytes | None] = [json.dumps({"v": value}).encode() for value in values]
    decode = JsonDecoder()
    decode([b'{"v": 0.5}'])
    fold, times, none = SectionFold(PLAN, SECTION, KEY), np.zeros(len(values), np.int64), FieldCounts.zero(len(FIELDS))
    fast, slow = (of(rows) for rows in (decode(list(chunk)), decode_json(list(chunk))))  # type: ignore[arg-type]
    equal(fold.count(fast, times, none.example, 3, None), fold.count(slow, times, none.example, 3, None))
