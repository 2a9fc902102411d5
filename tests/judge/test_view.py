"""What rules on fields look at: a pane that repeats says something only where chance would not do it."""

from __future__ import annotations

import numpy as np
import pytest

from detectors import Stuck
from stream.counts import NO_NUMBER, NUMBER, VARIED, FieldCounts
from stream.judging.view import FIELD_RULES, MAX_LUCK, View
from stream.layout import BINS

CONSTANT = next(inputs for name, _, _, inputs in FIELD_RULES if name == "constant")


def view(*rows: list[int]) -> View:
    bins = np.zeros((len(rows), BINS), np.int64)
    for row, filled in zip(bins, rows, strict=True):
        row[: len(filled)] = filled
    counts = FieldCounts.zero(len(rows))
    counts.types[:, NUMBER] = bins.sum(axis=1)
    return View(counts, np.full(len(rows), NUMBER), bins)


def test_a_pane_over_many_bins_repeats_only_if_every_count_does() -> None:
    one, same, other = view([10] * 20).summary(), view([10] * 20).summary(), view([9, 11, *[10] * 18]).summary()
    assert one == same
    assert one != other


@pytest.mark.parametrize("row", [[], [200], [100, 100], [199, 1], [60, 70, 70]])
def test_few_bins_prove_nothing(row: list[int]) -> None:
    """Two healthy panes of 200 values in two bins are equal in 4 % of the cases."""
    assert np.isnan(view(row).summary()).all()


@pytest.mark.parametrize(("n", "shares"), [(60, [0.2] * 5), (500, [0.4, 0.3, 0.2, 0.1]), (40, [0.3, *[0.1] * 7])])
def test_what_is_judged_repeats_by_chance_as_rarely_as_stated(n: int, shares: list[float]) -> None:
    """The probability that is worked out for each pane is a little too small where counts are small."""
    panes = np.random.default_rng(3).multinomial(n, shares, size=100_000)
    judged = ~np.isnan(view(*panes[:2000].tolist()).summary())
    assert judged.mean() > 0.1
    assert (panes[1:] == panes[:-1]).all(axis=1).mean() < 2 * MAX_LUCK


def test_a_narrow_field_is_not_called_stuck() -> None:
    """Its values fill two bins; before, the exact extremes of a pane, which may not leave the process, told panes apart."""
    rng = np.random.default_rng(5)
    stuck = Stuck(1)
    for pane in range(2000):
        stuck.update(view(rng.multinomial(200, [0.5, 0.5]).tolist()).summary(), [200], pane)
        assert not stuck.drift_detected[0]


def test_constant_means_that_all_numbers_are_equal() -> None:
    seen = view([50], [50], [50])
    seen.counts.only[:] = (-77, VARIED, NO_NUMBER)
    x, n = CONSTANT(seen)
    assert x.tolist() == [1.0, 0.0, 0.0]
    assert n.tolist() == [50, 50, 50]
