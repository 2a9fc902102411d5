"""Online equals batch: every number against numpy, scipy or bare river, at every prefix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN
from scipy import stats

from detectors import Freshness, GuardedAdwin, HistogramDrift, LongestGap, Missing, PChart, ScoreShift, Status, Volume
from detectors.histogram import distance, distance_sd, location, normal_scores, smoothed, two_sample
from detectors.share_limit import limit_threshold

MINUTE = 60_000
DAY = 1440 * MINUTE


class TestShareLimit:
    """The threshold inverts Wilson's interval with continuity correction."""

    @settings(max_examples=60, deadline=None)
    @given(st.integers(30, 3000), st.floats(0.0, 1.0), st.sampled_from([0.005, 0.01, 0.05, 0.5]))
    def test_exceeds_exactly_when_wilsons_lower_end_does(self, n, share, limit):
        """Alarm if and only if scipy's lower end lies above the limit."""
        hits = round(share * n)
        interval = stats.binomtest(hits, n).proportion_ci(1 - 2 * stats.norm.sf(3.0), method="wilsoncc")
        if abs(interval.low - limit) > 1e-9:
            assert bool(hits / n > limit_threshold(limit, np.array([n]))[0]) == (interval.low > limit)

    def test_a_share_at_the_limit_rarely_exceeds_it(self):
        """At n p >= 5 the error for a share equal to the limit stays below 0.5 %, at any n below 2 %."""
        for n in (30, 100, 500, 5000, 50_000):
            least = np.floor(limit_threshold(0.01, np.array([n]))[0] * n + 1e-9)
            assert stats.binom.sf(least, n, 0.01) < (0.005 if n >= 500 else 0.02)


class TestPChart:
    """Baseline and overdispersion are the faded sums they say they are."""

    def test_baseline_and_overdispersion_at_every_prefix(self):
        """The recursion equals sums over the whole past with weights (1 - 1/memory)^age."""
        rng = np.random.default_rng(11)
        n = rng.integers(50, 500, 200)
        x = rng.binomial(n, 0.1) / n
        chart = PChart(k=1, memory=100, z=100.0)
        fade, z = 1 - 1 / 100, []
        for pane in range(200):
            p = chart.baseline(np.array([0]))[0]
            z.append((x[pane] - p) / np.sqrt(p * (1 - p) / n[pane]) if pane else 0.0)
            chart.update([x[pane]], [n[pane]], pane)
            w = fade ** np.arange(pane, -1, -1)
            expected = ((w * x[: pane + 1] * n[: pane + 1]).sum() + 0.5) / ((w * n[: pane + 1]).sum() + 1)
            assert chart.baseline(np.array([0]))[0] == pytest.approx(expected, rel=1e-12)
            spread = (w * np.square(z)).sum() / max(1.0, w[1:].sum())
            assert chart.overdispersion(np.array([0]))[0] == pytest.approx(np.sqrt(max(1.0, spread)), rel=1e-12)

    @pytest.mark.parametrize("n", [30, 100, 1000])
    @pytest.mark.parametrize("p", [0.001, 0.01, 0.1, 0.3])
    def test_tail_of_the_threshold_is_small_also_for_thin_panes(self, n, p):
        """Without an effect, a pane of a known share exceeds the threshold less often than once in 100,000."""
        chart = PChart(k=1, effect=0.0)
        chart.cases[:], chart.values[:], chart.panes[:] = p * 1e7, 1e7, 100
        chart.update([0.0], [n], 0)
        assert stats.binom.sf(np.floor(chart.threshold[0] * n), n, p) < 1e-5

    def test_a_level_that_stays_is_not_absorbed(self):
        """After 1,000 panes at the new level the alarm still stands and the baseline has not moved."""
        chart = PChart(k=1)
        for pane in range(1100):
            chart.update([0.02 if pane < 100 else 0.2], [1000], pane)
        assert chart.drift_detected[0]
        assert chart.baseline(np.array([0]))[0] == pytest.approx(0.02, abs=1e-4)

    def test_a_season_becomes_spread(self):
        """A daily swing of the share is known after some days: no alarm on the later ones."""
        rng = np.random.default_rng(12)
        chart, alarms = PChart(k=1), []
        for pane in range(5 * 288):
            p = 0.10 + 0.08 * np.sin(pane / 288 * 2 * np.pi)
            chart.update(rng.binomial(1000, [p]) / 1000, [1000], pane * 5 * MINUTE)
            alarms.append(chart.drift_detected[0])
        assert not any(alarms[288:])


