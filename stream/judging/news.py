"""What happened to a stream beside its numbers: new fields and versions, gaps, a recreated topic, nothing but garbage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from stream.counts import PaneCounts
from stream.judging.describe import Facts
from stream.judging.evidence import of_pane
from stream.judging.findings import Finding, finding_from, finding_plain, found
from stream.judging.incident import key_of
from stream.layout import OTHER
from stream.learn import MIN_N
from stream.panes import ClosedPane
from stream.plan import StreamPlan

MAX_KNOWN = 512
MIN_NOTICE_MS = 5_000
MAX_SPANS = 16

Said = tuple[str, str, Finding | None]
"""(check, subject, finding while it holds)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at one moment.

    Attributes:
        n, extra: as in `stream.judging.describe.Facts`. spans, detail: evidence.
        subject, severity: those of the stream where they are empty.
    """

    check: str
    reason: str
    n: int
    extra: str = ""
    spans: list[list[int]] = field(default_factory=list)
    subject: str = ""
    severity: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


class News:
    """News of one stream.

    Attributes:
        seen: records in which each field that nobody listed, and each version, occurred; news once there are 30.
        notices: by `key_of`: a finding about something that happened at one moment, and until when it is shown.
        rejected, late, counted: records since the last closed pane: unreadable, behind the frontier, in all.
    """

    def __init__(self, plan: StreamPlan, pane_ms: int, severity: str) -> None:
        self.plan = plan
        self.severity = severity
        self.pane_ms = pane_ms
        self.seen: dict[str, dict[str, int]] = {"added": {}, "new_version": {}}
        self.notices: dict[tuple[str, str, str], tuple[Finding, int]] = {}
        self.rejected = self.late = self.counted = 0
        self.waited_ms = 0
        self.shown: list[str] = []

    def of_pane(self, pane: ClosedPane, established: bool) -> list[Finding]:
        """Return what is new in a closed pane.

        Args:
            established: the stream has had a learned layout. Before, nothing is news: the monitor is getting to know it.
        """
        self.rejected = self.late = self.counted = 0
        new = []
        for reason, names in (("added", pane.counts.unlisted), ("new_version", _versions(pane.counts))):
            seen = self.seen[reason]
            for name in sorted(names.keys() - {OTHER}):
                if name not in seen and len(seen) >= MAX_KNOWN:
                    continue
                before, seen[name] = seen.get(name, 0), seen.get(name, 0) + names[name]
                wanted = reason != "added" or self.plan.unlisted != "ignore"
                if established and wanted and before < MIN_N <= seen[name]:
                    new.append(self._new(reason, name, seen[name], pane))
        return new

    def _new(self, reason: str, name: str, n: int, pane: ClosedPane) -> Finding:
        evidence, extra = of_pane(self.plan, pane), ""
        if reason == "added":
            quoted = orjson.dumps(name).decode()  # JSON is YAML, and a name may hold anything
            evidence["yaml"] = f"{quoted}: {{path: {quoted}}}"
            extra = f"; to watch it add under fields: {evidence['yaml']}"
        check, severity = ("schema", "ticket") if reason == "added" else ("version", "info")
        facts, onset = Facts(name, float(n), 0.0, n, extra), pane.index * self.pane_ms
        return found(self.plan, reason, facts, check=check, severity=severity, onset_ms=onset, evidence=evidence)

    def happened(self, now_ms: int, event_ms: int, what: Moment) -> None:
        """Note something that happened at one moment; it is shown for 3 panes. A second one of its kind adds to it."""
        subject, n, spans = what.subject or self.plan.name, what.n, what.spans
        known = self.notices.get((what.check, subject, what.reason))
        if known is not None:
            n += known[0].n
            spans = [*known[0].evidence["spans"], *spans][-MAX_SPANS:]
        evidence = {"topic": self.plan.topic, "spans": spans, **what.detail}
        finding = found(
            self.plan,
            what.reason,
            Facts(subject, float(n), 0.0, n, what.extra),
            check=what.check,
            severity=what.severity or self.severity,
            onset_ms=event_ms,
            evidence=evidence,
        )
        self.notices[key_of(finding)] = (finding, now_ms + 3 * max(self.pane_ms, MIN_NOTICE_MS))

    def noticed(self, now_ms: int) -> list[tuple[Finding, bool]]:
        """Return what happened at one moment, and whether it is still to be shown at this ledger time."""
        noticed = [(finding, now_ms < until) for finding, until in self.notices.values()]
        self.notices = {key: notice for key, notice in self.notices.items() if now_ms < notice[1]}
        return noticed

    def on_tick(self, elapsed_ms: int, event_ms: int) -> list[Said]:
        """Return what is wrong although no pane says so. ``event_ms`` is the stream's watermark."""
        self.waited_ms += elapsed_ms
        if self.waited_ms < max(self.pane_ms, MIN_NOTICE_MS):
            return []
        self.waited_ms = 0
        return self._without_panes(event_ms)

    def _without_panes(self, event_ms: int) -> list[Said]:
        """Judge a stream whose panes do not close, because its records cannot be read or lie behind a frontier that ran ahead.

        Two records of a wrong clock can move the frontier by up to `max_future`; until real time gets there every record is
        late and no pane closes, so the panes' own rules would see nothing.
        """
        if self.counted == 0 or (self.counted < MIN_N and not self.shown):
            return []  # too few to tell: they count beside the next ones
        counted, shares = self.counted, {"rejected": self.rejected, "late": self.late}
        self.rejected = self.late = self.counted = 0
        said: list[Said] = []
        for check, n in shares.items():
            wrong = n >= MIN_N and 2 * n > counted
            if wrong:
                said.append((check, self.plan.name, self._mostly(check, n, counted, event_ms)))
            elif check in self.shown and 2 * n <= counted:
                said.append((check, self.plan.name, None))
                self.shown.remove(check)
            if wrong and check not in self.shown:
                self.shown.append(check)
        return said

    def _mostly(self, check: str, n: int, counted: int, event_ms: int) -> Finding:
        evidence: dict[str, Any] = {"topic": self.plan.topic, "spans": []}
        severity = "ticket" if check == "late" else self.severity
        facts = Facts(self.plan.name, n / counted, 0.0, counted)
        return found(self.plan, check, facts, check=check, severity=severity, onset_ms=event_ms, evidence=evidence)

    def state(self) -> dict[str, Any]:
        notices = [[finding_plain(finding), until] for finding, until in self.notices.values()]
        return {
            "seen": {reason: dict(names) for reason, names in self.seen.items()},
            "notices": notices,
            "rejected": self.rejected,
            "counted": self.counted,
            "waited_ms": self.waited_ms,
            "late": self.late,
            "shown": list(self.shown),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.seen = {reason: dict(names) for reason, names in tree["seen"].items()}
        notices = [(finding_from(item), until) for item, until in tree["notices"]]
        self.notices = {key_of(finding): (finding, until) for finding, until in notices}
        self.rejected, self.counted = tree["rejected"], tree["counted"]
        self.late, self.waited_ms, self.shown = tree["late"], tree["waited_ms"], list(tree["shown"])


def _versions(counts: PaneCounts) -> dict[str, int]:
    """Return the records of each model version, named by the layout or not yet."""
    versions = dict(counts.versions)
    for (version, _), group in counts.groups.items():
        versions[version] = versions.get(version, 0) + group.records
    return versions
