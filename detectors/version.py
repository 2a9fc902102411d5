"""Scores of one model version against those of the others."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.base import Bools, Detector, Ints, require
from detectors.histogram import two_sample


class ScoreShift(Detector):
    r"""A model version whose scores are distributed otherwise than those of the other versions.

    x is int64[K, 2, B]: for each version its own score histogram and that of **all other versions of the same pane**
    together. Same panes, because traffic of the same minute is the fairest comparison: a season moves both sides. Both
    histograms in one array, because only a pair is a value of this stream.

    Panes in which both sides have records are added up until both hold ``enough``; then, with D and its standard
    deviation under no difference from `detectors.histogram.two_sample`, the version is wrong when

    $$ D > \text{effect} + z \cdot \text{sd} $$

    and the sums start anew, so a verdict is about recent records only. Panes of a version that is alone say nothing here:
    `HistogramDrift` compares them with the reference, and knows how much panes vary by themselves. Between two tests statistic
    and status stay.

    Args:
        k: number of versions.
        bins: number of score bins B.
        effect: smallest distance worth an alarm; 0.1 is a normal score moved by 0.3 standard deviations.
        z: standard deviations. enough: records on both sides that make a test.

    Notes:
        n is the version's own number of records, and one suffices (``min_n`` 1).
        Cost: 5 us per version and update (measured). State: 16 B bytes per version beside the outputs.
        Blind spots: versions that serve different traffic by design differ without fault, and this cannot know. Slow
        accumulation: a version with 1 record per pane is tested once in 200 panes.

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

    REASONS: ClassVar[tuple[str, ...]] = ("", "score_shift")
    STATE: ClassVar[tuple[str, ...]] = ("pair",)
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self,
        k: int,
        bins: int,
        effect: float = 0.1,
        z: float = 5.0,
        enough: int = 200,
    ) -> None:
        require(bins >= 2, f"'bins' must be >= 2, got {bins}")
        require(enough >= 2, f"'enough' must be >= 2, got {enough}")
        super().__init__(k, min_n=1)
        self.bins = bins
        self.effect = effect
        self.z = z
        self.enough = enough
        self.pair = np.zeros((k, 2, bins), np.int64)

    def step(self, rows: Ints, x: NDArray[Any], n: Ints, t: int) -> None:
        both = (x.sum(axis=2) > 0).all(axis=1)
        self.pair[rows[both]] += x[both].astype(np.int64)
        rows = rows[(self.pair[rows].sum(axis=2) >= self.enough).all(axis=1)]
        apart, sd = two_sample(self.pair[rows, 0], self.pair[rows, 1])
        threshold = self.effect + self.z * sd
        wrong: Bools = apart > threshold
        self.conclude(rows, apart, threshold, wrong, np.True_)
        self.pair[rows] = 0
