"""Scores of one model version against those of the others, or against the reference when it is alone."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.base import Bools, Detector, Floats, Ints, require
from detectors.histogram import distance, distance_sd, two_sample


class ScoreShift(Detector):
    r"""A model version whose scores are distributed otherwise than those of the other versions.

    x is int64[K, 2, B]: for each version its own score histogram and that of **all other versions of the same pane**
    together. Same panes, because traffic of the same minute is the fairest comparison: a season moves both sides. Both
    histograms in one array, because only a pair is a value of this stream.

    Panes in which both sides have records are added up until both hold ``enough``; then, with D and its standard
    deviation under no difference from `detectors.histogram.two_sample`, the version is wrong when

    $$ D > \text{effect} + z \cdot \text{sd} $$

    and the sums start anew, so a verdict is about recent records only. Panes of a version that is alone go into a sum of
    their own, which is compared with the reference shares in the same way; without a reference they say nothing.
    Between two tests statistic and status stay.

    Args:
        k: number of versions.
        bins: number of score bins B.
        shares: float64[K, B], reference shares > 0 for versions that are alone; a NaN row, or None, for no reference.
        effect: smallest distance worth an alarm; 0.1 is a normal score moved by 0.3 standard deviations.
        z: standard deviations. enough: records on both sides that make a test.

    Notes:
        n is the version's own number of records, and one suffices (``min_n`` 1).
        Cost: 5 us per version and update (measured). State: 24 B bytes per version beside the outputs.
        Blind spots: versions that serve different traffic by design differ without fault, and this cannot know; so does
        a version alone when the population moves. Slow accumulation: a version with 1 record per pane is tested once in
        200 panes.

    Examples:
        >>> rng = np.random.default_rng(4)
        >>> versions = ScoreShift(k=1, bins=4)
        >>> for pane in range(100):
        ...     new = [0.25] * 4 if pane < 50 else [0.05, 0.15, 0.3, 0.5]
        ...     counts = np.stack([rng.multinomial(40, new), rng.multinomial(400, [0.25] * 4)])
        ...     versions.update(counts[None], [40], pane * 60_000)
        ...     if versions.drift_detected[0]:
        ...         print(pane, versions.REASONS[versions.reason[0]])
        ...         break
        54 score_shift
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "score_shift", "score_shift_to_reference")
    STATE: ClassVar[tuple[str, ...]] = ("pair", "alone")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self,
        k: int,
        bins: int,
        shares: Floats | None = None,
        effect: float = 0.1,
        z: float = 5.0,
        enough: int = 200,
    ) -> None:
        require(bins >= 2, f"'bins' must be >= 2, got {bins}")
        require(enough >= 2, f"'enough' must be >= 2, got {enough}")
        super().__init__(k, min_n=1)
        self.bins = bins
        self.shares = np.full((k, bins), np.nan) if shares is None else np.array(shares, np.float64)
        require(self.shares.shape == (k, bins), f"'shares' must have shape ({k}, {bins}), got {self.shares.shape}")
        require(not (self.shares <= 0.0).any(), "'shares' must be > 0; smoothed(counts) makes them so")
        self.effect = effect
        self.z = z
        self.enough = enough
        self.pair = np.zeros((k, 2, bins), np.int64)
        self.alone = np.zeros((k, bins), np.int64)

    def step(self, rows: Ints, x: NDArray[Any], n: Ints, t: int) -> None:
        own, other = (x.sum(axis=2) > 0).T
        self.pair[rows[own & other]] += x[own & other].astype(np.int64)
        self.alone[rows[own & ~other]] += x[own & ~other, 0].astype(np.int64)
        self._test_pairs(rows[(self.pair[rows].sum(axis=2) >= self.enough).all(axis=1)])
        known = np.isfinite(self.shares[rows]).all(axis=1)
        self._test_alone(rows[known & (self.alone[rows].sum(axis=1) >= self.enough)])

    def _test_pairs(self, rows: Ints) -> None:
        self._verdict(rows, *two_sample(self.pair[rows, 0], self.pair[rows, 1]), reason=1)
        self.pair[rows] = 0

    def _test_alone(self, rows: Ints) -> None:
        counts = self.alone[rows]
        self._verdict(rows, distance(counts, self.shares[rows]), distance_sd(counts.sum(axis=1), self.bins), reason=2)
        self.alone[rows] = 0

    def _verdict(self, rows: Ints, apart: Floats, sd: Floats, reason: int) -> None:
        threshold = self.effect + self.z * sd
        wrong: Bools = apart > threshold
        self.conclude(rows, apart, threshold, wrong, np.True_, reason)
