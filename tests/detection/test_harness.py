"""The harness itself: what it injects, what it counts, and that it can tell a kept budget from a broken one."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.detection import broken, first_weeks, page, steps
from benchmarks.detection.cases import delays, hours_of
from benchmarks.detection.data import Table
from benchmarks.detection.faults import emptied, renamed, stretched
from benchmarks.detection.null import Environment, monitored_maxima, poisson_interval, split
from detectors.budget import Series

PER_DAY = 24
HOUR = 3_600_000


@pytest.fixture(scope="module")
def world() -> Environment:
    """Twelve weeks of four independent series, by the hour."""
    panes = 12 * 7 * PER_DAY
    day = np.arange(panes) // PER_DAY
    x = np.random.default_rng(1).normal(size=(panes, 4)) / 10
    series = Series(
        x, np.full((panes, 4), 100), HOUR, day, np.maximum(day % 7 - 4, 0), 2 * (np.arange(panes) % PER_DAY)
    )
    return Environment(
        "tiny", series, ("a.x.location", "a.x.scale", "b.x.location", "b.x.scale"), np.array([0, 1, 0, 1])
    )


def test_a_permutation_keeps_weeks_whole(world: Environment):
    """Eight teach, four are monitored, none twice; every week begins where a week began."""
    part = split(world, 0)
    begins = np.concatenate([part.reference, part.monitored])[:: 7 * PER_DAY]
    assert len(part.reference) == 8 * 7 * PER_DAY
    assert len(part.monitored) == 4 * 7 * PER_DAY
    assert len(set(begins)) == 12
    assert not (begins % (7 * PER_DAY)).any()


def test_a_large_step_is_found_dated_and_named(world: Environment):
    """Five standard deviations in an hourly series are found within a few hours."""
    part = split(world, 0)
    drawn = steps.Steps(np.array([0, 3]), np.array([50, 200]), np.array([5.0, 5.0]))
    found = steps.inject(world, part, drawn, steps.deviations(world), 1.0, monitored_maxima(world, part))
    assert (found.hours <= 8).all()
    assert found.dated.all()
    assert (np.abs(found.error) <= 2).all()
    assert found.rank.tolist() == [1, 1]


def test_no_step_is_found_only_where_the_null_alarms(world: Environment):
    """A step of size 0 is noise: found where the very same weeks raise a false alarm, and nowhere else."""
    part = split(world, 0)
    maxima = monitored_maxima(world, part)
    drawn = steps.Steps(np.arange(4), np.zeros(4, np.int64), np.zeros(4))
    found = steps.inject(world, part, drawn, steps.deviations(world), 1.0, maxima)
    alarms = (maxima[1:15] > part.learned.normaliser(part.learned.limit(1.0))).any(axis=0)
    assert (np.isinf(found.hours) == ~alarms)[~np.isnan(found.hours)].all()
    assert np.isinf(found.hours).any()


def test_the_first_weeks_find_a_large_step_after_a_week(world: Environment):
    """And raise few false alarms on independent values."""
    drawn = steps.Steps(np.arange(4), np.full(4, 16 * PER_DAY), np.full(4, 5.0))
    opened, hours = first_weeks.life(world, 0, drawn, steps.deviations(world), 1.0)
    assert opened.sum() <= 6
    assert (hours <= 48).all()


def test_openings_by_age_begin_on_the_second_day():
    """Day 1 may not alarm; an alarm that goes on opens once."""
    over = np.zeros((28, 1), np.bool_)
    over[[1, 4, 5, 20]] = True
    assert first_weeks.by_age(over).tolist() == [1, 1, 0, 1]


def test_a_broken_stream_is_found_by_its_own_contrasts(world: Environment):
    """From the onset on the faulty panes are seen; before, the healthy ones."""
    faulty = Environment(world.name, world.series.take(np.arange(len(world.series.x))), world.names, world.family)
    faulty.series.x[:, :2] += 0.5
    part = split(world, 0)
    chosen = np.array([0, 0, 0, 1, 1, 1]), np.array([100, 200, 300, 100, 200, 300])
    hours = broken.by_contrasts(world, faulty, part, "x", ["a", "b"], chosen, 1.0)
    assert np.nanmedian(hours[:3]) <= 6
    assert np.nanmedian(hours[3:]) > 24


def test_faults_do_what_they_say():
    """Stretched around the median, emptied and renamed in about the stated share."""
    table = Table(np.arange(4000), {"v": np.arange(4000.0), "c": np.array(["a"] * 4000, object)})
    assert np.median(stretched("v", 2.0)(table).columns["v"]) == np.median(table.columns["v"])
    assert stretched("v", 2.0)(table).columns["v"].std() == pytest.approx(2 * table.columns["v"].std())
    assert np.isnan(emptied("v", 0.2)(table).columns["v"]).mean() == pytest.approx(0.2, abs=0.03)
    assert (renamed("c", 0.05)(table).columns["c"] == "NEW").mean() == pytest.approx(0.05, abs=0.02)
    assert not np.isnan(table.columns["v"]).any()


def test_a_budget_that_is_broken_or_wasted_fails():
    """240 alarms in 200 weeks at b = 1, and 40."""
    assert [page.verdict({"alarms": n, "weeks": 200}, 1.0)[3] for n in (240, 40, 180)] == [False, False, True]
    assert [round(end, 2) for end in poisson_interval(0, 200)] == [0.0, 0.02]


def test_hours_for_json_and_back():
    """A missed one is a word, one that says nothing is null."""
    row = hours_of(np.array([1.25, np.inf, np.nan]))
    assert row == [1.25, "missed", None]
    told = delays([row])
    assert told == {"median_h": None, "missed": 0.5, "restricted_mean_h": 168.625, "in_alarm": 1, "injections": 2}
    assert delays([[None]])["median_h"] is None
