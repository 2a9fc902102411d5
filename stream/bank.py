"""The bank of detectors of one stream: closed panes in, findings out.

Each rule is one line of a table: which detector, and which two arrays of a pane it looks at. Detectors see vectors over the
fields of the section; when the section changes, their state is carried over by field name. A field with fewer than 30 values
carries its counts into the next panes until it has 30 (at most 7 days); then they are tested as one pane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from detectors.histogram import location
from numpy.typing import NDArray

from detectors import (
    Constant,
    Detector,
    GuardedAdwin,
    HistogramDrift,
    Late,
    Missing,
    OutOfRange,
    Rejected,
    Removed,
    Retyped,
    Stale,
    Stuck,
    Volume,
    carry,
)
from stream.counts import ABSENT, BOOL, NONFINITE, NULL, NUMBER, STRING, FieldCounts
from stream.describe import Facts, percent, sentence
from stream.evidence import of_field, of_stream
from stream.findings import Finding
from stream.layout import BINS, Section
from stream.panes import ClosedPane
from stream.plan import Field, StreamPlan

MIN_N = 30
MAX_CARRY_MS = 7 * 86_400_000
CLIP = 2.5
"""Whitened values are clipped, so that one stormy pane cannot raise an alarm (Honest-alarm study, DESIGN.md)."""

_EXPECTED = {"number": NUMBER, "code": NUMBER, "category": STRING, "id": STRING, "bool": BOOL}


@dataclass(frozen=True, slots=True)
class View:
    """What the field rules look at: one row per field, counts of one pane (or several thin ones)."""

    counts: FieldCounts
    expected: NDArray[np.int64]
    bins: NDArray[np.int64]

    @property
    def records(self) -> NDArray[np.int64]:
        return np.asarray(self.counts.types.sum(axis=1))

    def of(self, *types: int) -> NDArray[np.int64]:
        return np.asarray(self.counts.types[:, list(types)].sum(axis=1))

    @property
    def present(self) -> NDArray[np.int64]:
        return self.records - self.of(ABSENT, NULL)

    @property
    def as_expected(self) -> NDArray[np.int64]:
        rows = np.arange(len(self.expected))
        right = self.counts.types[rows, np.maximum(self.expected, 0)]
        right = right + np.where(self.expected == NUMBER, self.counts.types[:, NONFINITE], 0)
        return np.where(self.expected < 0, self.present, right)

    def summary(self) -> NDArray[np.float64]:
        """Return one number per field that repeats exactly only if low, high, types and bins all do."""
        low, high = (np.where(np.isfinite(edge), edge, 0.0) for edge in (self.counts.low, self.counts.high))
        weights = np.sqrt(np.arange(2.0, 2.0 + BINS))
        return low + np.pi * high + self.bins @ weights + self.counts.types @ weights[: self.counts.types.shape[1]]


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return part / whole, whole


Inputs = Callable[[View], tuple[NDArray[np.float64], NDArray[np.int64]]]

FIELD_RULES: tuple[tuple[str, str, Callable[[int], Detector], Inputs], ...] = (
    ("missing", "missing", Missing, lambda v: _share(v.of(ABSENT, NULL, NONFINITE), v.records)),
    ("removed", "schema", Removed, lambda v: _share(v.of(ABSENT), v.records)),
    ("retyped", "schema", Retyped, lambda v: _share(v.present - v.as_expected, v.present)),
    ("outside", "ranges", OutOfRange, lambda v: _share(v.counts.outside, v.of(NUMBER))),
    ("constant", "ranges", Constant, lambda v: ((v.counts.low == v.counts.high).astype(float), v.of(NUMBER))),
    ("stuck", "ranges", Stuck, lambda v: (v.summary(), v.of(NUMBER))),
    ("stale", "freshness", Stale, lambda v: _share(v.counts.stale, v.present)),
)
"""(name, check, detector, inputs). Every one is deterministic and outside the false-alarm budget."""


class Bank:
    """All detectors of one stream.

    Attributes:
        section: the order of the fields. fields: detectors over fields, by rule name. whole: detectors of the stream itself.
        drift, level: histogram distance and guarded ADWIN, silent until a reference is adopted.
    """

    def __init__(self, stream: StreamPlan, section: Section, pane_ms: int) -> None:
        self.stream = stream
        self.section = section
        self.pane_ms = pane_ms
        size = len(section.fields)
        self.fields = {name: build(size) for name, _, build, _ in FIELD_RULES}
        self.whole: dict[str, Detector] = {
            "rejected": Rejected(1),
            "late": Late(1),
            "volume": Volume(1, pane_ms=pane_ms),
        }
        self.reference: dict[str, NDArray[np.float64]] = {}
        self.drift = HistogramDrift(*_no_reference(size))
        self.level = GuardedAdwin(size)
        self.expected = _expected(section)
        self.held = FieldCounts.zero(size)
        self.thin = np.zeros((size, BINS), np.int64)
        self.since = np.full(size, -1, np.int64)

    def resection(self, section: Section) -> None:
        """Go over to another section of the same stream; what is known of a field stays with its name."""
        at = {name: row for row, name in enumerate(self.section.names)}
        rows = np.array([at.get(name, -1) for name in section.names], np.int64)
        old = [None if bins is None else bins.id for bins in self.section.bins]
        same = np.array(
            [r >= 0 and b is not None and old[r] == b.id for r, b in zip(rows, section.bins, strict=True)], np.bool_
        )
        fresh = Bank(self.stream, section, self.pane_ms)
        for name, detector in fresh.fields.items():
            detector.restore(carry(self.fields[name].state(), rows, detector.state()))
        kept = np.where(same, rows, -1)
        fresh.set_reference(None)
        fresh.drift.restore(carry(self.drift.state(), kept, fresh.drift.state()))
        fresh.level.restore(carry(self.level.state(), kept, fresh.level.state()))
        fresh.whole = self.whole
        fresh.expected = np.where(fresh.expected >= 0, fresh.expected, _pick(self.expected, rows, -1))
        fresh.held = self.held.take(rows)
        fresh.thin = np.where(same[:, None], _pick(self.thin, rows, 0), 0)
        fresh.since = _pick(self.since, rows, -1)
        fresh.reference = self.reference
        self.__dict__.update(fresh.__dict__)
        self.set_reference(self.reference or None)

    def set_reference(self, reference: dict[str, Any] | None) -> None:
        """Adopt normal ranges (`stream.learn.learn_reference` plus ``bins``, the ids of the bins they were learned with)."""
        self.reference = reference or {}
        size = len(self.section.fields)
        columns = _no_reference(size)
        if reference:
            at = {
                (name, bins): row
                for row, (name, bins) in enumerate(zip(reference["fields"], reference["bins"], strict=True))
            }
            rows = [
                at.get((name, b.id if b else None), -1)
                for name, b in zip(self.section.names, self.section.bins, strict=True)
            ]
            keys = ("shares", "distance_mean", "distance_sd")
            columns = tuple(_pick(reference[key], np.array(rows, np.int64), np.nan) for key in keys)
            self.where = tuple(
                _pick(reference[key], np.array(rows, np.int64), np.nan) for key in ("location_mean", "location_sd")
            )
        old = self.drift.state()
        self.drift = HistogramDrift(*columns)
        self.drift.restore(old)

    def judge(self, pane: ClosedPane) -> tuple[list[Finding], set[tuple[str, str]]]:
        """Test one closed pane; return the findings and the (check, subject) that it could not judge."""
        total = pane.counts.total() or FieldCounts.zero(len(self.section.fields))
        view = self._view(total, pane)
        findings: list[Finding] = []
        unjudged: set[tuple[str, str]] = set()
        time = pane.index * self.pane_ms
        for name, check, _, inputs in FIELD_RULES:
            x, n = inputs(view)
            detector = self.fields[name]
            detector.update(x, n, time)
            unjudged |= {(check, self.section.names[row]) for row in np.flatnonzero((n < MIN_N) & (view.records > 0))}
            findings += self._found(detector, check, x, n, pane, view)
        findings += self._drift(view, pane, unjudged)
        findings += self._stream(pane, time)
        return findings, unjudged - {(f.check, f.subject) for f in findings}

    def _view(self, total: FieldCounts, pane: ClosedPane) -> View:
        """Return the counts to test: fields with fewer than 30 records are kept back for the next pane."""
        start = pane.index * self.pane_ms
        old = (self.since >= 0) & (start - self.since > MAX_CARRY_MS)
        self.held = self.held.take(np.where(old, -1, np.arange(len(old))))
        self.held.add(total)
        self.since = np.where((self.since < 0) | old, start, self.since)
        ready = self.held.types.sum(axis=1) >= MIN_N
        rows = np.arange(len(ready))
        counts = self.held.take(np.where(ready, rows, -1))
        counts.records = self.held.records
        self.held = self.held.take(np.where(ready, -1, rows))
        self.since = np.where(ready, -1, self.since)
        self.thin = np.where(pane.binned[:, None], self.thin + counts.bins, 0)
        enough = self.thin.sum(axis=1) >= MIN_N
        bins = np.where(enough[:, None], self.thin, 0)
        self.thin = np.where(enough[:, None], 0, self.thin)
        self._expect(counts)
        return View(counts, self.expected, bins)

    def _expect(self, counts: FieldCounts) -> None:
        """Until a kind is declared or learned, a field's type is that of most of its values in the first pane with 30."""
        kinds = counts.types[:, [BOOL, NUMBER, STRING]]
        first = (self.expected < 0) & (kinds.sum(axis=1) >= MIN_N)
        self.expected = np.where(first, np.array([BOOL, NUMBER, STRING])[kinds.argmax(axis=1)], self.expected)

    def _found(
        self,
        detector: Detector,
        check: str,
        x: NDArray[np.float64],
        n: NDArray[np.int64],
        pane: ClosedPane,
        view: View,
    ) -> Iterable[Finding]:
        for row in np.flatnonzero(detector.drift_detected):
            field = self.section.fields[row]
            reason = detector.REASONS[detector.reason[row]]
            bad = None if check not in ("missing", "schema") else _bad(check, reason)
            evidence, extra = of_field(self.stream, pane, view.counts, int(row), bad, int(self.expected[row]))
            yield self._finding(detector, row, check, field, reason, int(n[row]), pane, extra, evidence)

    def _finding(
        self,
        detector: Detector,
        row: Any,
        check: str,
        field: Field | None,
        reason: str,
        n: int,
        pane: ClosedPane,
        extra: str,
        evidence: dict[str, Any],
    ) -> Finding:
        subject = field.name if field else self.stream.name
        value, threshold = float(detector.statistic[row]), float(detector.threshold[row])
        statistical = check == "drift" or reason == "score_shift"
        return Finding(
            model=self.stream.model,
            stream=self.stream.name,
            check=check,
            subject=subject,
            reason=reason,
            onset_ms=pane.index * self.pane_ms,
            severity="ticket" if statistical or check == "late" else severity(self.stream, field),
            value=value,
            threshold=threshold,
            n=n,
            text=sentence(reason, Facts(subject, value, threshold, n, extra)),
            explains=EXPLAINS.get(reason, ()),
            statistical=statistical,
            evidence=evidence,
        )

    def _drift(self, view: View, pane: ClosedPane, unjudged: set[tuple[str, str]]) -> list[Finding]:
        n = np.asarray(view.bins.sum(axis=1))
        time = pane.index * self.pane_ms
        self.drift.update(view.bins, n, time)
        findings = []
        armed = np.isfinite(self.drift.shares[:, 0])
        if armed.any():
            mean, sd = self.where
            with np.errstate(invalid="ignore", divide="ignore"):
                away = (location(view.bins, self.drift.shares) - mean) / np.sqrt(sd**2 + 1 / n)
            self.level.update(np.clip(away, -CLIP, CLIP), n, time)
        for detector in (self.drift, self.level):
            for row in np.flatnonzero(detector.drift_detected & armed):
                field = self.section.fields[row]
                reason = detector.REASONS[detector.reason[row]]
                evidence, _ = of_field(self.stream, pane, view.counts, int(row), None, int(self.expected[row]))
                bins = self.section.bins[row]
                extra = (
                    ""
                    if bins is None
                    else moved(bins.edges, bins.names, bins.kind, view.bins[row], self.drift.shares[row])
                )
                findings.append(
                    self._finding(detector, row, "drift", field, reason, int(n[row]), pane, extra, evidence)
                )
        unjudged |= {("drift", self.section.names[row]) for row in np.flatnonzero((n < MIN_N) & armed)}
        return findings

    def _stream(self, pane: ClosedPane, time: int) -> list[Finding]:
        counts = pane.counts
        rejected = sum(counts.rejected.values())
        seen = counts.applied + rejected + counts.late
        inputs = {"rejected": (rejected, seen), "late": (counts.late, seen), "volume": (counts.applied, None)}
        findings = []
        for name, (part, whole) in inputs.items():
            detector = self.whole[name]
            n = np.array([part if whole is None else whole], np.int64)
            x = np.array([float(part)]) if whole is None else _share(np.array([part], np.int64), n)[0]
            detector.update(x, n, time)
            if detector.drift_detected[0]:
                reason = detector.REASONS[detector.reason[0]]
                extra, evidence = of_stream(self.stream, pane, name)
                findings.append(self._finding(detector, 0, name, None, reason, int(n[0]), pane, extra, evidence))
        return findings

    def state(self) -> dict[str, Any]:
        return {
            "fields": {name: detector.state() for name, detector in self.fields.items()},
            "whole": {name: detector.state() for name, detector in self.whole.items()},
            "drift": self.drift.state(),
            "level": self.level.state(),
            "expected": self.expected,
            "held": self.held.to_dict(),
            "thin": self.thin,
            "since": self.since,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        for name, state in tree["fields"].items():
            self.fields[name].restore(state)
        for name, state in tree["whole"].items():
            self.whole[name].restore(state)
        self.drift.restore(tree["drift"])
        self.level.restore(tree["level"])
        self.expected, self.thin, self.since = tree["expected"], tree["thin"], tree["since"]
        self.held = FieldCounts.from_dict(tree["held"])


EXPLAINS = {
    "removed": ("missing", "drift"),
    "retyped": ("missing", "ranges", "drift"),
    "all_missing": ("drift", "ranges"),
    "missing_share": ("drift",),
}
"""What follows from a finding on the same field's stream: a retyped field has no numbers, so it also looks missing and moved."""


def severity(stream: StreamPlan, field: Field | None) -> str:
    """Return ``page`` for what the model cannot work without, ``ticket`` otherwise; a stated severity wins."""
    if field is not None and field.severity:
        return field.severity
    critical = stream.role == "predictions" or (
        field.required if field else any(item.required for item in stream.fields)
    )
    return "page" if critical else "ticket"


def moved(
    edges: NDArray[np.float64],
    names: tuple[str, ...],
    kind: str,
    counts: NDArray[np.int64],
    shares: NDArray[np.float64],
) -> str:
    """Return what moved in the user's units: the bin with the largest signed deviance."""
    now = counts / max(counts.sum(), 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = np.where(now > 0, now * np.log(now / shares), 0.0)
    top = int(np.argmax(deviance))
    return f"; share of {_label(edges, names, kind, top)}: {percent(float(shares[top]))} -> {percent(float(now[top]))}"


def _label(edges: NDArray[np.float64], names: tuple[str, ...], kind: str, bin: int) -> str:
    if kind == "bool":
        return ("false", "true")[min(bin, 1)]
    if kind == "category":
        return names[bin] if bin < len(names) and names[bin] else f"category {bin + 1}"
    if kind == "code":
        return f"{edges[bin]:g}" if bin < len(edges) else "values never seen before"
    low = f"{edges[bin - 1]:.4g}" if 0 < bin <= len(edges) else ""
    high = f"{edges[bin]:.4g}" if bin < len(edges) else ""
    return f"[{low}, {high})" if low and high else (f"below {high}" if high else f"above {low}")


def _bad(check: str, reason: str) -> tuple[int, ...] | None:
    if check == "missing":
        return (ABSENT, NULL, NONFINITE)
    return (ABSENT,) if reason == "removed" else None


def _expected(section: Section) -> NDArray[np.int64]:
    kinds = [
        bins.kind if bins is not None else field.kind for field, bins in zip(section.fields, section.bins, strict=True)
    ]
    return np.array([_EXPECTED.get(kind or "", -1) for kind in kinds], np.int64)


def _no_reference(size: int) -> tuple[NDArray[np.float64], ...]:
    return np.full((size, BINS), np.nan), np.full(size, np.nan), np.full(size, np.nan)


def _pick(array: Any, rows: NDArray[np.int64], blank: float) -> Any:
    """Return rows of an array; row -1 is filled with ``blank``."""
    blank_row = np.full((1, *array.shape[1:]), blank, array.dtype)
    return np.concatenate([array, blank_row])[rows]
