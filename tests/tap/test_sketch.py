"""Sketches: any grouping of the values gives the same tables."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import codec
from stream.plan import Field
from stream.reading import tables
from stream.reading.fold import number_hash
from stream.reading.sketch import Sketch

FIELDS = (Field("amount", "amount"), Field("country", "country", kind="category", show=True))
finite = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6).map(float)
finite = finite | st.sampled_from([10001.0, 10002.0, 3.0, 0.0, -0.0])
parts = st.lists(
    st.tuples(st.lists(finite, max_size=40), st.lists(st.integers(-50, 50), max_size=40)),
    max_size=6,
)


def hashed(number: float) -> int:
    return number_hash(number, b"key")


def sketch_of(numbers: list[float], hashes: list[int]) -> Sketch:
    result = Sketch.empty(FIELDS)
    for i in (0, 1):
        result.add_numbers(i, np.array(numbers, np.float64), hashed)
    result.add_strings(1, Counter(hashes), {key: f"value {key}" for key in hashes})
    result.add_bools(1, len(numbers), len(hashes))
    return result


@pytest.fixture(autouse=True)
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MAX_NUMBERS", 16)
    monkeypatch.setattr(tables, "MAX_STRINGS", 12)


@given(parts)
def test_merging_parts_equals_sketching_the_whole(
    chunks: list[tuple[list[float], list[int]]],
) -> None:
    """Tables overflow here (16 numbers, 12 hashes), and parts travel through the codec as they do in an entry."""
    merged = Sketch.empty(FIELDS)
    for numbers, hashes in chunks:
        _, body = codec.unpack(codec.pack({}, sketch_of(numbers, hashes).to_dict()))
        merged.merge(Sketch.from_dict(body))
    whole = sketch_of(
        [x for numbers, _ in chunks for x in numbers],
        [h for _, hashes in chunks for h in hashes],
    )
    assert codec.digest(merged.to_dict()) == codec.digest(whole.to_dict())
    assert max(len(merged.strings(1)[0]), len(merged.codes(1)[0])) <= 12
    assert merged.n(0)[0] == sum(len(numbers) for numbers, _ in chunks)


def test_numbers_are_rounded_and_codes_are_told_apart() -> None:
    """Codes that differ in the last digit only must not become one value, and may not be read either."""
    table = sketch_of([10001.0, 10002.0, 10002.0, -70003.0, 2047.0, 0.0, -0.0], [])
    values, counts = table.numbers(0)
    assert values.tolist() == [-69952.0, 0.0, 2047.0, 10000.0]
    assert counts.tolist() == [1, 2, 1, 3]
    hashes, counts, labels, saturated = table.codes(0)
    exact = [-70003.0, 0.0, 2047.0, 10001.0, 10002.0]
    assert not saturated
    assert hashes.tolist() == sorted(map(hashed, exact))
    assert dict(zip(hashes.tolist(), counts.tolist(), strict=True)) == dict(
        zip(map(hashed, exact), [1, 2, 1, 1, 2], strict=True)
    )
    assert sorted(labels.tolist()) == [-69952.0, 0.0, 2047.0, 10000.0, 10000.0]
    assert sorted(table.codes(1)[2].tolist()) == exact, "this field says show"


@pytest.mark.parametrize("values", [[0.5, 1.0], [float(i) for i in range(25)]])
def test_a_fraction_or_more_than_24_numbers_are_no_codes(values: list[float]) -> None:
    """Then nothing is hashed; of a declared category the 12 smallest hashes are kept (1024 outside this test)."""
    asked: list[float] = []

    def asking(number: float) -> int:
        asked.append(number)
        return hashed(number)

    table = Sketch.empty(FIELDS[:1])
    table.add_numbers(0, np.array(values), asking)
    hashes, _, _, saturated = table.codes(0)
    assert (len(hashes), saturated, asked) == (0, True, [])
    kept = sketch_of(values, []).codes(1)[0].tolist()
    assert kept == sorted(map(hashed, values))[:12]


@given(st.lists(finite, min_size=1, max_size=16))
def test_numbers_keep_ten_bits(values: list[float]) -> None:
    """A rounded value lies towards zero, by less than a thousandth; whole numbers up to 2048 stay as they are."""
    table = sketch_of(values, [])
    rounded, counts = table.numbers(0)
    exact = np.sort(np.array(values))
    got = np.repeat(rounded, counts)
    assert (np.abs(got) <= np.abs(exact)).all()
    assert (np.abs(exact - got) <= np.abs(exact) * 2.0**-10 + 5e-324 * 2**42).all()
    assert (got == np.sort(tables.rounded(exact))).all()
    small = (exact == np.rint(exact)) & (np.abs(exact) <= tables.EXACT)
    assert (got[small] == exact[small]).all()


def test_many_whole_numbers_lose_their_last_bits() -> None:
    """33 numbers do not fit into 16 rows; the counts stay."""
    values, counts = sketch_of([1000.0 + i for i in range(33)], []).numbers(0)
    assert 8 <= len(values) <= 16
    assert counts.sum() == 33


def test_more_strings_than_fit_keep_exact_counts_of_the_smallest_hashes() -> None:
    table = sketch_of([], [*range(30), *range(30)])
    hashes, counts, saturated = table.strings(1)
    assert hashes.tolist() == list(range(12))
    assert counts.tolist() == [2] * 12
    assert saturated
    assert table.n(1)[1] == 60
    assert table.shown(1) == {key: f"value {key}" for key in range(12)}


def test_values_are_kept_only_where_the_field_says_show() -> None:
    table = Sketch.empty(FIELDS)
    table.add_strings(0, {1: 1}, {1: "secret"})
    assert table.shown(0) == {}
    assert b"secret" not in codec.pack({}, table.to_dict())


def test_merging_is_by_field_name() -> None:
    """Sections grow: a sketch of the old section still counts for the fields that both have."""
    longer = Sketch.empty((Field("new", "new"), *FIELDS))
    longer.merge(sketch_of([1.0], [7]))
    assert longer.codes(1)[0].tolist() == [hashed(1.0)]
    assert longer.numbers(1)[0].tolist() == [1.0]
    assert longer.strings(2)[0].tolist() == [7]
    assert longer.n(0) == (0, 0, 0)
