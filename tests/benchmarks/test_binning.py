"""The ways to bin that are measured give the same counts; a grid says when it cannot."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.binning import Grid, by_searching, by_sorting
from stream.layout import BINS

finite = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 5e-324, -5e-324, 1.7e308])
usual = st.floats(1e-3, 1e3) | st.integers(0, 60).map(float)


@given(st.data(), st.booleans(), st.sampled_from([finite, usual]))
def test_every_way_gives_the_same_counts(data: st.DataObject, ratio: bool, kind: st.SearchStrategy[float]) -> None:
    """Edges themselves and their neighbours, subnormal and huge numbers included."""
    edges = np.unique(data.draw(st.lists(kind, min_size=2, max_size=BINS - 1, unique=True)))
    edges = edges if len(edges) > 1 else np.array([0.0, 1.0])
    near = [*edges, *np.nextafter(edges, 1e308), *np.nextafter(edges, -1e308)]
    drawn = data.draw(st.lists(kind | st.sampled_from(near).map(float), min_size=1, max_size=50))
    values = np.array([drawn]) + 0.0
    assert math.isfinite(np.abs(values).max())
    expected = by_searching(values, [edges])
    grid = Grid([edges], ratio)
    results = [by_sorting(values, [edges]), *([grid.count(values)] if grid.fits else [])]
    for result in results:
        for one, other in zip(result, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_grid_says_what_it_cannot_hold() -> None:
    """Two edges in one cell; numbers of both signs by their ratio; a span that is no number."""
    even, long_tail = np.arange(1.0, 36.0), np.array([1.0, 1.001, 1e6])
    assert [Grid([even], ratio).fits for ratio in (False, True)] == [True, True]
    assert [Grid([long_tail], ratio).fits for ratio in (False, True)] == [False, False]
    assert not Grid([even - 9], ratio=True).fits
    assert not Grid([np.array([-1.7e308, 1.7e308])], ratio=False).fits
