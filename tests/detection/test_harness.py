"""The harness itself: what it injects, what it counts, and that it can tell a kept budget from a broken one."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection import broken, first_weeks, kept, page, steps
from benchmarks.detection.cases import LEVELS, best_threshold, delays, hours_of
from benchmarks.detection.data import Table
from benchmarks.detection.faults import emptied, renamed, stretched
from benchmarks.detection.null import Environment, monitored_maxima, poisson_interval, split
from detectors.baseline import Baseline
from detectors.budget import Learned, Series
from detectors.risk_control import Normaliser, calibrate
from stream.codec import digest

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
    threshold = calibrate(part.learned.scored, 1.0)
    found = steps.inject(world, part, drawn, steps.deviations(world), threshold, monitored_maxima(world, part))
    assert (found.hours <= 8).all()
    assert found.dated.all()
    assert (np.abs(found.error) <= 2).all()
    assert found.rank.tolist() == [1, 1]


def test_no_step_is_found_only_where_the_null_alarms(world: Environment):
    """A step of size 0 is noise: found where the very same weeks raise a false alarm, and nowhere else."""
    part = split(world, 0)
    maxima, threshold = monitored_maxima(world, part), calibrate(part.learned.scored, 1.0)
    drawn = steps.Steps(np.arange(4), np.zeros(4, np.int64), np.zeros(4))
    found = steps.inject(world, part, drawn, steps.deviations(world), threshold, maxima)
    alarms = (maxima[1:15] > threshold).any(axis=0)
    assert (np.isinf(found.hours) == ~alarms)[~np.isnan(found.hours)].all()
    assert np.isinf(found.hours).any()


def test_a_ramp_grows_evenly_and_is_found_later_than_a_step(world: Environment):
    """A day after its first pane it has its full size; until then the same values are closer to normal."""
    part, threshold, unit = split(world, 0), 5.0, steps.deviations(world)
    step = steps.Steps(np.arange(4), np.full(4, 50), np.full(4, 5.0))
    ramp = replace(step, ramp=PER_DAY)
    moved = ramp.added_to(np.zeros((100, 4)), np.ones(4))[:, 0]
    assert moved[[49, 50, 61, 73, 99]].tolist() == pytest.approx([0.0, 5 / 24, 2.5, 5.0, 5.0])
    maxima = np.full((29, 4), -np.inf)
    at_once, slowly = (steps.inject(world, part, item, unit, threshold, maxima).hours for item in (step, ramp))
    assert (at_once < slowly).all()
    assert (slowly < 48).all()


def test_hindsight_alarms_at_least_as_often():
    """It takes the largest threshold at which all permutations together open no less than the learned ones did."""
    at = np.zeros((2, len(LEVELS)), np.int64)
    at[0, :200], at[1, :300], at[:, :100] = 2, 1, 9
    rows = [
        {"openings": {"1.0": 3}, "openings_at": at[0].tolist()},
        {"openings": {"1.0": 0}, "openings_at": at[1].tolist()},
    ]
    assert best_threshold(rows) == pytest.approx(LEVELS[199])
    rows[0]["openings"]["1.0"] = 4
    assert best_threshold(rows) == pytest.approx(LEVELS[99])


def test_the_page_says_what_is_missed():
    """A delay of 1.3 times that of hindsight, onsets outside their interval, a budget that is not kept, a slow night."""
    row = {"median_h": 1.3, "onset_covered": 0.8}
    case = {
        "name": "tiny",
        "minutes": 5,
        "budget": {"1.0": {"alarms": 240, "weeks": 200}},
        "delay": {"0.0": {"median_h": None, "onset_covered": 0.0}, "1.0": row},
        "hindsight": {"delay": {"1.0": {"median_h": 1.0}}},
    }
    lines = page.missed(
        {
            "cases": {"tiny": case},
            "first_weeks": {"tiny": {"8-14": {"alarms": 25, "weeks": 20}, "15-28": {"alarms": 20, "weeks": 40}}},
            "cost": {"pane_ms": 1.0, "learn_1000_s": 230.0},
        }
    )
    assert lines == [
        "tiny, panes of 5 min: 1.20 false alarms a week at b = 1, at most 1.36",
        "tiny, panes of 5 min, a step of 1 sd: 1.30 times the delay of hindsight",
        "tiny, panes of 5 min, a step of 1 sd: 80 % of the onsets within their interval",
        "tiny, days 8-14 of a reference: 1.25 false alarms a week",
        "learning of 1,000 numbers takes 230 s",
    ]


def test_what_is_kept_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Rows and what was learned side by side; a case is done when it has all rows."""
    monkeypatch.setattr(kept, "RESULTS", tmp_path)
    assert [kept.kept("tiny", seed, lambda: {"openings": 1}) for seed in (0, 0)] == [{"openings": 1}] * 2
    assert kept.kept("tiny", 0, lambda: {"openings": 2}) == {"openings": 1}
    parts = [np.arange(size, dtype=np.float32) for size in (2, 3, 4, 5, 6)]
    learned = Learned(Baseline(*parts), Normaliser(np.arange(2.0), np.arange(3.0)), np.ones((2, 7, 2)))
    first, again = (
        kept.remembered("tiny", 1, lambda: learned),
        kept.remembered("tiny", 1, lambda: pytest.fail("made again")),
    )
    assert digest(asdict(first)) == digest(asdict(again)) == digest(asdict(learned))
    assert kept.done("tiny", 1)
    assert not kept.done("tiny", 2)


def test_the_first_weeks_find_a_large_step_after_a_week(world: Environment):
    """And raise few false alarms on independent values."""
    drawn = steps.Steps(np.arange(4), np.full(4, 16 * PER_DAY), np.full(4, 5.0))
    opened, hours = first_weeks.life(world, 0, drawn, steps.deviations(world), 1.0, False)
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