class TestMissing:
    """`all_missing` knows how often a field is there."""

    def test_a_rare_field_may_be_absent_from_a_pane(self):
        """Present in 2 % of records: 30 records without it are nothing, 2,000 are a loss."""
        rng = np.random.default_rng(13)
        field = Missing(k=1)
        for pane in range(100):
            field.update(rng.binomial(500, [0.98]) / 500, [500], pane)
        field.update([1.0], [30], 100)
        assert not field.drift_detected[0]
        field.update([1.0], [2000], 101)
        assert field.REASONS[field.reason[0]] == "all_missing"

    def test_never_present_is_no_alarm_and_teaches_nothing(self):
        """Once values come, the field is an ordinary one whose loss is found."""
        field = Missing(k=1)
        for pane in range(50):
            field.update([1.0], [100], pane)
        assert (field.REASONS[field.reason[0]], field.drift_detected[0]) == ("never_present", False)
        assert field.status[0] == Status.WARMING_UP
        field.update([0.0], [100], 50)
        field.update([1.0], [100], 51)
        assert field.REASONS[field.reason[0]] == "all_missing"


class TestDistance:
    """The distance has the mean and the variance that its docstring derives."""

    SHARES = np.array([0.5, 0.3, 0.15, 0.04, 0.01])

    @pytest.mark.parametrize("n", [2, 30, 1000])
    def test_unbiased_under_the_reference(self, n):
        """Mean 0 and the stated standard deviation, at any n."""
        x = np.random.default_rng(n).multinomial(n, self.SHARES, 200_000)
        d = distance(x, self.SHARES[None])
        sd = distance_sd(np.array([n]), 5)[0]
        assert abs(d.mean()) < 5 * sd / np.sqrt(len(d))
        assert d.std() == pytest.approx(sd, rel=0.1 if n == 2 else 0.03)

    @pytest.mark.parametrize("n", [30, 1000])
    def test_unbiased_under_a_shift(self, n):
        """The mean is the chi-square divergence of the true shares."""
        q = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
        d = distance(np.random.default_rng(n).multinomial(n, q, 100_000), self.SHARES[None])
        true = ((q - self.SHARES) ** 2 / self.SHARES).sum()
        assert d.mean() == pytest.approx(true, abs=5 * d.std() / np.sqrt(len(d)))

    def test_equals_pearsons_statistic_less_its_noise(self):
        """n times the plain sum is scipy's chi-square statistic."""
        x = np.random.default_rng(1).multinomial(300, self.SHARES, 20)
        f = x / 300
        plain = distance(x, self.SHARES[None]) + (f * (1 - f) / 299 / self.SHARES).sum(axis=1)
        expected = [stats.chisquare(row, 300 * self.SHARES).statistic for row in x]
        assert 300 * plain == pytest.approx(np.array(expected))

    @pytest.mark.parametrize(("n", "m"), [(200, 200), (40, 2000)])
    def test_two_samples_of_one_population_are_at_distance_zero(self, n, m):
        """Mean 0 in spite of weights made of the same data; the standard deviation is as stated."""
        rng = np.random.default_rng(n)
        d, sd = two_sample(rng.multinomial(n, self.SHARES, 100_000), rng.multinomial(m, self.SHARES, 100_000))
        assert abs(d.mean()) < 5 * d.std() / np.sqrt(len(d))
        assert d.std() == pytest.approx(sd.mean(), rel=0.1)

    def test_location_has_mean_zero_and_variance_one_over_n(self):
        """So that multiplied by the root of n it is whitened."""
        shares = smoothed(np.random.default_rng(3).multinomial(10_000, np.full(36, 1 / 36)))
        z = location(np.random.default_rng(4).multinomial(50, shares, 100_000), shares[None]) * np.sqrt(50)
        assert z.mean() == pytest.approx(0.0, abs=0.015)
        assert z.std() == pytest.approx(1.0, rel=0.01)

    def test_location_measures_a_shift_in_standard_deviations(self):
        """A normal feature moved by half a standard deviation gives about one half."""
        edges = stats.norm.ppf(np.arange(1, 36) / 36)
        x = np.histogram(np.random.default_rng(5).normal(0.5, 1, 200_000), [-np.inf, *edges, np.inf])[0]
        assert location(x[None], np.full((1, 36), 1 / 36))[0] == pytest.approx(0.5, abs=0.03)

    def test_location_is_the_mean_of_the_normal_scores(self):
        """To the bit: whoever keeps the scores of a reference gets the same numbers."""
        rng = np.random.default_rng(6)
        shares = rng.dirichlet(np.ones(36), 20)
        x = rng.multinomial(500, shares)
        assert np.array_equal(location(x, shares), (x / x.sum(axis=1)[:, None] * normal_scores(shares)).sum(axis=1))


