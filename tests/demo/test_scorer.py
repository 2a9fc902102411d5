"""The scorer: river's predictions, as one matrix product."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stream.demo import data, scorer


@pytest.fixture(scope="module")
def model(published: data.Flights) -> object:
    return scorer.fit(published)


def test_the_frozen_weights_give_the_predictions_of_river(published: data.Flights, model: object) -> None:
    frozen = scorer.freeze(model).score(published)
    rows = np.random.default_rng(7).integers(0, len(published), 2000)
    expected = [model.predict_proba_one(scorer.inputs(published, int(row)))[True] for row in rows]  # type: ignore[attr-defined]
    np.testing.assert_allclose(frozen[rows], expected, rtol=0, atol=1e-12)
    assert any(len(scorer.inputs(published, int(row))) < len(scorer.INPUTS) for row in rows), "some values are missing"


def test_it_learned_january_only_and_is_useful_for_the_rest_of_the_year(published: data.Flights, model: object) -> None:
    arrived_in_january = ~np.isnan(published.landed) & (published.departed < scorer.LEARNED)
    assert model["LogisticRegression"].optimizer.n_iterations == arrived_in_january.sum()  # type: ignore[index]
    scores = scorer.freeze(model).score(published)
    later = ~np.isnan(published.landed) & (published.departed >= scorer.LEARNED)
    assert _auc(published.late[later], scores[later]) > 0.9


def test_a_second_run_takes_the_weights_from_the_file(small: data.Flights, tmp_path: Path) -> None:
    first = scorer.learned(small, tmp_path / "new" / "scorer.json")
    emptied = data.Flights(small.key[:0], small.departed[:0], small.landed[:0], small.arrival_delay[:0], small.features)
    assert scorer.learned(emptied, tmp_path / "new" / "scorer.json") == first


def _auc(late: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a late flight has a higher score than one that is not."""
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores, kind="stable")] = np.arange(1, len(scores) + 1)
    positives = int(late.sum())
    return float((ranks[late].sum() - positives * (positives + 1) / 2) / (positives * (len(late) - positives)))
