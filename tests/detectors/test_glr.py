"""When it began: the likeliest onset, an interval that holds the true one, and gaps in which nobody saw anything."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.glr import onset


def test_the_interval_holds_nine_of_ten_onsets():
    """Steps of half a standard deviation to two, dated at the first moment at which they are plain."""
    rng, inside, away = np.random.default_rng(1), 0, []
    for trial in range(400):
        size, begin = rng.choice([0.5, 1.0, 2.0]), int(rng.integers(100, 200))
        psi = rng.normal(size=400)
        psi[begin:] += size
        seen = psi[: begin + int(30 / size**2)]
        earliest, likeliest, latest = onset(seen, 1.0)
        inside += earliest <= begin <= latest
        away.append(abs(likeliest - begin) * size**2)
        assert earliest <= likeliest <= latest, trial
    assert inside >= 360
    assert np.median(away) <= 3


def test_a_direction_does_not_matter():
    """Downwards as upwards."""
    psi = np.random.default_rng(2).normal(size=60)
    psi[40:] += 2.0
    assert onset(psi, 1.0) == onset(-psi, 1.0)


def test_between_two_usable_panes_nobody_knows():
    """The change may have come anywhere behind the last pane that was as usual."""
    psi = np.full(30, np.nan)
    psi[[0, 5, 10, 15]] = 0.0, 0.1, -0.1, 0.0
    psi[[20, 25]] = 9.0, 9.0
    earliest, likeliest, latest = onset(psi, 1.0)
    assert (earliest, likeliest) == (16, 20)
    assert latest in (20, 25)


def test_a_noise_that_lasts_widens_the_interval():
    """With a long-run variance of nine the same values say less."""
    psi = np.random.default_rng(3).normal(size=80)
    psi[60:] += 1.5
    narrow, wide = onset(psi, 1.0), onset(psi, 3.0)
    assert wide[2] - wide[0] > narrow[2] - narrow[0]


@pytest.mark.parametrize(("size", "within"), [(0.5, 6.0), (1.4, 9.8), (3.0, 18.0)])
def test_where_an_alarm_takes_more_evidence_the_interval_is_wider(size: float, within: float):
    """Twenty panes of a step without noise: the ratio of an onset d panes too early is 400 size^2 / (20 + d)."""
    psi = np.concatenate([np.zeros(100), np.full(20, size)])
    earliest, likeliest, _ = onset(psi, 1.0)
    ratio = (20 * size) ** 2 / (20 + np.arange(101))
    assert likeliest == 100
    assert earliest == 100 - np.flatnonzero(ratio >= ratio[0] - within)[-1]


def test_evidence_without_end_does_not_widen_the_interval_without_end():
    """A change that has lasted for long is dated better than a fresh one, not worse."""
    psi = np.random.default_rng(5).normal(size=2000)
    psi[500:] += 2.0
    fresh, old = onset(psi[:520], 1.0), onset(psi, 1.0)
    assert old[2] - old[0] <= fresh[2] - fresh[0]
    assert old[0] <= 500 <= old[2]


def test_no_value_is_refused():
    """There is nothing to date."""
    with pytest.raises(ValueError, match="no value"):
        onset(np.full(3, np.nan), 1.0)
