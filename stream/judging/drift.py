"""Statistics of one stream: distributions against the reference, levels, and one model version against the others.

Silent until a reference is adopted; it is valid for a field only with the very bins it was learned with.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import Detector, GuardedAdwin, HistogramDrift, ScoreShift
from detectors.histogram import mean_score, normal_scores
from stream.judging.thin import pick
from stream.layout import BINS, MAX_VERSIONS, Section
from stream.panes import ClosedPane

CLIP = 2.5
"""Whitened values are clipped, so that one stormy pane cannot raise an alarm."""

SCORE = "score"
"""The field of a predictions stream that holds the score."""


class Drift:
    """All statistics of one stream.

    Attributes:
        distance: histogram distance to the reference. level: guarded ADWIN on whitened locations.
        versions: score histogram of each named version against the others. A version that is alone is left to `distance`,
            which knows how much panes vary by themselves.
        armed: bool[F], fields with a reference.
    """

    def __init__(self, section: Section, reference: dict[str, Any] | None) -> None:
        self.section = section
        self.reference = reference or {}
        rows = self._rows()
        shares = self._column("shares", rows)
        self.distance = HistogramDrift(shares, self._column("distance_mean", rows), self._column("distance_sd", rows))
        self._mean, self._sd = (self._column(name, rows) for name in ("location_mean", "location_sd"))
        self._scores = normal_scores(shares)
        self.armed = np.isfinite(shares).all(axis=1)
        self.level = GuardedAdwin(len(section.fields))
        self._score = section.names.index(SCORE) if SCORE in section.names else -1
        self.versions = ScoreShift(MAX_VERSIONS, BINS)

    def carry(self, section: Section, reference: dict[str, Any] | None, rows: NDArray[np.int64]) -> Drift:
        """Return the statistics of another section or reference; the state of a field stays while its bins do.

        Args:
            rows: for each field of ``section`` its row here, -1 where it is new or has other bins.
        """
        moved = Drift(section, reference)
        moved.distance.restore(Detector.carry(self.distance.state(), rows, moved.distance.state()))
        moved.level.restore(GuardedAdwin.carry(self.level.state(), rows, moved.level.state()))
        old = self.section.versions
        places = [old.index(name) if name in old else -1 for name in section.versions]
        places += [-1] * (MAX_VERSIONS - len(places))
        moved.versions.restore(Detector.carry(self.versions.state(), places, moved.versions.state()))
        return moved

    def update(self, bins: NDArray[np.int64], n: NDArray[np.int64], pane: ClosedPane, time_ms: int) -> None:
        """Take one pane: int64[F, 36] bins (rows of thin fields are 0), their sums, and the pane itself for its versions."""
        self.distance.update(bins, n, time_ms)
        if self.armed.any():
            with np.errstate(invalid="ignore", divide="ignore"):
                away = (mean_score(bins, self._scores) - self._mean) / np.sqrt(self._sd**2 + 1 / n)
            self.level.update(np.minimum(np.maximum(away, -CLIP), CLIP), n, time_ms)
        if self._score >= 0 and self.section.versions and pane.binned[self._score]:
            pairs = self._pairs(pane)
            self.versions.update(pairs, pairs[:, 0].sum(axis=1), time_ms)

    def forget(self, names: Collection[str]) -> None:
        """Begin anew for some fields: a person said that nothing is wrong there. These statistics do not react to it."""

    def _pairs(self, pane: ClosedPane) -> NDArray[np.int64]:
        """Return int64[V, 2, 36]: score histogram of each named version, and of all other records of the pane."""
        own = np.zeros((MAX_VERSIONS, BINS), np.int64)
        whole = np.zeros(BINS, np.int64)
        for (version, _), counts in pane.counts.groups.items():
            whole += counts.bins[self._score]
            if version in self.section.versions:
                own[self.section.versions.index(version)] += counts.bins[self._score]
        return np.stack([own, whole - own], axis=1)

    def _rows(self) -> NDArray[np.int64]:
        """Return, for each field, its row in the reference; -1 where it has none for the present bins."""
        if not self.reference:
            return np.full(len(self.section.fields), -1, np.int64)
        learned = zip(self.reference["fields"], self.reference["bins"], strict=True)
        at = {pair: row for row, pair in enumerate(learned) if pair[1] is not None}
        pairs = zip(self.section.names, self.section.bins, strict=True)
        return np.array([at.get((name, bins.id if bins else None), -1) for name, bins in pairs], np.int64)

    def _column(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.reference:
            return pick(self.reference[name], rows, np.nan)
        return np.full((len(rows), BINS) if name == "shares" else len(rows), np.nan)

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).state() for name in ("distance", "level", "versions")}

    def restore(self, tree: dict[str, Any]) -> None:
        for name, state in tree.items():
            getattr(self, name).restore(state)
