"""A shift in words: before and now in the user's units, also for what adds several values up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.contrasts import FAMILIES, Contrasts
from stream.judging.drift import Shift
from stream.judging.shifted import members, size_of
from stream.layout import BINS, UNSEEN, Bins
from stream.learn import basis


def category(values: int) -> tuple[Bins, NDArray[np.float64]]:
    known = np.arange(values, dtype=np.int64)
    counts = np.zeros((1, BINS), np.int64)
    counts[0, :values] = 1000 * np.arange(values, 0, -1)
    return Bins("category", np.zeros(0), known, known, ("",) * BINS), basis(counts)[0]


def shift(family: str, name: str, size: float) -> Shift:
    return Shift(0, family, name, 20.0, 10.0, (1, 2, 3), size)


def test_every_contrast_adds_up_the_bins_that_it_is_about() -> None:
    """With weight one and the same sign in the contrast itself, so that words and numbers cannot come apart."""
    bins, shares = category(12)
    contrasts, none = Contrasts([bins], shares[None]), np.zeros((1, 2), np.int64)
    for k, (name, family) in enumerate(zip(contrasts.names, contrasts.family, strict=True)):
        kind = FAMILIES[family]
        if kind == "missing":
            continue
        own = members(shift(kind, name, 1.0), bins, shares)
        inside, outside = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
        inside[own], outside[np.setdiff1d(np.arange(UNSEEN), own)] = 100, 100
        assert contrasts.values(inside[None], none)[0][k] > 0 > contrasts.values(outside[None], none)[0][k], (
            kind,
            name,
        )


def test_shares_stay_shares() -> None:
    bins, shares = category(12)
    for family, name in (("share", "0"), ("other", "other"), ("unseen", "unseen")):
        for size in (-50.0, 0.5, 50.0):
            said = size_of(shift(family, name, size), bins, shares)
            assert "nan" not in said
            before, now = _numbers(said)
            assert 0 <= before <= 100
            assert 0 <= now <= 100
            assert (now >= before) == (size > 0)


def _numbers(said: str) -> tuple[float, float]:
    left, _, right = said.rpartition(" -> about ")
    return float(left.removesuffix(" %").rpartition(" ")[2]), float(right.removesuffix(" %"))


def test_missing_values_are_told_in_points_of_the_records() -> None:
    """Also of a field without bins: whether it is there needs none."""
    shares = np.full(BINS, np.nan)
    more, fewer = (size_of(shift("missing", "missing", size), None, shares) for size in (1.55, -1.55))
    assert more == ": 4.9 % more of its records than usual"
    assert fewer == ": 4.9 % fewer of its records than usual"
