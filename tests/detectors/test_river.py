"""Our own PageHinkley, KSWIN and error-rate detectors raise river's alarms, one for one, and one instance for K streams."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from river import drift
from river.drift import binary
from scipy import stats

import detectors
from detectors import DDM, EDDM, FHDDM, GUARDED, HDDMA, HDDMW, KSWIN, PageHinkley
from detectors.kswin import critical_steps, p_value, shuffled

MINUTE = 60_000
STREAMS, STEPS = 8, 2500
SEEDS = range(3)


class SameDraw:
    """Stands where river keeps its generator, and draws what ours draws."""

    def __init__(self, owner, seed):
        self.owner, self.seed = owner, seed

    def sample(self, places, size):
        keys = shuffled(self.seed, np.array([self.owner.n]), len(places))[0]
        return np.argsort(keys, kind="stable")[:size].tolist()


class SameDrawKSWIN(drift.KSWIN):
    def _reset(self):
        super()._reset()
        self._rng = SameDraw(self, self.seed)


class Inverted:
    """river's FHDDM looks for a fall of the share of ones."""

    def __init__(self, **arguments):
        self.inner = binary.FHDDM(**arguments)

    def update(self, x):
        self.inner.update(1 - x)

    @property
    def drift_detected(self):
        return self.inner.drift_detected


def alarms(detector, x, n=1):
    """Return bool[T, K], what ours says."""
    said = []
    for step, row in enumerate(x):
        detector.update(row, np.full(detector.k, n), step * MINUTE)
        said.append(detector.drift_detected.copy())
    return np.array(said)


def river_alarms(make, x):
    said = np.zeros(x.shape, np.bool_)
    for stream in range(x.shape[1]):
        theirs = make()
        for step, value in enumerate(x[:, stream].tolist()):
            theirs.update(value)
            said[step, stream] = theirs.drift_detected
    return said


def levels(rng, choices):
    """Return a level for every step: it changes now and then, at other times in other streams."""
    drawn = rng.choice(choices, (STEPS, STREAMS))
    changes = rng.random((STEPS, STREAMS)) < 1 / 300
    changes[0] = True
    since = np.maximum.accumulate(np.where(changes, np.arange(STEPS)[:, None], 0), axis=0)
    return np.take_along_axis(drawn, since, axis=0)


def whitened(seed):
    rng = np.random.default_rng(seed)
    return levels(rng, [-2.0, -0.5, 0.0, 0.5, 2.0]) + rng.normal(size=(STEPS, STREAMS))


def losses(seed):
    """0/1 losses whose rate goes up and down, and is 0 at times."""
    rng = np.random.default_rng(seed)
    return (rng.random((STEPS, STREAMS)) < levels(rng, [0.0, 0.05, 0.2, 0.5, 0.9])).astype(float)


NUMBERS = {
    "page_hinkley": (PageHinkley, {"clip": 1e9}, lambda: drift.PageHinkley(delta=0.25, threshold=25.0)),
    "page_hinkley river": (
        PageHinkley,
        {"clip": 1e9, "delta": 0.005, "lam": 50.0},
        drift.PageHinkley,
    ),
    "kswin": (KSWIN, {"min_n": 1}, lambda: SameDrawKSWIN(alpha=1e-5, seed=1)),
    "kswin river": (
        KSWIN,
        {"alpha": 0.005, "window": 60, "recent": 20, "seed": 7},
        lambda: SameDrawKSWIN(alpha=0.005, window_size=60, stat_size=20, seed=7),
    ),
}
ERRORS = {
    "ddm": (DDM, {}, binary.DDM),
    "eddm": (EDDM, {}, binary.EDDM),
    "hddm_a": (HDDMA, {}, binary.HDDMA),
    "hddm_w": (HDDMW, {}, binary.HDDMW),
    "fhddm": (FHDDM, {}, Inverted),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NUMBERS)
def test_whitened_values_raise_rivers_alarms(name, seed):
    ours, arguments, theirs = NUMBERS[name]
    x = whitened(seed)
    if "kswin" in name:
        x = x[:700].round(1)  # river's takes 0.3 ms; equal values must not matter
    expected = river_alarms(theirs, x)
    assert expected.sum() > 3
    np.testing.assert_array_equal(alarms(ours(x.shape[1], **arguments), x, n=100), expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", ERRORS)
def test_losses_raise_rivers_alarms(name, seed):
    ours, arguments, theirs = ERRORS[name]
    x = losses(seed)
    expected = river_alarms(theirs, x)
    assert expected.sum() > 10
    np.testing.assert_array_equal(alarms(ours(STREAMS, **arguments), x), expected)


@pytest.mark.parametrize("name", ["hddm_a", "hddm_w", "ddm"])
def test_fractions_of_a_loss_raise_rivers_alarms(name):
    ours, arguments, theirs = ERRORS[name]
    rng = np.random.default_rng(5)
    x = np.clip(levels(rng, [0.1, 0.3, 0.6]) + 0.1 * rng.normal(size=(STEPS, STREAMS)), 0.0, 1.0)
    expected = river_alarms(theirs, x)
    assert expected.any()
    np.testing.assert_array_equal(alarms(ours(STREAMS, **arguments), x), expected)


@pytest.mark.parametrize("cls", [DDM, HDDMA])
def test_a_pane_of_outcomes_counts_as_its_outcomes(cls):
    """The same outcomes one by one and in panes of 50: the same mean of the same number of outcomes."""
    x = (np.random.default_rng(3).random((1000, 1)) < 0.2).astype(float)
    single, panes = cls(1), cls(1)
    alarms(single, x)
    alarms(panes, x.reshape(20, 50, 1).mean(axis=1), n=50)
    assert single.count == panes.count == 1000
    np.testing.assert_allclose(single.mean, panes.mean, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:ks_2samp:RuntimeWarning")  # rounding to a probability above 1 makes scipy say 1
@pytest.mark.parametrize("size", [1, 5, 20, 30, 100])
def test_the_probability_of_a_distance_is_scipys(size):
    """d(alpha) is the first distance at which river would alarm."""
    for steps in range(1, size + 1):
        first, second = np.arange(size, dtype=float), np.arange(size) + steps - 0.5
        answer = stats.ks_2samp(first, second, method="exact")
        assert round(answer.statistic * size) == steps
        assert p_value(size, steps) == pytest.approx(answer.pvalue, rel=1e-9)


def test_the_hidden_condition_of_river_is_kept():
    """Of 300 values a distance of 0.1 is no alarm, however unlikely."""
    assert p_value(300, 30) < 0.2
    assert critical_steps(300, 0.2) == 31


def test_every_draw_is_a_draw_without_a_pattern():
    """Each of 70 places is drawn as often as the others, and two draws have nothing to do with each other."""
    drawn = np.argsort(shuffled(1, np.arange(7000), 70), axis=1)[:, :30]
    counts = np.bincount(drawn.ravel(), minlength=70)
    assert stats.chisquare(counts).pvalue > 1e-3
    common = [len(np.intersect1d(a, b)) for a, b in pairwise(drawn[:2000])]
    assert np.mean(common) == pytest.approx(30 * 30 / 70, abs=0.2)


def test_the_names_of_a_configuration_build_with_a_number_of_streams():
    assert {name: repr(make(2)).partition("(")[0] for name, make in GUARDED.items()} == {
        "adwin": "GuardedAdwin",
        "kswin": "KSWIN",
        "page_hinkley": "PageHinkley",
    }
    assert all(type(make(2)).__name__ in detectors.__all__ for make in GUARDED.values())
