"""Weights of streams: the total stays at the budget, whoever it is given to; who has more of it is found sooner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from detectors.baseline import Baseline
from detectors.budget import Learned, Series, learn, run, weeks_of
from detectors.provisional import threshold
from detectors.risk_control import Normaliser, calibrate, head_start, openings

PER_DAY, PANE_MS = 96, 900_000
STEEP = np.array([10.0, 10.0, 1.0, 1.0, 1.0, 1.0])
values = st.floats(-3, 30).map(lambda value: round(value, 1))
weeks_of_maxima = arrays.arrays(np.float64, st.tuples(st.integers(4, 8), st.just(7), st.just(3)), elements=values)
weights = arrays.arrays(np.float64, 3, elements=st.floats(0.01, 100))


def learned(scored: np.ndarray) -> Learned:
    """Return what leaves g as it is: a = 0, s = 1."""
    k = scored.shape[2]
    nothing = np.zeros((3, 48, k), np.float32), np.ones(k), np.ones(k), np.ones((48, k), np.float32), np.ones(k)
    return Learned(Baseline(*nothing), Normaliser(np.zeros(k), np.ones(k)), scored)


def opened(days: np.ndarray, limit: np.ndarray) -> int:
    """Return the openings of days [D, K] whose day before was quiet, each stream at a limit of its own."""
    return openings(np.concatenate([np.full((1, days.shape[1]), -np.inf), days - limit]), 0.0)


@settings(max_examples=100, deadline=None)
@given(weeks_of_maxima, weights)
def test_the_bound_on_the_weeks_holds_whatever_the_weights(scored, weight):
    """At b = 1: the openings of all weeks, three of one at most, leave room for the week to come."""
    limit = learned(scored).limit(1.0, weight) + 1e-9  # the shift there and back may cost the last bit
    assert sum(min(3, opened(week, limit)) for week in scored) <= len(scored) + 1 - 3


@settings(max_examples=100, deadline=None)
@given(weeks_of_maxima, weights, st.floats(0.1, 10))
def test_only_how_weights_compare_counts(scored, weight, factor):
    """All of them ten times as large are the same weights; equal ones are none, to the bit."""
    found = learned(scored)
    assert np.allclose(found.limit(1.0, weight), found.limit(1.0, factor * weight))
    assert np.array_equal(found.limit(1.0, np.full(3, factor)), found.limit(1.0))


@pytest.mark.parametrize("tail", ["exponential", "student"])
def test_exchangeable_weeks_keep_the_budget_with_weights_of_1_and_10(tail):
    """Eight weeks, then one more, 600 times; of exponential tails the heavy streams take ten times as much each."""
    rng = np.random.default_rng(21)
    counts, parts = [], np.zeros(6)
    for _ in range(600):
        weeks = rng.exponential(size=(9, 7, 6)) if tail == "exponential" else rng.standard_t(3, size=(9, 7, 6))
        limit = learned(weeks[:8]).limit(1.0, STEEP)
        counts.append(min(3, opened(weeks[8], limit)))
        parts += (weeks[8] > limit).sum(axis=0)
    assert np.mean(counts) < 1.0 + 2 * np.std(counts) / np.sqrt(600)
    assert np.mean(counts) > 0.4
    if tail == "exponential":
        assert 6 < parts[:2].mean() / parts[2:].mean() < 16


def test_the_first_weeks_share_by_weight_too():
    """The threshold of raw evidence counts the same head start, and each limit stays what an independent value needs."""
    rng = np.random.default_rng(22)
    ahead = head_start(STEEP)
    for days in (np.zeros((0, 6)), rng.exponential(2.0, (20, 6))):
        limit = threshold(days + ahead, 1.0, 672) - ahead
        assert np.isclose(limit[-1] - limit[0], np.log(10))
        assert np.exp(-limit).sum() <= 1.0 / 672 + 1e-12, "the union of all streams, as with equal weights"


def test_the_heavy_stream_is_found_sooner_and_the_light_one_later():
    """Ten streams, eight weeks that teach; then one moves by 0.3 sd in the ninth. Delays in panes, means of four seeds."""
    heavy = np.array([10.0, *[1.0] * 9])
    delays = {name: [] for name in ("heavy", "heavy, equal weights", "light", "light, equal weights")}
    for seed in range(4):
        rng = np.random.default_rng([23, seed])
        panes = 9 * 7 * PER_DAY
        day, slot = np.arange(panes) // PER_DAY, np.arange(panes) % PER_DAY // 2
        x = rng.normal(size=(panes, 10)) / 10
        series = Series(x, np.full(x.shape, 100), PANE_MS, day, np.maximum(day % 7 - 4, 0), slot)
        first = np.concatenate([panes for week in weeks_of(series)[:8] for panes in week])
        found = learn(series.take(first), np.zeros(10, np.int64))
        begin = len(first)
        series.x[begin:, [0, 9]] += 0.03
        each = [np.array([pane]) for pane in range(begin - 7 * PER_DAY, panes)]
        evidence = run([found.baseline], series, [each])[0][7 * PER_DAY :]
        for name, weight in (("", heavy), (", equal weights", None)):
            over = evidence > found.limit(1.0, weight)
            delays[f"heavy{name}"].append(over[:, 0].argmax() if over[:, 0].any() else len(over))
            delays[f"light{name}"].append(over[:, 9].argmax() if over[:, 9].any() else len(over))
    mean = {name: float(np.mean(item)) for name, item in delays.items()}
    assert mean["heavy"] < mean["heavy, equal weights"] < 7 * PER_DAY, mean
    assert mean["light, equal weights"] < mean["light"] < 7 * PER_DAY, mean
    assert all(one <= other for one, other in zip(delays["heavy"], delays["heavy, equal weights"], strict=True)), delays


def test_weights_are_positive():
    """One of zero would be a limit without end."""
    with pytest.raises(ValueError, match="weights must be > 0, got 0"):
        learned(np.zeros((4, 7, 2))).limit(1.0, np.array([1.0, 0.0]))
    assert calibrate(np.zeros((4, 7, 2)) + head_start(np.ones(2)), 1.0) == 0.0
