"""The bank of detectors of one stream: closed panes in, findings out.

Detectors see vectors over the fields of the section; when the section changes, their state is carried over by field name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import Detector, Late, Rejected, Status, Volume
from detectors.calendar import place
from stream.coarse import CoarsePane
from stream.contrasts import MISSING
from stream.counts import ABSENT, BOOL, EXPECTED, NUMBER, STRING, FieldCounts
from stream.judging.describe import Facts
from stream.judging.drift import Drift
from stream.judging.evidence import of_field, of_pane, of_stream
from stream.judging.findings import Finding, found
from stream.judging.moved import moved
from stream.judging.shifted import dated, kept_by, size_of
from stream.judging.thin import Thin, ThinStream, pick
from stream.judging.view import FIELD_RULES, SILENT_REASONS, UNUSABLE, View
from stream.layout import Section
from stream.learn import MIN_N
from stream.panes import ClosedPane, match
from stream.plan import Field, Plan, StreamPlan

EXPLAINS = {
    "removed": ("missing", "drift"),
    "retyped": ("missing", "ranges", "drift"),
    "all_missing": ("drift", "ranges"),
    "missing_share": ("drift",),
}
"""What follows from a finding about the same field: a retyped field has no numbers, so it also looks missing and moved."""

THIN_CHECKS = ("rejected", "late")
"""Checks of a whole stream that wait for enough records."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What one closed pane says: findings, and the (check, subject) it could not judge, being too thin."""

    findings: list[Finding]
    unjudged: set[tuple[str, str]]


