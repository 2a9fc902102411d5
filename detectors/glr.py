r"""When did it begin? The generalised likelihood ratio over every possible onset.

With whitened values $\psi$, their long-run variance $\ell^2$ and prefix sums S over m usable panes, a mean that changed after
pane s is supported by

$$ \mathrm{GLR}(s) = \frac{(S_m - S_s)^2}{(m - s)\,\ell^2} $$

The onset is where that is largest. Twice the log-likelihood lies within c of its maximum for the onsets that the data do not rule
out; c is larger than a chi-square quantile, because the onset is no regular parameter and the maximum is where noise helped most.

c grows with the maximum. An alarm comes when the evidence exceeds what noise alone brings a series in normal weeks; where that
is much, the noise has waves longer than a day, which $\ell$ does not hold, and ratios differ by as much more. With c = 6 for all,
the interval held 82 % of the onsets of steps of 1 sd in household power, and the ones that it lost were of such series. It
does not grow for ever: behind the alarm evidence gathers because the change lasts, and the noise is what it was.
"""

from __future__ import annotations

import numpy as np

from detectors.base import Floats, require

WITHIN = 6.0
"""c of a maximum up to 24, which is what an alarm takes on independent values."""

SHARE, MOST = 1 / 4, 18.0
"""c as a share of the maximum, and its end: chosen on steps in the first 26 weeks of household power, so that the interval
holds nine of ten; on the other 26 weeks it does too (`make budget` prints the share for every environment)."""


def onset(psi: Floats, longrun: float) -> tuple[int, int, int]:
    """Return (earliest, likeliest, latest) pane at which a change may have begun, as positions in ``psi``.

    Args:
        psi: float64[T], whitened values up to the alarm, oldest first; nan where a pane had none. longrun: their long-run sd.

    Raises:
        ValueError: there is no value.

    >>> onset(np.array([0.3, -0.5, 0.1, 0.0, 2.5, 1.9, 2.5, 2.2]), 1.0)
    (3, 4, 4)
    >>> onset(np.array([0.3, -0.5, 0.1, 0.0, 0.8, 1.1, 0.9, 1.2]), 1.0)
    (0, 4, 7)
    """
    panes = np.flatnonzero(np.isfinite(psi))
    require(panes.size > 0, "no value to date a change with")
    value = psi[panes]
    since = np.cumsum(value[::-1])[::-1]
    ratio = since**2 / (np.arange(len(value), 0, -1) * longrun**2)
    within = min(max(WITHIN, SHARE * float(ratio.max())), MOST)
    begins = np.concatenate([[0], panes[:-1] + 1])  # nobody saw what happened between two usable panes
    likely = np.flatnonzero(ratio >= ratio.max() - within)
    return int(begins[likely[0]]), int(panes[ratio.argmax()]), int(panes[likely[-1]])
