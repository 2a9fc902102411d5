"""Statistics of one stream: a rule on gross change, contrasts under the false-alarm budget, one model version against the others.

The rule sees every pane and asks only whether a field is twice as far from the reference as it ever was there. The contrasts see
coarse panes, whitened by what is normal at that time of the week, and alarm at limits that keep the budget
(`stream.recalibrate`). Both are silent for a field until a reference holds it with the very bins it has now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import GUARDED, Detector, HistogramDrift, ScoreShift, ShiryaevRoberts
from detectors.baseline import CLIP, Baseline
from detectors.calendar import GROUPS, SLOTS
from stream.coarse import CoarsePane
from stream.contrasts import FAMILIES, Contrasts
from stream.judging.recent import Recent
from stream.judging.thin import pick
from stream.layout import BINS, MAX_VERSIONS, Section
from stream.panes import ClosedPane

GROSS = 2.0
"""Times the largest distance that a coarse pane of the reference had: on eight weeks of ten streams of flights it opened once.
Four standard deviations beyond the distances of the first hours: 19 times on one of them (`python -m benchmarks.gross`)."""

STEADY = 0.1
"""Standard deviations of a pane by which a night may move the mean of a series for river's detectors to go on. Eight weeks that
move on by a day move it by less, the first weeks by more."""

SCORE = "score"
"""The field of a predictions stream that holds the score."""


@dataclass(frozen=True, slots=True)
class Shift:
    """A contrast that is beyond its limit.

    Attributes:
        row: field. family: of `stream.contrasts.FAMILIES`. name: of the contrast within its field.
        statistic, limit: what was compared. onset: (earliest, likeliest, latest) coarse pane.
        size: how far the contrast moved since then, in its own unit. provisional: whether the limit is.
    """

    row: int
    family: str
    name: str
    statistic: float
    limit: float
    onset: tuple[int, int, int]
    size: float
    provisional: bool = False


class Drift:
    """All statistics of one stream.

    Attributes:
        gross: histogram distance to the reference. shift: Shiryaev-Roberts on the K whitened contrasts. recent: their newest.
        guarded: river's detectors that the configuration selects, on the first contrast of each field; without a budget.
        versions: score histogram of each named version against the others. A version that is alone is left to ``gross``,
            which knows how much panes vary by themselves.
        quiet: fields with a new normal that the reference does not know of: neither rule nor contrasts say anything of these.
        armed: bool[F], fields with a reference. status: ``learning``, ``provisional`` or ``calibrated``, until: when that ends.
    """

    def __init__(
        self,
        section: Section,
        reference: dict[str, Any] | None,
        guarded: Collection[str] = (),
        quiet: Collection[str] = (),
    ) -> None:
        self.section = section
        self.reference = reference or {}
        self.quiet = sorted(quiet)
        self._still = np.array([name in quiet for name in section.names], np.bool_)
        rows = self._rows()
        shares = self._column("shares", rows)
        farthest = np.where(self._still, np.nan, self._column("farthest", rows))
        self.gross = HistogramDrift(shares, GROSS * farthest, np.zeros(len(rows)))
        self.armed = np.isfinite(shares).all(axis=1)
        self.contrasts = Contrasts(section.bins, shares)
        self.series = self.contrasts.series(section.names)
        normal = self.reference.get("normal")
        self.baseline, limit, self._scale = normal_of(normal, self.series)
        self._young = set() if normal is None else young(normal)
        self.shift = ShiryaevRoberts(np.where(self._still[self.contrasts.rows], np.inf, limit))
        self.recent = Recent(len(self.series))
        first = np.unique(self.contrasts.rows[: -len(section.fields) or None], return_index=True)
        self._first = np.full(len(section.fields), -1)
        self._first[first[0]] = first[1]
        self.guarded: dict[str, Detector] = {name: GUARDED[name](len(section.fields)) for name in guarded}
        self._score = section.names.index(SCORE) if SCORE in section.names else -1
        self.versions = ScoreShift(MAX_VERSIONS, BINS)

    @property
    def status(self) -> str:
        return str(self.reference.get("status", "learning"))

    @property
    def until(self) -> str:
        return str(self.reference.get("until", ""))

    def carry(
        self, section: Section, reference: dict[str, Any] | None, rows: NDArray[np.int64], quiet: Collection[str]
    ) -> Drift:
        """Return the statistics of another section or reference; the state of a field stays while its bins do.

        Args:
            rows: for each field of ``section`` its row here, -1 where it is new or has other bins.
        """
        moved = Drift(section, reference, self.guarded, quiet)
        rows = np.where(moved._still, -1, rows)
        # what the rule said of a field that it does not know any more would stand for ever
        known = np.where(moved.gross.known, rows, -1)
        moved.gross.restore(Detector.carry(self.gross.state(), known, moved.gross.state()))
        for name, detector in moved.guarded.items():
            detector.restore(detector.carry(self.guarded[name].state(), self._steady(moved, rows), detector.state()))
        # without a limit nothing was known of a series either: what it added up against no baseline means nothing
        kept = np.isin(self.contrasts.rows, rows) & np.isfinite(self.shift.limit)
        at = {self.series[k]: int(k) for k in np.flatnonzero(kept)}
        series = np.array([at.get(name, -1) for name in moved.series], np.int64)
        state = Detector.carry(self.shift.state(), series, moved.shift.state())
        # what was concluded at the old limits ended with them
        moved.shift.restore({**state, "threshold": moved.shift.threshold, "status": moved.shift.status})
        moved.recent = self.recent.carry(series)
        old = self.section.versions
        places = [old.index(name) if name in old else -1 for name in section.versions]
        places += [-1] * (MAX_VERSIONS - len(places))
        moved.versions.restore(Detector.carry(self.versions.state(), places, moved.versions.state()))
        return moved

    def _steady(self, moved: Drift, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return ``rows``, -1 where river's detectors begin anew: they see another series now, or one that is measured from
        elsewhere, and would take the night for a change.
        """
        kept = np.full(len(rows), -1)
        if self.baseline is None or moved.baseline is None:
            return kept
        for row in np.flatnonzero(rows >= 0).tolist():
            was, now = self._first[rows[row]], moved._first[row]
            if min(was, now) >= 0 and self.series[was] == moved.series[now]:
                away = np.abs(moved.baseline.mean[..., now] - self.baseline.mean[..., was]).mean()
                kept[row] = rows[row] if away <= STEADY * np.sqrt(moved.baseline.between[now]) else -1
        return kept

    def update(self, bins: NDArray[np.int64], n: NDArray[np.int64], pane: ClosedPane, time_ms: int) -> None:
        """Take one pane: int64[F, 36] bins (rows of thin fields are 0), their sums, and the pane itself for its versions."""
        self.gross.update(bins, n, time_ms)
        if self._score >= 0 and self.section.versions and pane.binned[self._score]:
            pairs = self._pairs(pane)
            self.versions.update(pairs, pairs[:, 0].sum(axis=1), time_ms)

    def take(self, pane: CoarsePane, place: tuple[int, int, int], end_ms: int) -> list[Shift]:
        """Take one coarse pane and return the contrasts that are beyond their limits, the clearest first.

        Args:
            place: of the pane in the local calendar (`detectors.calendar.place`).
        """
        if not len(self.series) or self.baseline is None:
            return []
        x, n = self.contrasts.values(pane.bins, pane.presence)
        psi = self.baseline.residual(x, n, place[1], place[2])
        z = psi / self.baseline.longrun
        self.shift.update(z, n, end_ms)
        self.recent.add(pane.index, psi)
        for detector in self.guarded.values():
            known = (self._first >= 0) & np.isfinite(self.shift.limit)[self._first]
            values, sizes = np.where(known, z[self._first], np.nan), np.where(known, n[self._first], 0)
            detector.update(values, sizes, end_ms)
        found = [self._shift(int(k), x, n, place) for k in np.flatnonzero(self.shift.drift_detected)]
        return [shift for _, shift in sorted(found, key=lambda item: (-item[0], item[1].row, item[1].name))]

    def _shift(
        self, k: int, x: NDArray[np.float64], n: NDArray[np.int64], place: tuple[int, int, int]
    ) -> tuple[float, Shift]:
        assert self.baseline is not None
        base, onset = self.baseline, self.recent.onset(k, float(self.baseline.longrun[k]))
        variance = base.take(np.array([k])).variance(n[[k]].astype(np.float64), place[2])[0]
        size = self.recent.mean_since(k, onset[1]) * np.sqrt(variance)
        away = x[k] - base.mean[place[1], place[2], k]
        if abs(away) > CLIP * np.sqrt(variance):  # what is kept of late is clipped and would call any size the same
            size = away
        statistic, limit = float(self.shift.statistic[k]), float(self.shift.limit[k])
        shift = Shift(
            int(self.contrasts.rows[k]),
            FAMILIES[self.contrasts.family[k]],
            self.contrasts.names[k],
            statistic,
            limit,
            onset,
            float(size),
            self.series[k] in self._young,
        )
        return (statistic - limit) / float(self._scale[k]), shift

    def forget(self, names: Collection[str]) -> None:
        """Start anew with some fields: a person has said that what was found of them is over."""
        fields = np.isin(np.array(self.section.names, np.str_), sorted(names))
        series = np.flatnonzero(fields[self.contrasts.rows])
        self.shift.ratio[series] = 0.0
        self.shift.statistic[series] = 0.0
        self.recent.forget(series)
        self.gross.row[fields] = 0

    def _pairs(self, pane: ClosedPane) -> NDArray[np.int64]:
        """Return int64[V, 2, 36]: score histogram of each named version, and of all other records of the pane."""
        own = np.zeros((MAX_VERSIONS, BINS), np.int64)
        whole = np.zeros(BINS, np.int64)
        for (version, _), counts in pane.counts.groups.items():
            whole += counts.bins[self._score]
            if version in self.section.versions:
                own[self.section.versions.index(version)] += counts.bins[self._score]
        return np.stack([own, whole - own], axis=1)

    def by_field(self, values: NDArray[Any], blank: float) -> NDArray[Any]:
        """Return [F], the largest of the values [K] of each field's contrasts; ``blank`` where it has none."""
        most = np.full(len(self.section.fields), blank, values.dtype)
        np.maximum.at(most, self.contrasts.rows, values)
        return most

    def health(self) -> Iterator[NDArray[np.int8]]:
        """Yield int8[F] of `detectors.Status` for each statistic of the fields."""
        yield self.gross.status
        yield self.by_field(self.shift.status, 0)
        for detector in self.guarded.values():
            yield detector.status

    def _rows(self) -> NDArray[np.int64]:
        """Return, for each field, its row in the reference; -1 where it has none for the present bins."""
        if not self.reference:
            return np.full(len(self.section.fields), -1, np.int64)
        learned = zip(self.reference["fields"], self.reference["bins"], strict=True)
        at = {pair: row for row, pair in enumerate(learned) if pair[1] is not None}
        pairs = zip(self.section.names, self.section.bin_ids, strict=True)
        return np.array([at.get(pair, -1) for pair in pairs], np.int64)

    def _column(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if self.reference:
            return pick(self.reference[name], rows, np.nan)
        return np.full((len(rows), BINS) if name == "shares" else len(rows), np.nan)

    def state(self) -> dict[str, Any]:
        parts = {name: getattr(self, name).state() for name in ("gross", "shift", "recent", "versions")}
        guarded = {name: detector.state() for name, detector in self.guarded.items()}
        return {**parts, "guarded": guarded, "quiet": self.quiet}

    def restore(self, tree: dict[str, Any]) -> None:
        """Go on from what `state` returned of statistics with the same fields ``quiet``."""
        for name in ("gross", "shift", "recent", "versions"):
            getattr(self, name).restore(tree[name])
        for name, state in tree["guarded"].items():
            self.guarded[name].restore(state)


def young(normal: dict[str, Any]) -> set[str]:
    """Return the series with a provisional limit: all as long as the file is young, then those that came later."""
    return {name for name, known in zip(normal["series"], normal["calibrated"].tolist(), strict=True) if not known}


def normal_of(
    tree: dict[str, Any] | None, series: list[str]
) -> tuple[Baseline | None, NDArray[np.float64], NDArray[np.float64]]:
    """Return what is normal for some series, their limits, and the unit in which they are compared.

    A series that was not learned has no limit (inf) and a baseline that means nothing.
    """
    k = len(series)
    if tree is None:
        return None, np.full(k, np.inf), np.ones(k)
    at = {name: column for column, name in enumerate(tree["series"])}
    columns = np.array([at.get(name, -1) for name in series], np.int64)

    def column(name: str, blank: float) -> NDArray[np.float64]:
        return pick(tree[name].T, columns, blank).T.astype(np.float64)

    mean = column("mean", 0.0).reshape(GROUPS, SLOTS, k)
    baseline = Baseline(
        mean, column("between", 1.0), column("sampling", 0.0), column("rhythm", 1.0), column("longrun", 1.0)
    )
    return baseline, column("limit", np.inf), column("scale", 1.0)
