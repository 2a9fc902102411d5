"""Contrasts, baseline, Shiryaev-Roberts and risk control: against their definitions, and together on noise."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from detectors import budget
from detectors.baseline import Baseline, fit, long_run
from detectors.budget import Series, learn, run, weeks_of
from detectors.calendar import place
from detectors.contrasts import contrast, ordered_weights, share_weights
from detectors.risk_control import calibrate, cap, normalise, openings, weeks_needed
from detectors.shiryaev_roberts import ShiryaevRoberts

MINUTE = 60_000
QUARTER = 15 * MINUTE
PER_DAY = 96


class TestContrasts:
    """Orthonormal under the reference, and what they are called."""

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 10_000), st.integers(5, 36))
    def test_mean_zero_variance_one_and_uncorrelated_under_the_reference(self, seed, used):
        """The Gram matrix of location, scale and shape under p is the identity, whatever p is."""
        p = np.random.default_rng(seed).dirichlet(np.ones(36))[None] + 1e-6
        weights = ordered_weights(p, np.array([used]))[0]
        p = np.where(np.arange(36) < used, p[0], 0.0)
        p = p / p.sum()
        gram = weights[:, :3].T @ (p[:, None] * weights[:, :3])
        assert np.allclose(gram, np.eye(3), atol=1e-6)
        assert np.allclose(p @ weights, 0.0, atol=1e-6)
        assert p @ weights[:, 3] ** 2 == pytest.approx(1.0)

    def test_sampling_variance_is_one_over_n(self):
        """Of n values drawn from the reference."""
        p = np.full((1, 32), 1 / 32)
        weights = ordered_weights(p, np.array([32]))
        draws = np.random.default_rng(1).multinomial(200, p[0], 4000)
        values = np.concatenate([contrast(draw[None], weights) for draw in draws])
        assert np.allclose(values.var(axis=0) * 200, 1.0, atol=0.1)

    def test_a_shift_is_location_a_stretch_is_scale(self):
        """A normal feature moved by 0.3 sd, or stretched by 1.3."""
        edges = stats.norm.ppf(np.arange(1, 32) / 32)
        p = np.full((1, 32), 1 / 32)
        weights = ordered_weights(p, np.array([32]))

        def of(mean: float, sd: float) -> np.ndarray:
            return contrast(np.diff(np.r_[0, stats.norm.cdf(edges, mean, sd), 1])[None] * 1e6, weights)[0]

        moved, stretched = of(0.3, 1.0), of(0.0, 1.3)
        assert moved[0] == pytest.approx(0.3, abs=0.02)
        assert abs(moved[1]) < 0.1
        assert stretched[1] > 0.3
        assert abs(stretched[0]) < 1e-6

    def test_what_bins_cannot_tell_has_no_weight(self):
        """Two bins have a location and nothing else."""
        weights = ordered_weights(np.array([[0.3, 0.7, 0.0001, 0.0001]]), np.array([2]))[0]
        assert weights[:, 0].any()
        assert not weights[:, 1:3].any()

    def test_a_share_is_in_units_of_its_own_spread(self):
        """An empty group is a contrast that is always 0."""
        weights = share_weights(np.array([[0.1, 0.9]]), [[[0], []]])
        value = contrast(np.array([[40, 60]]), weights)[0]
        assert value[0] == pytest.approx((0.4 - 0.1) / np.sqrt(0.1 * 0.9))
        assert value[1] == 0.0

    def test_no_values_no_number(self):
        """Not a zero, which would be a claim."""
        assert np.isnan(contrast(np.zeros((1, 2)), share_weights(np.array([[0.5, 0.5]]), [[[0]]]))).all()

    def test_shares_of_zero_are_refused(self):
        """They would be an infinite weight."""
        with pytest.raises(ValueError, match="smoothed"):
            ordered_weights(np.array([[0.0, 1.0]]), np.array([2]))


class TestCalendar:
    """Local clocks, summer time and holidays."""

    def test_the_clock_goes_back_and_the_hour_comes_twice(self):
        """2023-10-29, 02:30 in Berlin, in summer time and an hour later in winter time."""
        summer, winter = place(1_698_539_400_000, "Europe/Berlin"), place(1_698_543_000_000, "Europe/Berlin")
        assert summer == winter
        assert summer[1:] == (2, 5)

    def test_a_holiday_is_a_sunday(self):
        """A Monday that is declared."""
        monday = 1_699_833_600_000
        assert place(monday)[1] == 0
        assert place(monday, holidays={date(2023, 11, 13)})[1] == 2


def quarters(weeks: int, k: int, rng: np.random.Generator, n: int = 100) -> Series:
    """Independent contrasts with their sampling error, in panes of 15 minutes."""
    panes = weeks * 7 * PER_DAY
    day = np.arange(panes) // PER_DAY
    x = rng.normal(size=(panes, k)) / np.sqrt(n)
    slots = (np.arange(panes) % PER_DAY) * 48 // PER_DAY
    return Series(x, np.full((panes, k), n), QUARTER, day, np.maximum(day % 7 - 4, 0), slots)


def fitted(series: Series) -> Baseline:
    times = np.arange(len(series.x)) * series.pane_ms
    return fit(series.x, series.n, series.days, series.groups, series.slots, times)


class TestBaseline:
    """Season out, noise to one."""

    def test_independent_values_come_out_as_a_standard_normal(self):
        """Mean 0, variance about 1 (a bit less: the floor and the clip), no long waves."""
        series = quarters(8, 4, np.random.default_rng(3))
        base = fitted(series)
        z = base.whiten(series.x, series.n, series.groups, series.slots)
        assert np.allclose(z.mean(axis=0), 0.0, atol=0.02)
        assert np.allclose(z.std(axis=0), 1.0, atol=0.15)

    def test_a_season_by_hour_and_weekend_is_learned(self):
        """What repeats every day, and what only Saturdays have."""
        series = quarters(8, 1, np.random.default_rng(3))
        season = np.sin(series.slots / 48 * 2 * np.pi) + (series.groups == 1)
        series.x[:] += season[:, None]
        base = fitted(series)
        left = series.x[:, 0] - base.mean[series.groups, series.slots][:, 0]
        assert left.std() < 0.2 * season.std()

    def test_small_panes_are_allowed_to_be_wilder(self):
        """a + q/n by least squares: with half of the panes of 30 values and half of 3,000, both come out with variance 1."""
        rng = np.random.default_rng(4)
        series = quarters(8, 1, rng)
        series.n[:] = np.where(np.arange(len(series.n)) % 2, 30, 3000)[:, None]
        series.x[:] = rng.normal(size=series.x.shape) * np.sqrt(0.01 + 1 / series.n)
        base = fitted(series)
        z = base.residual(series.x, series.n, series.groups, series.slots)
        assert z[series.n == 30].std() == pytest.approx(1.0, abs=0.15)
        assert z[series.n == 3000].std() == pytest.approx(1.0, abs=0.15)

    def test_no_pane_moves_a_stream_by_more_than_the_clip(self):
        """One stormy pane is one stormy pane."""
        series = quarters(8, 1, np.random.default_rng(5))
        base = fitted(series)
        assert base.residual(np.array([1e9]), np.array([100]), 0, 0)[0] == 4.0

    @pytest.mark.parametrize("gone", [[], [10], [13, 14], list(range(14, 21))])
    def test_days_that_are_left_out_as_a_whole_leave_the_blocks_of_the_others_alone(self, gone):
        """Blocks count panes, not hours: a block never holds panes of two days that did not follow each other."""
        series = quarters(6, 3, np.random.default_rng(4))
        series.x[:] += np.random.default_rng(5).normal(size=(42, 3))[series.days]  # what a glued block would lose
        kept = np.flatnonzero(~np.isin(series.days, gone))
        part = series.take(kept)
        timed = fit(part.x, part.n, part.days, part.groups, part.slots, kept * series.pane_ms)
        assert np.array_equal(budget.fitted(series, kept).longrun, timed.longrun)
        noon = fit(part.x, part.n, part.days, part.groups, part.slots, kept * series.pane_ms + 12 * 3_600_000)
        assert not np.allclose(noon.longrun, timed.longrun, rtol=0.01), "days from noon to noon would be seen"

    def test_long_run_of_an_autoregression(self):
        """AR(1) with 0.9 has a long-run sd of sqrt((1+.9)/(1-.9)) = 4.4 times its own; a mean over a day is close to it."""
        rng = np.random.default_rng(6)
        x = np.zeros((100_000, 1))
        shocks = rng.normal(size=x.shape) * np.sqrt(1 - 0.81)
        for t in range(1, len(x)):
            x[t] = 0.9 * x[t - 1] + shocks[t]
        assert long_run(x, np.ones_like(x), np.arange(len(x)) * MINUTE)[0] == pytest.approx(
            np.sqrt(1.9 / 0.1), rel=0.25
        )

    def test_a_stream_without_a_pane_is_refused(self):
        """It has no normal."""
        series = quarters(1, 1, np.random.default_rng(7))
        series.x[:] = np.nan
        with pytest.raises(ValueError, match="usable"):
            fitted(series)

    def test_a_contrast_that_never_moved_is_judged_in_units_of_one(self):
        """Not in units of a rounding error: its first deviation is not infinite."""
        series = quarters(8, 1, np.random.default_rng(8))
        series.x[:] = 0.25 + np.random.default_rng(9).normal(size=series.x.shape) * 1e-18
        assert abs(fitted(series).residual(np.array([0.75]), np.array([100]), 0, 0)[0]) < 2.5

    def test_gaps_are_no_zeros(self):
        """A stream with values in the day only is fitted to these."""
        series = quarters(8, 1, np.random.default_rng(8))
        series.x[:] += 3.0
        series.x[series.slots < 24] = np.nan
        base = fitted(series)
        assert np.isfinite(base.mean).all()
        assert np.allclose(base.mean[0, 24:], 3.0, atol=0.1)


class TestShiryaevRoberts:
    """The recursion is the sum over all possible onsets."""

    def test_equals_its_definition_at_every_prefix(self):
        """R = sum over onsets s of the product of likelihood ratios since s, faded by the time since."""
        rng = np.random.default_rng(9)
        x, t = rng.normal(0.3, 1.0, 60), np.cumsum(rng.integers(1, 5, 60)) * MINUTE
        watch = ShiryaevRoberts(np.array([np.inf]), tau_ms=30 * MINUTE)
        for now in range(60):
            watch.update([x[now]], [100], int(t[now]))
            ratios = []
            for size in (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0):
                for sign in (1, -1):
                    logs = sign * size * x[: now + 1] - size**2 / 2
                    ratios.append(sum(np.exp(logs[s:].sum() - (t[now] - t[s]) / (30 * MINUTE)) for s in range(now + 1)))
            assert watch.statistic[0] == pytest.approx(np.log1p(np.mean(ratios)), rel=1e-6)

    def test_false_alarms_of_independent_values_stay_below_the_martingale_bound(self):
        """P(the mean of R ever exceeds A within T updates) <= T/A."""
        watch = ShiryaevRoberts(np.full(2000, np.log(2000.0)), tau_ms=1e12)
        rng, ever = np.random.default_rng(10), np.zeros(2000, np.bool_)
        for pane in range(200):
            watch.update(rng.normal(size=2000), np.full(2000, 100), (pane + 1) * MINUTE)
            ever |= watch.drift_detected
        assert 0 < ever.mean() < 200 / 2000

    def test_a_drift_for_days_does_not_overflow(self):
        """The cap keeps R finite, and once the values are back it comes down: in weeks, not years."""
        watch = ShiryaevRoberts(np.array([10.0]))
        for pane in range(5000):
            watch.update([9.0], [100], (pane + 1) * MINUTE)
        assert np.isfinite(watch.statistic[0])
        assert watch.drift_detected[0]
        rng = np.random.default_rng(11)
        for pane in range(1, 1 + 35 * 288):
            watch.update(rng.normal(size=1), [100], (5000 + 5 * pane) * MINUTE)
        assert not watch.drift_detected[0]


maxima = arrays.arrays(np.float64, (6, 7, 2), elements=st.floats(-5, 20).map(lambda v: round(v, 1)))


class TestRiskControl:
    """The claim is on the weeks themselves: it holds by construction, and is not wasted."""

    @settings(max_examples=200, deadline=None)
    @given(maxima, st.sampled_from([0.5, 1.0, 2.0]))
    def test_it_is_the_smallest_threshold_that_keeps_the_bound(self, weeks, budget):
        """From u on the capped openings of all weeks stay in the bound at every threshold; just below it they do not."""
        quiet = np.full((len(weeks), 1, 2), -np.inf)
        days = np.concatenate([quiet, weeks], axis=1)
        allowed = budget * (len(weeks) + 1) - cap(budget)
        opening = sorted(set(weeks[weeks > days[:, :-1]]))

        def worst(level: float) -> int:
            levels = [level, *(value for value in np.unique(weeks) if value > level)]
            return sum(min(cap(budget), max(openings(week, value) for value in levels)) for week in days)

        u = calibrate(weeks, budget)
        assert worst(u) <= allowed
        assert u == min(opening) or worst(np.nextafter(u, -np.inf)) > allowed

    def test_exchangeable_weeks_keep_the_budget(self):
        """8 weeks of heavy-tailed maxima, then one more: its openings are at most b on average."""
        rng = np.random.default_rng(12)
        counts = []
        for _ in range(400):
            weeks = rng.standard_t(2, size=(9, 7, 5))
            u = calibrate(weeks[:8], 1.0)
            counts.append(min(3, openings(np.concatenate([np.full((1, 5), -np.inf), weeks[8]]), u)))
        assert np.mean(counts) < 1.0 + 2 * np.std(counts) / 20
        assert np.mean(counts) > 0.4

    def test_too_few_weeks_are_said(self):
        """With the number that is needed."""
        with pytest.raises(ValueError, match="needs 3 weeks, got 2"):
            calibrate(np.zeros((2, 7, 1)), 0.5)
        assert [weeks_needed(b) for b in (0.5, 1.0, 2.0)] == [3, 2, 2]

    def test_families_share_their_scale(self):
        """A stream with hardly an excess takes that of its kind; another kind has another."""
        rng = np.random.default_rng(13)
        values = np.concatenate([rng.exponential(1.0, (56, 20)), rng.exponential(5.0, (56, 20))], axis=1)
        scale = normalise(values, np.repeat([0, 1], 20)).scale
        assert scale[:20].std() < 0.15
        assert np.allclose([scale[:20].mean(), scale[20:].mean()], [1.0, 5.0], rtol=0.25)


class TestLearn:
    """All together, on noise."""

    def test_clean_weeks_keep_the_budget_and_a_step_is_found(self):
        """Twelve weeks of independent values: eight teach, four are watched; then one stream moves by half a standard
        deviation.
        """
        alarms, delays = [], []
        for seed in range(6):
            series = quarters(12, 10, np.random.default_rng(seed))
            weeks = weeks_of(series)
            first = series.take(np.concatenate([day for week in weeks[:8] for day in week]))
            learned = learn(first, np.zeros(10, np.int64))
            rest = [day for week in weeks[7:] for day in week]
            g = learned.normaliser(run([learned.baseline], series, [rest])[0])
            alarms.append(openings(g[6:], calibrate(learned.scored, 1.0)))
            series.x[weeks[9][0][0] :, 3] += 0.5 / np.sqrt(100)
            moved = run([learned.baseline], series, [rest])[0] > learned.limit(1.0)
            delays.append(int(np.flatnonzero(moved[14:, 3])[0]))
        assert np.mean(alarms) / 4 < 1.3
        assert max(delays) <= 2

    def test_days_of_another_length_are_read(self):
        """A day of 23 hours in one week: weeks are compared by local days."""
        series = quarters(3, 2, np.random.default_rng(14))
        short = np.delete(np.arange(len(series.x)), np.arange(200, 204))
        learned = learn(series.take(short), np.zeros(2, np.int64))
        assert learned.scored.shape == (3, 7, 2)
        assert np.isfinite(learned.scored).all()
        assert [len(day) for week in weeks_of(series.take(short)) for day in week][:4] == [96, 96, 92, 96]

    def test_a_young_stream_is_named_not_guessed(self):
        """One with values in the last week only cannot be judged by the others."""
        series = quarters(3, 2, np.random.default_rng(15))
        series.x[: 14 * PER_DAY, 1] = np.nan
        with pytest.raises(ValueError, match=r"streams \[1\] have values in fewer than two weeks"):
            learn(series, np.zeros(2, np.int64))

    def test_half_a_week_is_refused(self):
        """Weeks are what is exchangeable."""
        series = quarters(3, 1, np.random.default_rng(15))
        with pytest.raises(ValueError, match="whole weeks"):
            weeks_of(series.take(np.arange(5 * PER_DAY)))