class TestHistogramDrift:
    """Needs several panes in a row, and a reference."""

    def test_warns_before_it_alarms_and_stays_until_the_values_are_back(self):
        drift = HistogramDrift(np.full((1, 4), 0.25), np.zeros(1), np.zeros(1))
        said = []
        for counts in [[50] * 4, [120, 40, 20, 20], *[[120, 40, 20, 20]] * 3, [50] * 4]:
            drift.update([counts], [200], 0)
            said.append(Status(int(drift.status[0])).name)
        assert said == ["STABLE", "WARNING", "WARNING", "DRIFT", "DRIFT", "STABLE"]

    def test_without_reference_it_warms_up_for_ever(self):
        """A NaN row can neither alarm nor disturb its neighbours."""
        shares = np.array([[np.nan] * 4, [0.25] * 4])
        drift = HistogramDrift(shares, np.array([np.nan, 0.0]), np.array([np.nan, 0.0]))
        for pane in range(5):
            drift.update([[200, 0, 0, 0]] * 2, [200, 200], pane)
        assert drift.drift_detected.tolist() == [False, True]
        assert drift.status.tolist() == [Status.WARMING_UP, Status.DRIFT]
        assert drift.threshold[0] == np.inf


def test_score_shift_adds_only_panes_in_which_both_sides_have_records():
    """What a version served alone is not compared with what the others serve later."""
    versions = ScoreShift(k=1, bins=2)
    for pane in range(20):
        versions.update([[[100, 0], [0, 0]]], [100], pane)
    for pane in range(20, 25):
        versions.update([[[50, 50], [50, 50]]], [100], pane)
    assert versions.status[0] == Status.STABLE
    assert versions.statistic[0] < 0.05


