"""A shifted contrast in the user's units: how large, since when, and under which promise it was found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.contrasts import MISSING, largest, missing_share
from stream.judging.describe import percent
from stream.judging.drift import Drift, Shift
from stream.judging.moved import label
from stream.judging.recent import PANES
from stream.layout import UNSEEN, Bins


def size_of(shift: Shift, bins: Bins | None, shares: NDArray[np.float64]) -> str:
    """Return what to add to the sentence: direction and size since the onset.

    Which bins moved is for `streamgauge explain`, which reads every pane since then: one alone says little.

    Args:
        shares: float64[36], the reference.
    """
    if shift.family == MISSING:
        points = missing_share(shift.size) - missing_share(0.0)
        return f": {percent(abs(points))} {'more' if points > 0 else 'fewer'} of its records than usual"
    if bins is None or shift.family == "shape":
        return ""
    if shift.family == "location":
        return f": {abs(shift.size):.2g} of its standard deviations {'higher' if shift.size > 0 else 'lower'}"
    if shift.family == "scale":
        return ": wider" if shift.size > 0 else ": narrower"
    own = members(shift, bins, shares)
    before = float(shares[own].sum() / shares.sum())
    now = min(max(before + shift.size * np.sqrt(before * (1 - before)), 0.0), 1.0)
    names = {
        "tail": "its outermost values",
        "other": "all but its most frequent values",
        "unseen": "values never seen before",
    }
    return f": share of {names.get(shift.family) or label(bins, int(own[0]))} {percent(before)} -> about {percent(now)}"


def members(shift: Shift, bins: Bins, shares: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the bins that a contrast on shares adds up."""
    if shift.family == "tail":
        last = len(bins.edges)
        return np.unique([0, 1, last - 1, last])
    if shift.family == "unseen":
        return np.array([UNSEEN])
    if shift.family == "other":
        return np.setdiff1d(np.arange(UNSEEN), largest(bins, shares))
    return np.array([1 if bins.kind == "bool" else int(shift.name)])


def dated(shift: Shift, coarse_ms: int) -> dict[str, Any]:
    """Return the evidence: what moved, and when it began."""
    early, likely, late = (index * coarse_ms for index in shift.onset)
    onset = {"earliest_ms": early, "likeliest_ms": likely, "latest_ms": late}
    return {
        "onset": onset,
        "contrast": shift.family if shift.name == shift.family else f"{shift.family} {shift.name}",
        "size": round(shift.size, 3),
        "looked_back_ms": PANES * coarse_ms,
    }


def kept_by(drift: Drift, shift: Shift) -> str:
    """Say what a limit rests on: ``calibrated``, ``provisional until`` a date, or ``provisional`` while its field is young."""
    if not shift.provisional:
        return "calibrated"
    return f"provisional until {drift.until}" if drift.until else "provisional"
