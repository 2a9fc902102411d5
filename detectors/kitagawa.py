r"""Where a mean moved: the change of a total split exactly into what its parts did and how their weights changed.

A contrast over all records is the mean of the contrasts of the segments, $x = \sum_s w_s x_s$, with $w_s$ their parts of the
values. Between two times (now with a prime)

$$ x' - x = \sum_s \underbrace{(w'_s - w_s)(x_s - x)}_{\text{mix}} + \sum_s \underbrace{w'_s (x'_s - x_s)}_{\text{within}} $$

The mix is measured against the total because the weights add up to 1 both times: a segment that grew counts only as far as it
differs from the others. This is the split with the old means and the new weights; the one that averages both (Kitagawa's
symmetric one) has no interaction either, and was rejected because "what if only the mix had changed" is easier to say.

References:
    Kitagawa, E. M. (1955). Components of a difference between two rates. JASA 50, 1168-1194.
    Oaxaca, R. (1973) and Blinder, A. S. (1973), for the same split of differences between means of regressions.
"""

from __future__ import annotations

import numpy as np

from detectors.base import Floats, Ints, require


def split(x: Floats, n: Ints, x_now: Floats, n_now: Ints) -> tuple[Floats, Floats]:
    """Return (mix float64[S], within float64[S]); together they add up to the change of the total.

    Args:
        x, x_now: float64[S], the mean of each segment; whatever it is where a segment has no values. n, n_now: int64[S], values.

    A segment that was not there before has no mean to go by: it is measured against the old total, and all it adds is within.

    >>> mix, within = split(np.array([0.0, 1.0]), np.array([50, 50]), np.array([0.0, 1.0]), np.array([25, 75]))
    >>> mix.tolist(), within.tolist()  # nothing moved but the weights
    ([0.125, 0.125], [0.0, 0.0])
    >>> split(np.array([0.0, 1.0]), np.array([50, 50]), np.array([0.0, 2.0]), np.array([50, 50]))[1].tolist()
    [0.0, 0.5]
    """
    require(bool(n.sum() > 0 and n_now.sum() > 0), "both times need a value")
    w, w_now = n / n.sum(), n_now / n_now.sum()
    total = float(np.where(n > 0, w * x, 0.0).sum())
    before = np.where(n > 0, x, total)
    mix = (w_now - w) * (before - total)
    within = np.where(n_now > 0, w_now * (np.where(n_now > 0, x_now, 0.0) - before), 0.0)
    return mix, within
