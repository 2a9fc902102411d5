r"""Shiryaev-Roberts: how much likelier a change has made the data since, summed over every moment at which it may have begun.

For values z that are about standard normal while nothing has changed, the likelihood ratio of a mean of $s\lambda$ is
$L = \exp(s\lambda z - \lambda^2/2)$, and

$$ R_t = (e^{-\Delta t/\tau} R_{t-1} + 1)\,L_t $$

which needs no guess of the onset. Sizes are not known either, so ten run side by side ($\lambda = 1/8, 1/4, 1/2, 1, 2$ in both
directions), and the statistic is $\log(1 + \bar R)$. Without forgetting $R_t - t$ is a martingale while nothing has changed,
so the chance that $\bar R$ ever exceeds A within T updates is at most T/A (and KT/A for K streams, however they depend on each
other); forgetting only lowers R. It is there because real data are not independent: a slow wave a week ago must not add to one
of today.

R is held in float32: half the memory, and a third of the time, since numpy takes its exponentials 16 at a time. A statistic is
exact to about 1e-5. What float32 cannot hold is cut off on purpose: R at `CAP` where there is no limit, limits at `HIGHEST`.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.base import Detector, Floats, Ints, require

DOUBLINGS = 5
SMALLEST = 1 / 8
SIZES = 2 * DOUBLINGS
CAP = 1e30
"""R goes no further where there is no limit: the statistic no further than 69.1."""

ABOVE = 10.0
"""The statistic goes no further above its limit. From there it is back after three days of healthy values of five-minute panes,
however long the drift was; without a bound that takes as long as the drift had lasted. With 3 instead of 10 it would be one day,
and a stream that wavers would be an alarm twice."""

HIGHEST = 70.0
"""A higher limit counts as this one, or its stream could not alarm: exp(HIGHEST + ABOVE) leaves float32 just the room for ten
sizes and one more value at the clip. No day that taught was beyond it (`CAP`), so a limit there keeps the same budget."""

Singles = NDArray[np.float32]


class ShiryaevRoberts(Detector):
    r"""A whitened series whose mean has changed.

    Args:
        limit: float64[K], the statistic above which a stream has drifted, at most `HIGHEST`; inf for one that may only watch.
        tau_ms: time in which the past fades to 1/e.
        min_n: fewest values that make a pane usable.

    Notes:
        x is the whitened value (`detectors.baseline`), within a few units: mean 0, long-run variance 1. n only says whether the
        pane is usable. Cost: `make budget` prints that of a pane of 1,000 fields, contrasts and all. State: 48 bytes per stream
        beside the outputs.
        False alarms: `FALSE_ALARMS` is the rate on independent values at a limit of 14; what the limit must be on real data is
        learned (`detectors.risk_control`).
        It is drifted while the statistic is above its limit. Once the values are back the smallest size forgets slowest: log R
        falls by the time over tau and by 1/128 a pane.
        Blind spots: a change that is shorter than a few panes, since x is clipped by whoever whitens it; a change of spread
        (that is a contrast of its own, `detectors.contrasts`); a drift slower than tau.

    Examples:
        >>> rng = np.random.default_rng(5)
        >>> watch = ShiryaevRoberts(limit=np.array([np.log(10_000)]))
        >>> for pane in range(200):
        ...     watch.update(rng.normal([0.0 if pane < 150 else 1.0]), [100], pane * 60_000)
        ...     if watch.drift_detected[0]:
        ...         print(pane)
        ...         break
        172

    References:
        Pollak, M. and Tartakovsky, A. (2009). Optimality properties of the Shiryaev-Roberts procedure. Statistica Sinica 19.
        Shin, J., Ramdas, A. and Rinaldo, A. (2024). E-detectors. New England Journal of Statistics in Data Science 2(2).
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "distribution")
    STATE: ClassVar[tuple[str, ...]] = ("ratio", "last")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(self, limit: Floats, tau_ms: float = 86_400_000.0, min_n: int = 30) -> None:
        limit = np.array(limit, np.float64)
        require(limit.ndim == 1, f"'limit' must have shape (K,), got {limit.shape}")
        require(not np.isnan(limit).any(), "'limit' must not be NaN; inf means that the stream never alarms")
        require(tau_ms > 0.0, f"'tau_ms' must be > 0, got {tau_ms}")
        super().__init__(len(limit), min_n)
        self.limit = np.where(np.isfinite(limit), np.minimum(limit, HIGHEST), limit)
        self.most = np.where(np.isfinite(limit), np.exp(self.limit + ABOVE), CAP).astype(np.float32)
        self.tau_ms = tau_ms
        self.ratio: Singles = np.zeros((SIZES, len(limit)), np.float32).T  # in memory by size: a row for all streams
        self.last = np.zeros(len(limit), np.int64)

    def at_limit(self, limit: Floats) -> ShiryaevRoberts:
        """Return a detector that goes on from here at other limits; what was concluded at the old ones is not carried over."""
        other = ShiryaevRoberts(limit, self.tau_ms, self.min_n)
        other.restore({**self.state(), "threshold": other.threshold, "status": other.status})
        return other

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        at = self.at(rows)
        self.move(at, x, t)
        statistic = evidence(total(self.ratio[at].T))
        limit = self.limit[at]
        self.conclude(rows, statistic, limit, statistic > limit, np.isfinite(limit))

    def move(self, at: Ints | slice, x: NDArray[np.floating], t: int) -> None:
        """Take one value of each of some streams, without a conclusion: what learning, which draws none, does with a pane."""
        keep = np.exp(np.minimum(self.last[at] - t, 0).astype(np.float32) * np.float32(1.0 / self.tau_ms))
        ratio = self.ratio[at].T
        advance(ratio, x.astype(np.float32, copy=False), keep, self.most[at])
        self.ratio[at] = ratio.T
        self.last[at] = t


def advance(ratio: Singles, x: Singles, keep: Singles, most: Singles) -> None:
    """Move R, float32[10, K] by size and direction, on by one value of each stream, in place.

    Args:
        x: whitened. keep: how much of R is left since the last one. most: R goes no further.
    """
    ratio *= keep
    ratio += 1.0
    with np.errstate(over="ignore", divide="ignore"):  # a value far beyond the clip: R is infinite before it is cut
        up = np.exp(np.float32(SMALLEST) * x)
        down = 1.0 / up
        size = SMALLEST
        for row in range(0, SIZES, 2):  # exp(2 lambda x) is exp(lambda x) squared: one exponential instead of ten
            ratio[row] *= up * np.float32(np.exp(-(size**2) / 2))
            ratio[row + 1] *= down * np.float32(np.exp(-(size**2) / 2))
            up *= up
            down *= down
            size *= 2
    np.minimum(ratio, most, out=ratio)


def total(ratio: Singles) -> Singles:
    """Return R added up over sizes, one after the other: numpy's own sum is of another order where there is one stream."""
    added: Singles = ratio[0].copy()
    for row in ratio[1:]:
        added += row
    return added


def evidence(added: Singles) -> Floats:
    """Return the statistic of `total`."""
    return np.asarray(np.log1p(added / np.float32(SIZES)), np.float64)
