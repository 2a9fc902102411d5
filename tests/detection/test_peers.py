"""The comparison with other tools: what they are shown, how alarms become delays, and what hindsight picks; no tool is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.detection import null
from benchmarks.detection.null import Environment, Split
from benchmarks.detection.peers import exchange, tuning
from benchmarks.detection.peers.apps import protocol
from benchmarks.detection.peers.measuring import APPS, HERE, home
from benchmarks.detection.peers.peers import PEERS, Peer
from benchmarks.detection.steps import Steps
from benchmarks.peers import environments
from detectors.baseline import CLIP
from detectors.budget import Series

PER_DAY, WEEKS, STREAMS = 24, 12, 3


@pytest.fixture(scope="module")
def environment() -> Environment:
    """Twelve weeks of three streams in panes of an hour; the last one has no value at night."""
    rng = np.random.default_rng(3)
    panes = WEEKS * 7 * PER_DAY
    hour, day = np.arange(panes) % PER_DAY, np.arange(panes) // PER_DAY
    x = rng.normal(size=(panes, STREAMS)) + np.sin(hour / PER_DAY * 2 * np.pi)[:, None]
    x[hour < 6, 2] = np.nan
    groups = np.maximum(day % 7 - 4, 0)
    series = Series(x, np.full(x.shape, 100), 3_600_000, day, groups, 2 * hour)
    return Environment("tiny", series, ("a", "b", "c"), np.zeros(STREAMS, np.int64))


@pytest.fixture(scope="module")
def part(environment: Environment) -> Split:
    return null.split(environment, 0)


STEPS = Steps(np.array([1, 2]), np.array([30, 100]), np.array([2.0, 5.0]))
UNIT = np.array([1.0, 1.5, 2.0])


class TestExchange:
    def test_the_rows_are_the_residuals_without_the_clip(self, environment: Environment, part: Split) -> None:
        seen = exchange.rows(environment, part, STEPS, UNIT)
        after = environment.series.take(part.monitored)
        clipped = part.learned.baseline.residual(after.x, after.n, after.groups, after.slots)
        assert np.nanmax(np.abs(seen["injected"])) > CLIP
        np.testing.assert_allclose(np.clip(seen["monitored"], -CLIP, CLIP), clipped, rtol=1e-5, atol=1e-5)

    def test_reference_values_are_standard(self, environment: Environment, part: Split) -> None:
        seen = exchange.rows(environment, part, STEPS, UNIT)
        assert np.nanmean(seen["reference"], axis=0) == pytest.approx(0.0, abs=0.05)
        assert np.nanstd(seen["reference"], axis=0) == pytest.approx(1.0, abs=0.05)

    def test_a_pane_without_values_stays_without(self, environment: Environment, part: Split) -> None:
        seen = exchange.rows(environment, part, STEPS, UNIT)
        night = environment.series.slots[part.monitored] < 12
        assert np.isnan(seen["monitored"][night, 2]).all()
        assert np.isnan(seen["injected"][night, 1]).all()
        assert np.isfinite(seen["monitored"][~night]).all()

    def test_the_step_begins_at_its_onset_and_has_its_size(self, environment: Environment, part: Split) -> None:
        seen = exchange.rows(environment, part, STEPS, UNIT)
        moved = seen["raw_injected"] - seen["raw_monitored"][:, STEPS.stream]
        np.testing.assert_allclose(moved[:30, 0], 0.0)
        np.testing.assert_allclose(moved[30:, 0], 3.0, rtol=1e-5)
        np.testing.assert_allclose(moved[106:120, 1], 10.0, rtol=1e-5)
        np.testing.assert_array_equal(seen["injected"][:30, 0], seen["monitored"][:30, 1])
        assert (seen["injected"][30:, 0] > seen["monitored"][30:, 1]).all()

    def test_few_streams_are_shown_as_they_were_among_all(self, environment: Environment, part: Split) -> None:
        whole = exchange.rows(environment, part, STEPS, UNIT)
        few, own = exchange.narrowed(environment, part, np.array([0, 2]))
        seen = exchange.rows(few, own, Steps(np.array([1]), STEPS.onset[1:], STEPS.size[1:]), UNIT[[0, 2]])
        assert few.names == ("a", "c")
        np.testing.assert_array_equal(seen["monitored"], whole["monitored"][:, [0, 2]])
        np.testing.assert_array_equal(seen["injected"], whole["injected"][:, 1:])

    def test_a_file_is_named_by_what_is_in_it(self, environment: Environment, part: Split, tmp_path: Path) -> None:
        seen = exchange.rows(environment, part, STEPS, UNIT)
        path = exchange.write(seen, tmp_path)
        assert exchange.write(seen, tmp_path) == path
        assert exchange.write(seen | {"onset": STEPS.onset + 1}, tmp_path) != path
        with np.load(path) as file:
            np.testing.assert_array_equal(file["reference"], seen["reference"])
        assert sorted(tmp_path.glob("*.part.npz")) == []


@pytest.fixture
def rows(environment: Environment, part: Split) -> protocol.Rows:
    return protocol.Rows(exchange.rows(environment, part, STEPS, UNIT), raw=False)


class TestProtocol:
    def test_a_delay_ends_with_the_pane_that_alarms(self, rows: protocol.Rows) -> None:
        alarms = np.zeros(rows.watched.shape, np.bool_)
        alarms[PER_DAY + 30, STREAMS] = alarms[PER_DAY + 99, STREAMS + 1] = alarms[PER_DAY + 110, STREAMS + 1] = True
        assert rows.delays(alarms).tolist() == [1.0, 11.0]

    def test_two_weeks_later_is_missed(self, rows: protocol.Rows) -> None:
        alarms = np.zeros(rows.watched.shape, np.bool_)
        alarms[PER_DAY + 30 + 336, STREAMS] = alarms[PER_DAY + 100 + 335, STREAMS + 1] = True
        assert rows.delays(alarms).tolist() == [np.inf, 336.0]

    @pytest.mark.parametrize(("pane", "counts"), [(-1, True), (0, False), (29, False), (47, False), (48, True)])
    def test_a_stream_in_alarm_on_the_day_of_the_onset_or_before_does_not_count(
        self, rows: protocol.Rows, pane: int, counts: bool
    ) -> None:
        alarms = np.zeros(rows.watched.shape, np.bool_)
        alarms[PER_DAY + pane, 1] = True
        assert np.isnan(rows.delays(alarms)[0]) == (not counts)

    def test_alarm_days_begin_with_the_last_of_the_reference(self, rows: protocol.Rows) -> None:
        alarms = np.zeros(rows.watched.shape, np.bool_)
        alarms[[0, 2 * PER_DAY], [0, 2]] = True
        assert np.argwhere(rows.alarm_days(alarms)).tolist() == [[0, 0], [2, 2]]
        assert rows.alarm_days(alarms).shape == (29, STREAMS)

    def test_a_day_is_judged_at_its_end(self, rows: protocol.Rows) -> None:
        statistic = np.zeros((29, STREAMS + 2))
        statistic[2, STREAMS] = 1.0  # the second monitored day: it holds the onset at pane 30
        (alarms,) = protocol.over_days(rows, statistic, [0.5])
        assert rows.delays(alarms).tolist() == [18.0, np.inf]

    def test_injections_go_on_from_the_state_of_their_stream(self, rows: protocol.Rows) -> None:
        """Copies at the onset give the same alarms as a detector of the injected series alone."""

        class Sum:
            total = 0.0

        def update(detector: Sum, value: float) -> float:
            detector.total += value
            return detector.total

        found = protocol.one_by_one(rows, Sum, update, until=np.inf)
        series = np.vstack([rows.reference[:-PER_DAY], rows.watched])
        for column, onset in ((STREAMS, 30), (STREAMS + 1, 100)):
            alone = np.nancumsum(series[:, column])[len(rows.reference) - PER_DAY :]
            after = np.arange(PER_DAY + onset, PER_DAY + onset + 336)
            after = after[np.isfinite(rows.watched[after, column])]
            np.testing.assert_allclose(found[after, column], alone[after])
            assert (found[: PER_DAY + onset, column] == -np.inf).all()

    def test_an_injection_ends_at_its_first_alarm(self, rows: protocol.Rows) -> None:
        found = protocol.one_by_one(rows, object, lambda _, value: value > 1.0, until=0.0)
        assert (found[:, STREAMS:] == 1.0).sum(axis=0).tolist() == [1, 1]

    def test_days_on_which_nothing_depends_are_not_scored(self, rows: protocol.Rows) -> None:
        assert rows.wanted()[:, :STREAMS].all()
        assert np.flatnonzero(rows.wanted()[:, STREAMS]).tolist() == list(range(2, 17))


def results(*grid: list[int], delay_h: list[list[float]] | None = None) -> tuning.Results:
    """Return one permutation of two streams and a week; each setting is the list of days on which the first one alarms."""
    days = np.zeros((1, len(grid), 8, 2), np.bool_)
    for setting, alarms in enumerate(grid):
        days[0, setting, alarms, 0] = True
    delay = np.array([delay_h or [[1.0, 2.0]] * len(grid)])
    return tuning.Results(days, delay, np.array([[1.0, 2.0]]))


class TestTuning:
    def test_openings_are_counted_per_week(self) -> None:
        assert results([1, 3, 5], [1, 2, 6], [0, 1], []).rates().tolist() == [3.0, 2.0, 0.0, 0.0]

    @pytest.mark.parametrize(("allowed", "setting"), [(3.0, 0), (2.5, 1), (1.0, 2), (0.9, 3), (0.0, 3)])
    def test_hindsight_takes_the_most_sensitive_setting_that_is_quiet_enough(
        self, allowed: float, setting: int
    ) -> None:
        assert tuning.hindsight(np.array([3.0, 2.0, 1.0, 0.0]), allowed) == setting

    def test_hindsight_is_not_fooled_by_a_detector_that_is_always_in_alarm(self) -> None:
        """It opens nothing, since every day follows a day in alarm."""
        always = list(range(8))
        assert tuning.hindsight(results(always, [1, 3, 5], [1]).rates(), 1.0) == 2

    def test_a_peer_that_is_never_quiet_enough_has_no_tuned_row(self) -> None:
        row = tuning.row(results([1, 3, 5], [1, 4]), [1.0, 2.0], 0, 0.5)
        assert row["tuned"] is None
        assert row["default"]["openings_per_week"] == 3.0
        assert row["openings_per_week"] == [3.0, 2.0]

    def test_a_row_shows_the_default_beside_the_tuned_setting(self) -> None:
        found = results([1, 3, 5], [1], [], delay_h=[[1.0, 1.0], [5.0, np.inf], [np.inf, np.inf]])
        row = tuning.row(found, [10.0, 20.0, 30.0], 0, 1.0)
        assert (row["default"]["setting"], row["tuned"]["setting"]) == (10.0, 20.0)
        assert row["tuned"]["delays"]["1 sd"]["median_h"] == 5.0
        assert row["tuned"]["delays"]["2 sd"] == {
            "counted": 1,
            "in_alarm": 0.0,
            "median_h": None,
            "missed": 1.0,
            "restricted_mean_h": 336.0,
        }

    def test_never_in_alarm_misses_everything(self, rows: protocol.Rows) -> None:
        found = shown(rows, np.zeros(rows.watched.shape, np.bool_))
        assert (found["openings_per_week"], found["alarm_days_per_week"]) == (0.0, 0.0)
        assert {one["missed"] for one in found["delays"].values()} == {1.0}

    def test_always_in_alarm_opens_nothing_and_finds_nothing(self, rows: protocol.Rows) -> None:
        """Seven alarm days a week give it away, and not one of its steps is counted."""
        found = shown(rows, np.ones(rows.watched.shape, np.bool_))
        assert (found["openings_per_week"], found["alarm_days_per_week"]) == (0.0, 7.0)
        assert {one["counted"] for one in found["delays"].values()} == {0}


def shown(rows: protocol.Rows, alarms: protocol.Bools) -> dict[str, Any]:
    days, delay = rows.alarm_days(alarms), rows.delays(alarms)
    return tuning.at(tuning.Results(days[None, None], delay[None, None], STEPS.size[None]), 0)


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_every_peer_has_its_script_and_its_requirements(peer: Peer) -> None:
    assert (APPS / peer.script).exists()
    if peer.environment:
        assert (home(peer.environment) / "requirements" / f"{peer.environment}.txt").exists()
    assert home("evidently") == environments.HERE != HERE
