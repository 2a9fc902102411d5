"""Records as columns become the counts that they would become one by one; no data set is fetched here."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection import data
from benchmarks.detection.data import DAY_MS, MINUTE_MS, Table
from benchmarks.detection.folding import folded, learned
from benchmarks.detection.panes import PaneSeries, series, synthetic_weeks
from benchmarks.detection.synthetic import BEGIN_MS, Synthetic
from stream.layout import BINS, UNSEEN

SMALL = Synthetic("full", features=3, records=4)
SPAN = (BEGIN_MS, BEGIN_MS + DAY_MS)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept from one test to the next; `data.FOLDER` is relative."""
    monkeypatch.chdir(tmp_path)


def small(seed: int = 1) -> list[PaneSeries]:
    """Two weeks."""
    return list(synthetic_weeks(Synthetic("full", SMALL.features, SMALL.records, seed), 2))


def test_counts_are_those_of_searchsorted() -> None:
    """Bin k holds what is at least edge k - 1 and less than edge k."""
    tables = list(SMALL.week(0, next(SMALL.latents())))
    first = small()[0]
    assert (first.kinds, first.first, len(first)) == (("number",) * 3, BEGIN_MS // MINUTE_MS, 7 * 1440)
    for row, name in enumerate(first.fields):
        values = np.concatenate([table.columns[name] for table in tables])
        places = first.edges[row].searchsorted(values, "right")
        pane = np.repeat(np.arange(len(first)), SMALL.records)
        counted = np.bincount(BINS * pane + places, minlength=BINS * len(first)).reshape(-1, BINS)
        np.testing.assert_array_equal(first.bins[:, row], counted)


def test_every_record_is_in_a_bin_or_missing() -> None:
    """What is no number and what is null are missing; a text that was not learned has a bin. Panes may be empty."""
    n = 12_000
    rng = np.random.default_rng(1)
    times = np.sort(BEGIN_MS + rng.integers(DAY_MS // MINUTE_MS // 2, size=n) * 2 * MINUTE_MS)
    number = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n))
    number[-7:] = np.inf
    text = rng.choice(np.array(["a", "b", None], object), n)
    text[-5:] = "new"
    table = Table(times, {"number": number, "text": text})
    section = learned("s", ("number", "text"), [table])
    bins, records, missing = folded(section, [table], SPAN)
    assert [item and item.kind for item in section.bins] == ["number", "category"]
    assert records.sum() == n
    assert (records[1::2] == 0).all()
    np.testing.assert_array_equal(bins.sum(axis=2, dtype=int) + missing, np.repeat(records[:, None], 2, axis=1))
    assert missing.sum(axis=0).tolist() == [(~np.isfinite(number)).sum(), sum(item is None for item in text)]
    assert bins[:, 1, UNSEEN].sum() == 5


def test_the_same_seed_gives_the_same_counts() -> None:
    made, read = small(), small()
    for ours, theirs in zip(made, read, strict=True):
        assert (ours.name, ours.first, ours.section.id) == (theirs.name, theirs.first, theirs.section.id)
        for name in ("bins", "records", "missing"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert len(list(data.FOLDER.glob("full-*.npz"))) == 2, "the second time they came from disk"
    assert made[0].section.id == made[1].section.id, "all weeks have the bins of the first one"
    assert (made[0].bins != small(seed=2)[0].bins).any()


def test_a_series_is_its_weeks_one_after_another() -> None:
    (whole,) = series("full", features=SMALL.features, records=SMALL.records, weeks=2)
    np.testing.assert_array_equal(whole.bins, np.concatenate([part.bins for part in small()]))
    assert (whole.first, len(whole)) == (BEGIN_MS // MINUTE_MS, 2 * 7 * 1440)


@pytest.mark.parametrize(("environment", "variance"), [("iid", 0.0), ("season", 0.5 * 5.5 / 7), ("ar", 1.0)])
def test_the_latent_is_as_wide_as_the_noise_of_a_pane(environment: str, variance: float) -> None:
    """A sine has half its squared amplitude; it is half as high on two days of seven."""
    latent = next(Synthetic(environment, features=50, records=60).latents())
    assert latent.shape == (50, 7 * 1440)
    assert latent.var(axis=1).mean() * 60 == pytest.approx(variance, rel=0.05)


def test_environments_go_on_from_week_to_week() -> None:
    """An AR(1) keeps nine tenths over the border of two weeks, as within."""
    weeks = Synthetic("ar", features=500, records=1).latents()
    before, after = next(weeks)[:, -1], next(weeks)[:, 0]
    assert np.corrcoef(before, after)[0, 1] == pytest.approx(0.9, abs=0.03)


def test_what_cannot_be_made_is_said() -> None:
    with pytest.raises(
        ValueError, match=r"^there is no series 'sales'; there are flights, power, iid, season, ar, full$"
    ):
        next(series("sales"))
    with pytest.raises(ValueError, match=r"^'environment' must be one of iid, season, ar, full, got 'calm'$"):
        Synthetic("calm")
    few = Table(BEGIN_MS + np.arange(100) * MINUTE_MS, {"x": np.arange(100.0)})
    with pytest.raises(ValueError, match=r"^s: 100 records are too few to learn bins from$"):
        learned("s", ("x",), [few])
    crowded = Table(np.full(70_000, BEGIN_MS), {"x": np.arange(70_000.0)})
    with pytest.raises(ValueError, match=r"^70000 records in one pane do not fit into uint16$"):
        learned("s", ("x",), [crowded])


def test_a_source_that_cannot_be_fetched_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(data.FetchError, match=r"^vega-datasets@3\.2\.1 from npm: 'npm' is not installed$"):
        data.flights()
    assert list(data.FOLDER.iterdir()) == []
