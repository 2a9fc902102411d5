"""The threshold of the first weeks: never below what independent values need, lower as quiet days add up."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from detectors.baseline import fit
from detectors.provisional import FACTOR, moderated, taught, threshold
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


def test_variances_that_differ_by_chance_alone_are_one_and_others_stay_apart():
    """300 variances of five days each: drawn from one they come together; where true ones differ a hundredfold they do not."""
    rng = np.random.default_rng(2)
    chance, none = rng.chisquare(5, 300) / 5, np.zeros(300, np.int64)
    one = moderated(9.0 * chance, 5, none)
    assert np.ptp(np.log(one)) < 0.1 * np.ptp(np.log(chance))
    assert np.median(one) == pytest.approx(9.0, rel=0.15)
    true = np.repeat([2.0, 200.0], 150)
    two = moderated(true * chance, 5, none)
    assert np.log(two[150:]).mean() - np.log(two[:150]).mean() > 0.8 * np.log(100)
    assert np.std(np.log(two / true)) < np.std(np.log(chance)), "and each is nearer to the truth"


def test_families_are_moderated_apart_and_two_streams_are_none():
    rng = np.random.default_rng(3)
    square = np.r_[4.0 * rng.chisquare(5, 50) / 5, 100.0 * rng.chisquare(5, 50) / 5, 30.0, 2.0]
    family = np.r_[np.zeros(50, np.int64), np.ones(50, np.int64), 2, 2]
    both = moderated(square, 5, family)
    assert np.array_equal(both[:50], moderated(square[:50], 5, family[:50]))
    assert np.array_equal(both[100:], [30.0, 2.0])


def test_streams_that_do_not_teach_change_nothing_for_the_others():
    """``own``: copies with a step in them are moderated by what the others are."""
    square = 4.0 * np.random.default_rng(4).chisquare(5, 40) / 5
    beside = np.r_[square, np.full(40, 1000.0)]
    assert np.array_equal(
        moderated(beside, 5, np.zeros(80, np.int64), 40)[:40], moderated(square, 5, np.zeros(40, np.int64))
    )


def test_streams_that_never_moved_do_not_call_the_few_that_do_calm():
    """Most fields are never missing; the few that are missing in bursts keep the noise that was measured on them."""
    bursty = np.array([90.0, 60.0, 120.0, 75.0])
    beside = np.r_[bursty, np.ones(196)]
    found = moderated(beside, 5, np.zeros(200, np.int64))
    assert np.array_equal(found[:4], moderated(bursty, 5, np.zeros(4, np.int64)))
    assert (found[:4] > 50.0).all()
    assert np.array_equal(found[4:], np.ones(196)), "and their noise is not expected of the others"


def test_where_many_of_a_family_move_the_rest_is_expected_to():
    """A quarter of it: after five days nobody knows that the others stay calm."""
    moving = 60.0 * np.random.default_rng(1).chisquare(5, 10) / 5
    for calm, drawn in ((30, True), (31, False)):
        found = moderated(np.r_[moving, np.ones(calm)], 5, np.zeros(10 + calm, np.int64))
        assert (found[10:] > 1.0).all() == drawn


def test_a_variance_that_is_no_number_is_refused_instead_of_spread_over_its_family():
    for wrong in (np.nan, np.inf):
        with pytest.raises(ValueError, match="'square' must be finite"):
            moderated(np.array([4.0, wrong, 5.0, 6.0]), 5, np.zeros(4, np.int64))


def test_moderated_variances_are_finite_and_at_least_one_whatever_came():
    for days in (2, 3, 50):
        for square in (np.ones(5), np.r_[np.ones(9), 1e6], np.full(4, 7.0), np.array([1.0, 1.0 + 1e-9, 1.0])):
            found = moderated(square, days, np.zeros(len(square), np.int64))
            assert np.isfinite(found).all()
            assert (found >= 1.0).all()
