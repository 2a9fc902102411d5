"""What moved, in the user's units: the bin that gained most, and its share before and now."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.judging.describe import percent
from stream.layout import UNSEEN, Bins


def moved(bins: Bins, counts: NDArray[np.int64], shares: NDArray[np.float64]) -> str:
    """Return what to add to a sentence about a changed distribution.

    The bin named is the one with the largest signed deviance o log(o/e): the one that tells the two apart best.

    Args:
        bins: of the field. counts: int64[36], now. shares: float64[36], the reference.
    """
    now = counts / max(int(counts.sum()), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(now > 0, now * np.log(now / shares), 0.0)
    top = int(np.argmax(deviance))
    return f"; share of {label(bins, top)}: {percent(float(shares[top]))} -> {percent(float(now[top]))}"


def label(bins: Bins, bin: int) -> str:
    """Return a bin in words; category values only where the field says ``show``, codes rounded where it does not."""
    if bins.kind == "bool":
        return ("false", "true")[min(bin, 1)]
    if bins.kind in ("category", "code"):
        if bin == UNSEEN:
            return "values never seen before"
        shown = bins.names[bin] if bin < len(bins.names) else ""
        if bins.names.count(shown) == 1:
            return shown
        return f"{bins.kind} {bin + 1}" + (f" ({shown})" if shown else "")  # two codes may be about 10000
    low = f"{bins.edges[bin - 1]:.4g}" if bin > 0 else ""
    high = f"{bins.edges[bin]:.4g}" if bin < len(bins.edges) else ""
    if low and high:
        return f"[{low}, {high})"
    return f"values below {high}" if high else f"values from {low} on"
