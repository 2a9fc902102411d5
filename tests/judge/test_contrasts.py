"""Which contrasts a field has: by its kind, its bins and its reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stream.contrasts import FAMILIES, SHARES, Contrasts
from stream.layout import BINS, BUCKETS, TOP, UNSEEN, Bins

FLAT = np.full((1, BINS), 1 / BINS)
NONE = np.zeros(0, np.int64)


def there(records: int, fields: int = 1) -> NDArray[np.int64]:
    """Return the presence of fields that are never missing."""
    return np.tile(np.array([records, 0]), (fields, 1))


def number(edges: int = BINS - 1) -> Bins:
    return Bins("number", np.arange(float(edges)), NONE, NONE)


def category(values: int, names: tuple[str, ...] = ()) -> Bins:
    known = np.arange(values, dtype=np.int64)
    bin = np.where(known < TOP, known, TOP + known % BUCKETS)
    return Bins("category", np.zeros(0), known, bin, (*names, *[""] * (BINS - len(names))))


def test_a_number_has_location_scale_shape_and_tail():
    """In that order, each of a family of its own."""
    contrasts = Contrasts([number()], FLAT)
    assert contrasts.names == ("location", "scale", "shape", "tail", "missing")
    assert [FAMILIES[item] for item in contrasts.family] == list(contrasts.names)


def test_a_category_has_its_largest_shares_all_others_and_the_unseen():
    """Eight values by name where they may be said, by the number of their bin where not."""
    shares = np.full(BINS, 0.001)
    shares[:10] = np.arange(10, 0, -1) / 60
    contrasts = Contrasts([category(40, ("red", "blue"))], shares[None])
    assert contrasts.names == ("0", "1", "2", "3", "4", "5", "6", "7", "other", "unseen", "missing")
    assert len(contrasts) == SHARES + 3


def test_a_bool_has_one_share_and_two_values_have_two():
    """What is not there has no contrast that is always 0."""
    assert Contrasts([Bins("bool", np.zeros(0), NONE, NONE)], FLAT).names == ("true", "missing")
    assert Contrasts([category(2)], FLAT).names == ("0", "1", "other", "unseen", "missing")


@pytest.mark.parametrize("bins", [None, number()])
def test_without_bins_or_reference_there_is_nothing_to_compare(bins: Bins | None):
    """Not a zero: nothing, but whether it is there."""
    contrasts = Contrasts([bins], np.full((1, BINS), np.nan))
    assert contrasts.names == ("missing",)
    assert len(contrasts.values(np.ones((1, BINS), np.int64), there(36))[0]) == 1


def test_values_stand_in_the_order_of_their_rows_and_names():
    """Fields of mixed kinds: each contrast moves with its own field only."""
    bins = [category(3), number(), None, Bins("bool", np.zeros(0), NONE, NONE)]
    contrasts = Contrasts(bins, np.tile(FLAT, (4, 1)))
    counts = np.full((4, BINS), 10, np.int64)
    before, n = contrasts.values(counts, there(360, 4))
    counts[0, UNSEEN] += 100
    after, _ = contrasts.values(counts, there(360, 4))
    moved = ~np.isclose(before, after)
    assert set(contrasts.rows[moved]) == {0}
    assert contrasts.names[int(np.argmax(after - before))] == "unseen"
    assert (n == 360).all()


def test_a_field_without_a_value_in_a_pane_has_no_number():
    """NaN, which every detector ignores."""
    x, n = Contrasts([number()], FLAT).values(np.zeros((1, BINS), np.int64), there(0))
    assert np.isnan(x).all()
    assert (n == 0).all()


def test_missing_values_are_counted_in_records_and_against_a_fixed_share():
    """One in a thousand is none; of 5 % the contrast is 1.55, whatever the field is, with as many records behind it."""
    contrasts = Contrasts([None, number()], np.full((2, BINS), np.nan))
    x, n = contrasts.values(np.zeros((2, BINS), np.int64), np.array([[999, 1], [950, 50]]))
    assert x == pytest.approx([0.0, 0.049 / np.sqrt(0.001 * 0.999)])
    assert n.tolist() == [1000, 1000]


def test_a_pane_without_any_value_is_a_matter_of_the_rules():
    """An outage of a day in the reference would make every smaller rise usual."""
    x, n = Contrasts([number()], FLAT).values(np.zeros((1, BINS), np.int64), np.array([[0, 500]]))
    assert np.isnan(x).all()
    assert (n == 0).all()
