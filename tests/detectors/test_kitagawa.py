"""The parts of a change add up to it, whatever the segments are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.kitagawa import split

SEGMENT = st.tuples(st.floats(-100, 100), st.integers(0, 1000), st.floats(-100, 100), st.integers(0, 1000))


@given(st.lists(SEGMENT, min_size=1, max_size=8).filter(lambda rows: all(sum(row[k] for row in rows) for k in (1, 3))))
def test_the_parts_add_up(rows: list[tuple[float, int, float, int]]) -> None:
    """Also where a segment appears, or vanishes: its mean is then unknown, and a nan must not spread."""
    x, n, x_now, n_now = (np.array(column) for column in zip(*rows, strict=True))
    change = (x_now * n_now).sum() / n_now.sum() - (x * n).sum() / n.sum()
    x, x_now = np.where(n > 0, x, np.nan), np.where(n_now > 0, x_now, np.nan)
    mix, within = split(x, n, x_now, n_now)
    assert mix.sum() + within.sum() == pytest.approx(change, abs=1e-9)


def test_equal_weights_have_no_mix_and_equal_means_nothing_within() -> None:
    x, n = np.array([0.0, 1.0, 5.0]), np.array([10, 20, 70])
    assert not split(x, n, x + np.eye(3)[2], 3 * n)[0].any()
    assert not split(x, n, x, n[::-1])[1].any()


def test_one_segment_that_moved_is_all_of_the_change() -> None:
    n = np.array([50, 50])
    mix, within = split(np.zeros(2), n, np.array([0.0, 2.0]), n)
    assert (mix + within).tolist() == [0.0, 1.0]


def test_nothing_to_compare_is_refused() -> None:
    with pytest.raises(ValueError, match="both times need a value"):
        split(np.zeros(1), np.zeros(1, int), np.zeros(1), np.ones(1, int))
