"""The threshold of the first weeks: never below what independent values need, lower as quiet days add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from detectors.baseline import fit
from detectors.provisional import FACTOR, taught, threshold
from detectors.risk_control import cap, openings

PANES = 672
maxima = arrays.arrays(
    np.float64, st.tuples(st.integers(7, 20), st.just(3)), elements=st.floats(0, 30).map(lambda v: round(v, 1))
)


@settings(max_examples=200, deadline=None)
@given(maxima, st.sampled_from([0.5, 1.0, 2.0]))
def test_it_is_what_the_formula_says(days, budget):
    """Openings at the worst level from u on, and the pseudo-count, stay within b (n/7 + 1); below u they do not."""
    first = FACTOR * math.log(3 * PANES)
    allowed = budget * (len(days) / 7 + 1)
    before = np.concatenate([np.full((1, 3), -np.inf), days])
    opening = sorted(set(days[days > before[:-1]]))

    def keeps(u: float) -> bool:
        worst = max((openings(before, np.nextafter(v, -np.inf)) for v in opening if v > u), default=0)
        return worst + min(cap(budget), (first / u) ** 2) <= allowed + 1e-9

    u = threshold(days, budget, PANES)
    floor = math.log(3 * PANES / budget)
    assert keeps(u)
    assert u >= floor
    if u > floor + 1e-6:
        assert not keeps(max(floor, u * (1 - 1e-6) - 1e-9))


def test_a_week_is_waited_for():
    """Whatever the first days were like."""
    assert threshold(np.zeros((0, 5)), 1.0, PANES) == threshold(np.full((6, 5), 40.0), 1.0, PANES)


def test_a_stormy_past_keeps_it_high():
    """Three days of twenty opened above 30: the threshold stays where only so few are left."""
    quiet, stormy = np.full((21, 4), 5.0), np.full((21, 4), 5.0)
    stormy[[3, 9, 15], 0] = 35.0
    assert threshold(stormy, 1.0, PANES) > threshold(quiet, 1.0, PANES)


def test_budgets_are_positive():
    """Zero alarms is no budget."""
    with pytest.raises(ValueError, match="budget"):
        threshold(np.zeros((8, 1)), 0.0, PANES)


def test_the_newest_days_do_not_teach():
    """A third of the age, at most a week."""
    assert [taught(age) for age in (2, 3, 9, 28, 60)] == [2, 2, 6, 21, 53]


def test_noise_of_a_few_days_is_measured_against_other_days():
    """Over three days the mean follows the noise: residuals against itself look calmer than those of a day held out."""
    rng = np.random.default_rng(1)
    days = np.repeat(np.arange(3), 96)
    x, n = rng.normal(size=(288, 20)) * 0.1 + np.repeat(rng.normal(size=(3, 20)), 96, axis=0), np.full((288, 20), 100)
    slots, groups = (np.arange(288) % 96) // 2, np.zeros(288, np.int64)
    args = (x, n, days, groups, slots, np.arange(288) * 900_000)
    inside, outside = fit(*args), fit(*args, held_out=True)
    assert np.median(outside.between + outside.sampling / 100) > 1.5 * np.median(inside.between + inside.sampling / 100)
