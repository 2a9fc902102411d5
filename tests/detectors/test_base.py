"""What the base class promises by itself: guards, errors that say what to do, carrying."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detectors
from detectors import Detector, GuardedAdwin, HistogramDrift, Missing, PChart, ShareLimit, Silence, Volume

ANY = st.floats(-1e300, 1e300) | st.sampled_from([np.nan, np.inf, -np.inf])


def error(call, *args, **kwargs) -> str:
    with pytest.raises(ValueError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


class TestErrors:
    """Errors name the argument, the bound and what was found."""

    def test_arguments(self):
        assert error(PChart, -1) == "'k' must be >= 0, got -1"
        assert error(PChart, 1, z=0.0) == "'z' must be > 0, got 0.0"
        assert error(ShareLimit, 1, limit=1.5) == "'limit' must be in [0, 1), got 1.5"
        assert error(Silence, 1, limit_ms=0) == "'limit_ms' must be > 0, got 0"
        assert error(Volume, 1, pane_ms=0) == "'pane_ms' must be in (0, day_ms], got 0 with day_ms=86400000"
        assert error(GuardedAdwin, 1, grace=5) == "'grace' must be >= 32, got 5"
        shares = np.array([[0.0, 1.0]])
        text = error(HistogramDrift, shares, np.zeros(1), np.zeros(1))
        assert text == "'shares' must be > 0; smoothed(counts) makes them so"

    def test_input_of_another_number_of_streams(self):
        chart = PChart(2)
        assert error(chart.update, [0.1], [50], 0) == "PChart: 'x' must have 2 rows, got shape (1,)"
        assert error(chart.update, [0.1, 0.1], [50], 0) == "PChart: 'n' must have shape (2,), got (1,)"

    def test_a_count_in_the_place_of_a_share(self):
        """A caller's mistake is loud: it is not taken for a pane that says nothing."""
        text = "'x' must be a share in [0, 1], got 12.0; was it divided by n?"
        assert error(PChart(1).update, [12.0], [50], 0) == text
        assert error(ShareLimit(1, limit=0.1).update, [12.0], [50], 0) == text

    def test_a_state_of_something_else(self):
        assert "state must hold ['cases', " in error(PChart(1).restore, ShareLimit(1, limit=0.1).state())
        text = error(PChart(2).restore, PChart(3).state())
        assert text.startswith("PChart: state 'statistic' must have shape (2,), got (3,)")
        assert "carry()" in text
        assert "cannot carry" in error(PChart.carry, PChart(1).state(), [0], Missing(1).state())

    def test_a_state_of_other_bins(self):
        old, new = detectors.ScoreShift(1, bins=4), detectors.ScoreShift(1, bins=5)
        expected = "ScoreShift: cannot carry 'pair' of shape (1, 2, 4) onto (1, 2, 5)"
        assert error(type(old).carry, old.state(), [0], new.state()) == expected


def test_repr_can_be_read_and_shows_arrays_by_shape():
    """An alert carries it, so it stays short."""
    assert repr(detectors.Late(3)) == "Late(k=3, limit=0.01, min_n=30)"
    drift = HistogramDrift(np.full((3, 4), 0.25), np.zeros(3), np.zeros(3))
    expected = (
        "HistogramDrift(shares=float64[3, 4], mean=float64[3], sd=float64[3], effect=0.1, z=4.0, needed=3, min_n=30)"
    )
    assert repr(drift) == expected


def test_no_streams_is_a_number_of_streams():
    """A topic without fields is watched by nothing, without an exception."""
    chart = PChart(0)
    chart.update(np.zeros(0), np.zeros(0, np.int64), 0)
    assert PChart.carry(chart.state(), [-1], PChart(1).state())["cases"].tolist() == [0.0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(ANY, st.integers(0, 200)), min_size=5, max_size=60))
@pytest.mark.parametrize("make", [Silence, Volume, GuardedAdwin], ids=lambda cls: cls.__name__)
def test_no_number_makes_a_statistic_infinite(make: type[Detector], series):
    """Whatever comes, also 1e300: the statistic stays finite and the threshold is a number or inf."""
    detector = make(1)  # type: ignore[call-arg]
    for pane, (x, n) in enumerate(series):
        detector.update([x], [n], pane * 60_000)
        assert np.isfinite(detector.statistic).all()
        assert not np.isnan(detector.threshold).any()


def test_one_huge_number_does_not_blind_adwin():
    """A finite value whose square overflows is as deadly to river as a NaN; it is cut to 10 standard deviations."""
    rng, found = np.random.default_rng(1), []
    adwin = GuardedAdwin(1)
    for pane in range(3000):
        x = rng.normal(5.0 if pane >= 2000 else 0.0)
        adwin.update([1e200 if pane == 50 else x], [100], pane)
        found += [pane] * bool(adwin.drift_detected[0])
    assert any(2000 <= pane < 2100 for pane in found)