class Bank:
    """All detectors of one stream.

    Attributes:
        section: the order of the fields. rules: detectors over fields, by rule name. whole: detectors of the stream itself.
        drift: statistics against the reference. expected: int64[F], JSON type each field should have (-1: not known yet).
        thin, thin_stream: what fields with few values, and a stream with few records, hold back.
    """

    def __init__(self, stream: StreamPlan, section: Section, plan: Plan) -> None:
        size = len(section.fields)
        pane_ms = plan.pane_ms
        self.stream = stream
        self.section = section
        self.pane_ms = pane_ms
        self.coarse_ms = plan.coarse_ms
        self.go_by(plan)
        self.rules = {name: build(size) for name, _, build, _ in FIELD_RULES}
        volume = Volume(1, pane_ms=pane_ms)
        self.whole: dict[str, Detector] = {"rejected": Rejected(1), "late": Late(1), "volume": volume}
        self.drift = Drift(section, None, stream.detectors)
        self.expected = _expected(section)
        self.thin = Thin(size)
        self.thin_stream = ThinStream()

    def go_by(self, plan: Plan) -> None:
        """Take the calendar of a plan."""
        self._calendar = (plan.timezone, frozenset(date.fromisoformat(day) for day in plan.holidays))

    def resection(self, section: Section) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Go over to another section of the same stream; what is known of a field stays with its name.

        Returns:
            For each new field its old row (-1: it is new), and whether its bins are the old ones.
        """
        rows, same = match(self.section, section)
        for name, _, build, _ in FIELD_RULES:
            fresh = build(len(rows))
            fresh.restore(fresh.carry(self.rules[name].state(), rows, fresh.state()))
            self.rules[name] = fresh
        self.drift = self.drift.carry(section, self.drift.reference, np.where(same, rows, -1), self.drift.quiet)
        self.thin = self.thin.carry(rows, same)
        stated = _expected(section)
        self.expected = np.where(stated >= 0, stated, pick(self.expected, rows, -1))
        self.section = section
        return rows, same

    def set_reference(self, reference: dict[str, Any] | None, quiet: Collection[str] = ()) -> None:
        """Adopt normal ranges (`stream.learn.learn_reference`, `stream.recalibrate`).

        Args:
            quiet: fields of which they say what is not normal any more (`stream.judging.verdicts.unlearned`).
        """
        self.drift = self.drift.carry(self.section, reference, np.arange(len(self.section.fields)), quiet)

    def judge(self, pane: ClosedPane, coarse: list[CoarsePane]) -> Judged:
        """Test one closed pane, and the coarse ones that are complete with it."""
        time = pane.index * self.pane_ms
        total = pane.counts.total() or FieldCounts.zero(len(self.section.fields))
        counts, bins = self.thin.add(total, pane.binned, time)
        self._expect(counts)
        view = View(counts, self.expected, bins)
        judged = Judged([], set())
        for name, check, _, inputs in FIELD_RULES:
            x, n = inputs(view)
            self.rules[name].update(x, n, time)
            judged.findings.extend(self._fields(self.rules[name], check, n, pane, view))
            self._too_thin(judged, check, n)
        n = view.binned
        self.drift.update(bins, n, pane, time)
        judged.findings.extend(self._fields(self.drift.gross, "drift", n, pane, view))
        for item in coarse:
            judged.findings.extend(self._shifts(item, pane))
            judged.findings.extend(self._selected(item, pane))
        self._too_thin(judged, "drift", n)
        judged.findings.extend(self._versions(pane))
        judged.findings.extend(self._stream(pane, time))
        if self.thin_stream.since >= 0:
            judged.unjudged.update((check, self.stream.name) for check in THIN_CHECKS)
        judged.unjudged.difference_update((finding.check, finding.subject) for finding in judged.findings)
        return judged

    def _too_thin(self, judged: Judged, check: str, n: NDArray[np.int64]) -> None:
        judged.unjudged.update((check, self.section.names[row]) for row in (n < MIN_N).nonzero()[0].tolist())

    def _expect(self, counts: FieldCounts) -> None:
        """Until a kind is declared or learned, a field's type is that of most of its values in the first pane with 30."""
        if (self.expected >= 0).all():
            return
        types = np.array([BOOL, NUMBER, STRING])
        kinds = counts.types[:, types]
        first = (self.expected < 0) & (kinds.sum(axis=1) >= MIN_N)
        self.expected = np.where(first, types[kinds.argmax(axis=1)], self.expected)

    def _fields(
        self, detector: Detector, check: str, n: NDArray[np.int64], pane: ClosedPane, view: View
    ) -> Iterator[Finding]:
        for row in detector.drift_detected.nonzero()[0]:
            field, reason = self.section.fields[row], detector.REASONS[detector.reason[row]]
            if reason in SILENT_REASONS:
                continue
            evidence, extra = of_field(
                self.stream, pane, view.counts, int(row), _BAD.get(reason), int(self.expected[row])
            )
            bins = self.section.bins[row]
            if check == "drift":
                shares = self.drift.gross.shares[row]
                extra = moved(bins, view.bins[row], shares) if bins is not None else ""
            yield self._finding(detector, int(row), check, field.name, field, int(n[row]), pane, extra, evidence)

    def _shifts(self, coarse: CoarsePane, pane: ClosedPane) -> Iterator[Finding]:
        """Report the clearest contrast of each kind for each field: several values of a category move together."""
        begin = coarse.index * self.coarse_ms
        told: set[tuple[int, str]] = set()
        for shift in self.drift.take(coarse, place(begin, *self._calendar), begin + self.coarse_ms):
            field = self.section.fields[shift.row]
            if (shift.row, shift.family) in told:
                continue
            told.add((shift.row, shift.family))
            evidence = of_pane(self.stream, pane) | dated(shift, self.coarse_ms)
            n, shares = int(coarse.bins[shift.row].sum()), self.drift.gross.shares[shift.row]
            if shift.family == MISSING:
                n = int(coarse.presence[shift.row].sum())
            extra, kept = size_of(shift, self.section.bins[shift.row], shares), kept_by(self.drift, shift)
            if shift.provisional:  # the first line of an alarm is where a person decides whether to believe it
                extra += f" ({kept})"
            yield found(
                self.stream,
                shift.family,
                Facts(field.name, shift.statistic, shift.limit, n, extra),
                check="drift",
                onset_ms=shift.onset[1] * self.coarse_ms,
                severity="ticket",
                reference=kept.replace("until ", ""),
                statistical=True,
                provisional=shift.provisional,
                evidence=evidence,
            )

    def _selected(self, coarse: CoarsePane, pane: ClosedPane) -> Iterator[Finding]:
        """Report what river's detectors found, where the configuration selects some. They keep no budget, and say so."""
        if self.drift.baseline is None:
            return  # they see whitened values, and without a baseline there are none: what they said last is old
        for name, detector in self.drift.guarded.items():
            for row in detector.drift_detected.nonzero()[0].tolist():
                yield found(
                    self.stream,
                    "selected",
                    Facts(
                        self.section.names[row],
                        float(detector.statistic[row]),
                        float(detector.threshold[row]),
                        int(coarse.bins[row].sum()),
                        f" ({name}, {detector.REASONS[detector.reason[row]]}; without a false-alarm budget)",
                    ),
                    check="drift",
                    onset_ms=coarse.index * self.coarse_ms,
                    severity="ticket",
                    evidence=of_pane(self.stream, pane),
                )

    def _versions(self, pane: ClosedPane) -> Iterator[Finding]:
        """Report newer versions only: when two differ, the one that was there first is the yardstick."""
        detector = self.drift.versions
        for row in np.flatnonzero(detector.drift_detected[1:]) + 1:
            name = self.section.versions[row]
            n = sum(counts.records for group, counts in pane.counts.groups.items() if group[0] == name)
            yield self._finding(detector, int(row), "version", name, None, n, pane, "", of_pane(self.stream, pane))

    def _stream(self, pane: ClosedPane, time: int) -> Iterator[Finding]:
        counts = self.thin_stream.add(pane.counts, time)
        rejected, late, seen = sum(counts.rejected.values()), counts.late, counts.seen
        self.whole["rejected"].update([rejected / seen if seen else np.nan], [seen], time)
        self.whole["late"].update([late / seen if seen else np.nan], [seen], time)
        self.whole["volume"].update([float(pane.counts.seen)], [pane.counts.seen], time)
        for check, detector in self.whole.items():
            if detector.drift_detected[0]:
                told = counts if check in THIN_CHECKS else pane.counts
                evidence, extra = of_stream(self.stream, told, check)
                yield self._finding(detector, 0, check, self.stream.name, None, told.seen, pane, extra, evidence)

    def _finding(
        self,
        detector: Detector,
        row: int,
        check: str,
        subject: str,
        field: Field | None,
        n: int,
        pane: ClosedPane,
        extra: str,
        evidence: dict[str, Any],
    ) -> Finding:
        value, threshold = float(detector.statistic[row]), float(detector.threshold[row])
        reason = detector.REASONS[detector.reason[row]]
        a_ticket = check in ("drift", "version", "late")
        return found(
            self.stream,
            reason,
            Facts(subject, value, threshold, n, extra),
            check=check,
            onset_ms=pane.index * self.pane_ms,
            severity="ticket" if a_ticket else severity(self.stream, field),
            explains=EXPLAINS.get(reason, ()),
            evidence=evidence,
        )

    def health(self) -> NDArray[np.int8]:
        """Return int8[F], the worst `Status` that any detector gives each field."""
        every = [*(detector.status for detector in self.rules.values()), *self.drift.health()]
        worst: NDArray[np.int8] = np.stack(every).max(axis=0)
        return worst

    def ratios(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Yield (rule, statistic over threshold float64[F]); NaN or infinite where nothing was compared yet."""
        for name, detector in (*self.rules.items(), ("distance", self.drift.gross)):
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = detector.statistic / detector.threshold
            yield name, np.where(detector.status == Status.WARMING_UP, np.nan, ratio)
        watched = np.isfinite(self.drift.shift.limit)
        shift = np.where(watched, self.drift.shift.statistic / self.drift.shift.limit, -np.inf)
        yield "shift", self.drift.by_field(shift, -np.inf)

    def state(self) -> dict[str, Any]:
        return {
            "rules": {name: detector.state() for name, detector in self.rules.items()},
            "whole": {name: detector.state() for name, detector in self.whole.items()},
            "drift": self.drift.state(),
            "expected": self.expected,
            "thin": self.thin.state(),
            "thin_stream": self.thin_stream.state(),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        for name, state in tree["rules"].items():
            self.rules[name].restore(state)
        for name, state in tree["whole"].items():
            self.whole[name].restore(state)
        drift = tree["drift"]
        self.drift = Drift(self.section, self.drift.reference, self.stream.detectors, drift["quiet"])
        self.drift.restore(drift)
        self.thin.restore(tree["thin"])
        self.thin_stream.restore(tree["thin_stream"])
        self.expected = tree["expected"]


def severity(stream: StreamPlan, field: Field | None) -> str:
    """Return ``page`` for what the model cannot work without, ``ticket`` otherwise; a stated severity wins."""
    if field is not None and field.severity:
        return field.severity
    needed = field.required if field else any(item.required for item in stream.fields)
    return "page" if needed or stream.role == "predictions" else "ticket"


_BAD = {"all_missing": UNUSABLE, "missing_share": UNUSABLE, "removed": (ABSENT,)}
"""JSON types that are wrong, by reason; for the other reasons it is every type but the expected one."""


def _expected(section: Section) -> NDArray[np.int64]:
    pairs = zip(section.fields, section.bins, strict=True)
    kinds = [bins.kind if bins is not None else field.kind for field, bins in pairs]
    return np.array([EXPECTED.get(kind or "", -1) for kind in kinds], np.int64)
