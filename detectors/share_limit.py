"""A share against a stated limit: the score test, which is what Wilson's interval inverts."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Detector, Floats, Ints, require


def limit_threshold(limit: float, n: Ints, z: float = 3.0) -> Floats:
    """Return the share above which the lower end of Wilson's interval exceeds ``limit``.

    Wilson's lower end (with continuity correction, Newcombe's method 4) lies above the limit L exactly when

        x > L + z sqrt(L (1 - L) / n) + 1 / (2 n)

    The right-hand side is used because it is a number to compare x with, and to draw. Without the correction a limit of
    1 % would be "exceeded" by 2 of 30 values, which a true share of 0.5 % brings about every hundredth pane.

    Args:
        limit: between 0 and 1. n: number of values. z: 3 is a one-sided error of 0.13 % for a share equal to the limit.

    >>> limit_threshold(0.01, np.array([30, 100, 10_000])).round(4)
    array([0.0812, 0.0448, 0.013 ])
    """
    return limit + z * np.sqrt(limit * (1.0 - limit) / n) + 0.5 / n


def require_shares(x: Floats) -> None:
    """Raise ValueError unless every x is a share: a count in its place is a mistake of the caller, not a pane."""
    outside = (x < 0.0) | (x > 1.0)
    if np.count_nonzero(outside):
        raise ValueError(f"'x' must be a share in [0, 1], got {x[outside][0]}; was it divided by n?")


class ShareLimit(Detector):
    r"""A share that is surely above a stated limit.

    $$ x > L + z\sqrt{L(1-L)/n} + 1/(2n) $$

    which says that the lower end of Wilson's interval of x lies above L. It needs no history: one pane suffices.

    Args:
        k: number of streams.
        limit: the largest share that is tolerated.
        z: standard errors of certainty.
        min_n: fewest values that make a pane usable.

    Notes:
        Cost: 4 numpy calls per update. State: the outputs only, 27 bytes per stream.
        False alarms: measured over 600,000 panes with a limit of 1 %: for a true share of 0.2 % 3e-5 per pane at n = 30 and
        none at 300; for 0.5 % 4e-4 and 3e-5; for a share equal to the limit 3e-3.
        Blind spots: a rise below the limit; thin panes need a far larger share than the limit (8 % at n = 30 for 1 %).
        Values that come in runs (one broken client) are not independent: the certainty is then less than z says.

    Examples:
        >>> detector = ShareLimit(k=1, limit=0.05)
        >>> for pane, wrong in enumerate([0, 1, 2, 9, 40]):
        ...     detector.update([wrong / 100], [100], pane * 60_000)
        ...     if detector.drift_detected[0]:
        ...         print(pane, detector.statistic[0], round(detector.threshold[0], 4))
        4 0.4 0.1204

    References:
        Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. JASA 22.
        Newcombe, R. G. (1998). Two-sided confidence intervals for the single proportion. Statistics in Medicine 17.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "above_limit")
    FALSE_ALARMS: ClassVar[float] = 1e-4

    def __init__(self, k: int, limit: float, z: float = 3.0, min_n: int = 30) -> None:
        require(0.0 <= limit < 1.0, f"'limit' must be in [0, 1), got {limit}")
        require(z > 0.0, f"'z' must be > 0, got {z}")
        require(min_n >= 1, f"'min_n' must be >= 1, got {min_n}")
        super().__init__(k, min_n)
        self.limit = limit
        self.z = z

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        require_shares(x)
        threshold = limit_threshold(self.limit, n, self.z)
        self.conclude(rows, x, threshold, x > threshold, np.True_)