class TestGaps:
    """Silence and freshness learn the longest gap of the last week."""

    def test_a_nightly_pause_costs_one_alarm(self):
        """It alarms the first time and is known the second time; an outage of a day is found later."""
        stream, nights, last = LongestGap(k=1), [], 0
        for minute in range(0, 12 * 1440, 5):
            asleep = 600 <= minute % 1440 < 840 or minute >= 10 * 1440
            last = last if asleep else minute
            stream.update([(minute - last) * MINUTE], [1], minute * MINUTE)
            if stream.drift_detected[0]:
                nights.append(minute // 1440)
        assert sorted(set(nights)) == [0, 10, 11]

    def test_a_steady_age_is_the_normal_age(self):
        """A pipeline that is always 20 minutes behind is armed, not alarmed, and found when it stops."""
        stream, found = LongestGap(k=1), []
        for minute in range(300):
            stream.update([(20 if minute < 100 else minute - 79) * MINUTE], [1], minute * MINUTE)
            found += [minute] * bool(stream.drift_detected[0])
        assert found[0] == 140
        assert found[-1] == 299

    def test_clocks_that_differ_a_little_do_not_end_a_gap(self):
        """x that grows by 59 s a minute is one gap that goes on, and its alarm stays."""
        stream = LongestGap(k=1)
        for minute in range(600):
            stream.update([0 if minute < 100 else (minute - 100) * 59_000], [1], minute * MINUTE)
        assert stream.drift_detected[0]
        assert stream.threshold[0] == 5 * MINUTE

    def test_an_outage_after_the_first_week_does_not_dull_the_rule(self):
        """A gap that alarmed does not teach once 7 days have been seen."""
        stream, x, limits = LongestGap(k=1), 0, []
        for minute in range(0, 9 * 1440, 2):
            x = x + 2 if 8 * 1440 <= minute < 8 * 1440 + 120 or minute % 4 else 0
            stream.update([x * MINUTE], [1], minute * MINUTE)
            limits.append(stream.threshold[0])
        assert limits[-1] == 6 * MINUTE
        assert stream.week_seen[0]

    def test_on_ticks_of_an_hour_a_night_is_learned_and_an_hour_is_nothing(self):
        """A stream of every hour, whose nights are three weeks without a whole hour's pause and then have one or two.

        Only ticks tell: an hour with a record leaves x at 0, whatever gaps there were in it.
        """
        stream, x, alarms = LongestGap(k=1), 0, []
        for hour in range(60 * 24):
            day, of_day = divmod(hour, 24)
            asleep = 2 <= of_day < 2 + (0 if day < 21 else 1 + day % 2) or day >= 56
            x = x + 60 * MINUTE if asleep else 0
            stream.update([x], [1], (hour + 1) * 60 * MINUTE)
            alarms += [hour] * bool(stream.drift_detected[0])
            if day == 20:
                assert stream.threshold[0] == 180 * MINUTE
        assert alarms[0] == 56 * 24 + 6, "what stops is found after three times the two hours of the nights before"
        assert alarms == list(range(alarms[0], 60 * 24))

    def test_a_late_tick_neither_alarms_nor_ends_an_alarm(self):
        """After an hour in which nothing could be told it is thrice that, for one tick; a gap that alarmed goes on."""
        stream, limits = LongestGap(k=1), []
        minutes = [*range(100), *range(160, 200)]
        for minute in minutes:
            stream.update([0 if minute < 170 else (minute - 170) * MINUTE], [1], minute * MINUTE)
            limits.append(stream.threshold[0])
        assert [limits[minutes.index(minute)] for minute in (99, 160, 161)] == [5 * MINUTE, 183 * MINUTE, 5 * MINUTE]
        assert stream.drift_detected[0]
        stream.update([90 * MINUTE], [1], 260 * MINUTE)
        assert stream.drift_detected[0]

    def test_an_age_is_known_at_each_record_however_rarely_one_comes(self):
        """A record an hour, each a minute old; the first one that is ten minutes old is stale."""
        stream = Freshness(k=1)
        for hour in range(48):
            stream.update([MINUTE], [1], hour * 60 * MINUTE)
        assert stream.threshold[0] == 5 * MINUTE
        stream.update([10 * MINUTE], [1], 48 * 60 * MINUTE)
        assert stream.drift_detected[0]


class TestVolume:
    """Compares with the same time of earlier days."""

    def test_minimum_and_maximum_against_brute_force(self):
        """At every pane the threshold is a quarter of the least count of the three half hours on 7 earlier days."""
        rng = np.random.default_rng(21)
        step = 10
        times = np.arange(0, 10 * 1440, step)
        counts = rng.poisson(200 + 100 * np.sin(times / 1440 * 2 * np.pi))
        stream = Volume(k=1, pane_ms=step * MINUTE)
        for i, (minute, count) in enumerate(zip(times, counts, strict=True)):
            stream.update([float(count)], [0], int(minute) * MINUTE)
            day, slot = times[:i] // 1440, times[:i] % 1440 // 30
            near = np.isin(slot, [(minute % 1440 // 30 + j) % 48 for j in (-1, 0, 1)])
            earlier = counts[:i][near & (day < minute // 1440) & (day >= minute // 1440 - 7)]
            if minute >= 1440:
                assert stream.threshold[0] == 0.25 * earlier.min()

    def test_nothing_is_known_on_the_first_day(self):
        """Armed after one day, not before."""
        stream = Volume(k=1)
        for minute in range(1439):
            stream.update([0.0 if minute > 700 else 500.0], [0], minute * MINUTE)
            assert stream.status[0] == Status.WARMING_UP

    def test_a_burst_is_found_and_does_not_teach(self):
        """Four times the largest; the second burst is one as well."""
        stream, found = Volume(k=1), []
        for minute in range(2 * 1440):
            stream.update([5000.0 if minute in (2000, 2400) else 500.0], [0], minute * MINUTE)
            if stream.drift_detected[0]:
                found.append((minute, stream.REASONS[stream.reason[0]]))
        assert found == [(2000, "burst"), (2400, "burst")]


class TestAdwin:
    """river's ADWIN, except where river goes blind."""

    def series(self, size=3000):
        x = np.random.default_rng(31).normal(size=size)
        x[size // 2 :] += 1.5
        return x

    def test_equals_bare_river_on_clean_data(self):
        """Alarm, window width and variance are river's at every update; a restart every 100 panes changes nothing."""
        ours, bare, alarms = GuardedAdwin(k=1), ADWIN(delta=1e-6, clock=4, grace_period=100), []
        for pane, x in enumerate(self.series()):
            if pane % 100 == 50:
                restored = GuardedAdwin(k=1)
                restored.restore(ours.state())
                ours = restored
            ours.update([x], [100], pane)
            bare.update(float(x))
            assert ours.drift_detected[0] == bare.drift_detected
            assert (ours.windows[0].get_width(), ours.windows[0].get_variance()) == (bare.width, bare.variance)
            alarms += [pane] * bare.drift_detected
        assert alarms
        assert 1500 <= alarms[0] < 1560

    @pytest.mark.parametrize("poison", [np.nan, np.inf])
    def test_river_is_blinded_by_one_poisoned_value_and_ours_is_not(self, poison):
        """The reason for the guard: after one NaN river never alarms again."""
        x = self.series()
        x[100] = poison
        bare, ours, theirs, found = ADWIN(delta=1e-6, clock=4, grace_period=100), GuardedAdwin(k=1), 0, []
        for pane, value in enumerate(x):
            bare.update(float(value))
            theirs += bare.drift_detected
            ours.update([value], [100], pane)
            found += [pane] * bool(ours.drift_detected[0])
        assert theirs == 0
        assert 1500 <= found[0] < 1560

    def test_state_of_another_river_is_a_visible_warm_up(self):
        """The opaque window of another version is dropped, counted and shown, the other streams go on."""
        ours = GuardedAdwin(k=2)
        for pane, x in enumerate(self.series(400)):
            ours.update([x, x], [100, 100], pane)
        state = ours.state()
        state["river"][0] = [0, 25, 0]
        restored = GuardedAdwin(k=2)
        restored.restore(state)
        assert restored.status.tolist() == [Status.WARMING_UP, Status.STABLE]
        assert restored.rewarmed.tolist() == [1, 0]
        assert [window.get_width() for window in restored.windows] == [0, ours.windows[1].get_width()]

    def test_threshold_is_the_formula_of_the_paper_over_the_true_window(self):
        """Means and variance that river keeps in buckets equal those of the raw values, as long as nothing was dropped."""
        x = np.random.default_rng(33).normal(size=500)
        ours = GuardedAdwin(k=1)
        for pane, value in enumerate(x):
            ours.update([value], [100], pane)
            if pane >= 100 and (pane + 1) % ours.clock == 0:
                late, early = x[pane - 31 : pane + 1], x[: pane - 31]
                m = 1 / (1 / len(late) + 1 / len(early))
                log = np.log(2 * np.log(pane + 1) / 1e-6)
                epsilon = np.sqrt(2 / m * np.var(x[: pane + 1]) * log) + 2 / (3 * m) * log
                assert ours.statistic[0] == pytest.approx(abs(late.mean() - early.mean()))
                assert ours.threshold[0] == pytest.approx(epsilon, rel=1e-9)
