"""What the judge keeps of one stream: its open panes, its detectors, what is still being learned, and its accounting."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.bank import Bank, severity
from stream.counts import CLASSES, StreamCounts
from stream.describe import Facts, sentence
from stream.evidence import of_pane
from stream.findings import Finding, finding_from
from stream.layout import BINS, MAX_FIELDS, MAX_PRODUCERS, MAX_VERSIONS, OTHER, Section
from stream.learn import MIN_PANES, MIN_VALUES, enough_for_edges, learn_section
from stream.ledger import Key
from stream.panes import ClosedPane, Panes
from stream.plan import Field, StreamPlan
from stream.pulse import Pulse
from stream.sketch import Sketch
from stream.thin import MIN_N

MAX_LESSON = 4 * MIN_PANES
MAX_KNOWN = 512
MIN_NOTICE_MS = 5_000
MIN_SEEN = 30
"""Records in which an unlisted name must occur before it is named: one stray record names nothing."""


@dataclass(eq=False)
class Account:
    """The identity of one stream in one partition: offsets covered by accepted entries, and records by class (P1)."""

    start: int
    next: int
    classes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))
    rejected: dict[str, int] = field(default_factory=dict)

    @property
    def difference(self) -> int:
        return self.next - self.start - sum(self.classes.values()) - sum(self.rejected.values())

    def add(self, to: int, counts: StreamCounts) -> None:
        self.next = to
        for name in CLASSES:
            self.classes[name] += getattr(counts, name)
        for reason, count in counts.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count


class Watch:
    """One stream, as the judge sees it."""

    def __init__(self, plan: StreamPlan, section: Section, pane_ms: int) -> None:
        self.plan = plan
        self.section = section
        self.panes = Panes(plan, pane_ms)
        self.bank = Bank(plan, section, pane_ms)
        self.pulse = Pulse(plan, severity(plan, None))
        self.accounts: dict[Key, Account] = {}
        self.sketch = Sketch.empty(section.fields)
        self.records = 0
        self.span: tuple[int, int] | None = None
        self.census: dict[str, dict[str, int]] = {"versions": {}, "producers": {}, "unlisted": {}}
        self.lesson: list[NDArray[np.int64]] = []
        self.known: dict[str, list[str]] = {"added": [], "new_version": []}
        self.notices: dict[str, tuple[Finding, int]] = {}
        self.unseen = {"rejected": 0, "seen": 0}
        self.unseen_ms = 0
        self.unreadable = False
        self.closed = {"complete": 0, "partial": 0, "history": 0}

    def entry(self, key: Key, covers: tuple[int, int], counts: StreamCounts) -> None:
        """Fold the part of an accepted entry that is about this stream."""
        account = self.accounts.setdefault(key, Account(covers[0], covers[0]))
        account.add(covers[1], counts)
        rejected = sum(counts.rejected.values())
        self.pulse.stirred |= bool(counts.applied or counts.late or rejected)
        self.panes.add(counts)
        self.records += counts.applied
        for index, pane in counts.panes.items():
            low, high = self.span or (index, index)
            self.span = (min(low, index), max(high, index))
            for name, found in (
                ("versions", pane.versions),
                ("producers", pane.producers),
                ("unlisted", pane.unlisted),
            ):
                _tally(self.census[name], found)
        if not self.section.learned and counts.sketch is not None:
            self.sketch.merge(Sketch.from_dict(counts.sketch))
        self.unseen["rejected"] += rejected
        self.unseen["seen"] += rejected + counts.applied + counts.late

    def reopened(self, key: Key, start: int) -> None:
        """The partition's topic was recreated: its accounting starts again."""
        self.accounts[key] = Account(start, start)

    def adopt(self, section: Section) -> None:
        """Go over to another section of the same stream."""
        if section.id == self.section.id:
            return
        sketch = Sketch.empty(section.fields)
        if self.section.learned:
            self.records, self.span = 0, None
        else:
            sketch.merge(self.sketch)
        self.sketch = sketch
        self.bank.resection(section)
        if [b and b.id for b in section.bins] != [b and b.id for b in self.section.bins]:
            self.lesson = []
        self.section = section
        for kind in self.census:
            self.census[kind] = {}

    def keep(self, pane: ClosedPane) -> None:
        """Remember a closed pane's bins for the reference, until one is adopted."""
        total = pane.counts.total()
        if self.section.learned and not self.bank.drift.reference and total is not None and pane.binned.any():
            self.lesson.append(np.where(pane.binned[:, None], total.bins, 0).astype(np.int32))
            del self.lesson[:-MAX_LESSON]

    def lesson_tree(self) -> dict[str, Any] | None:
        """Return what a reference can be learned from, None when it is too early or one is in force already."""
        if self.bank.drift.reference or len(self.lesson) < MIN_PANES:
            return None
        panes = np.array(self.lesson, np.int64)
        filled = (panes.sum(axis=2) >= MIN_N).sum(axis=0)
        ready = (filled >= MIN_PANES) & (panes.sum(axis=(0, 2)) >= MIN_VALUES)
        numbers = [bins is not None for bins in self.section.bins]
        if not ready.any() or (len(self.lesson) < MAX_LESSON and (numbers & ~ready).any()):
            return None
        bins = [None if item is None else item.id for item in self.section.bins]
        return {"fields": list(self.section.names), "bins": bins, "panes": panes}

    def news(self, pane: ClosedPane) -> list[Finding]:
        """Return what is new in a closed pane: fields that nobody listed, model versions never seen before.

        Before the first learned layout nothing is news: the monitor is still getting to know the stream.
        """
        found = []
        versions = {group[0]: counts.records for group, counts in pane.counts.groups.items() if group[0] != OTHER}
        for reason, names in (("added", pane.counts.unlisted), ("new_version", {**versions, **pane.counts.versions})):
            known = self.known[reason]
            for name in sorted(names):
                if name == OTHER or name in known or len(known) >= MAX_KNOWN:
                    continue
                known.append(name)
                if self.section.learned and not (reason == "added" and self.plan.unlisted == "ignore"):
                    found.append(self._news(reason, name, names[name], pane))
        return found

    def _news(self, reason: str, name: str, n: int, pane: ClosedPane) -> Finding:
        check, level = ("schema", "ticket") if reason == "added" else ("version", "info")
        line = {"yaml": f"{name}: {{path: {name}}}"} if reason == "added" else {}
        extra = f"; to watch it add under fields: {line['yaml']}" if line else ""
        return Finding(
            model=self.plan.model,
            stream=self.plan.name,
            check=check,
            subject=name,
            reason=reason,
            onset_ms=pane.index * self.panes.pane_ms,
            severity=level,
            value=float(n),
            threshold=0.0,
            n=n,
            text=sentence(reason, Facts(name, n, 0, n, extra)),
            evidence={**of_pane(self.plan, pane), **line},
        )

    def notice(self, time_ms: int, check: str, reason: str, n: int, extra: str, spans: list[list[int]]) -> None:
        """Note something that happened at one moment (a gap, a recreated topic, another configuration): it holds 3 panes."""
        level = "ticket" if reason == "new_configuration" else severity(self.plan, None)
        subject = "configuration" if reason == "new_configuration" else self.plan.name
        finding = Finding(
            model=self.plan.model,
            stream=self.plan.name,
            check=check,
            subject=subject,
            reason=reason,
            onset_ms=self.panes.watermark or 0,
            severity=level,
            value=float(n),
            threshold=0.0,
            n=n,
            text=sentence(reason, Facts(subject, n, 0, n, extra)),
            evidence={"topic": self.plan.topic, "spans": spans},
        )
        self.notices[check] = (finding, time_ms + 3 * max(self.panes.pane_ms, MIN_NOTICE_MS))

    def on_tick(self, time_ms: int, elapsed_ms: int) -> list[tuple[str, str, Finding | None]]:
        """Return (check, subject, finding or None) of the rules that need no pane."""
        said: list[tuple[str, str, Finding | None]] = []
        for check, (finding, until) in list(self.notices.items()):
            over = time_ms >= until
            said.append((check, finding.subject, None if over else finding))
            if over:
                del self.notices[check]
        self.unseen_ms += elapsed_ms
        if self.unseen_ms >= max(self.panes.pane_ms, MIN_NOTICE_MS):
            said += self._unreadable()
            self.unseen_ms = 0
        return said

    def _unreadable(self) -> list[tuple[str, str, Finding | None]]:
        """Judge a stream that has no panes to be judged by, because none of its records can be read."""
        rejected, seen = self.unseen["rejected"], self.unseen["seen"]
        self.unseen = {"rejected": 0, "seen": 0}
        wrong = rejected >= MIN_N and rejected == seen
        if not wrong and not self.unreadable:
            return []
        if not wrong and rejected and rejected == seen:
            return []
        self.unreadable = wrong
        facts = Facts(self.plan.name, 1.0, 0.0, rejected)
        finding = Finding(
            model=self.plan.model,
            stream=self.plan.name,
            check="rejected",
            subject=self.plan.name,
            reason="rejected",
            onset_ms=self.panes.watermark or 0,
            severity=severity(self.plan, None),
            value=1.0,
            threshold=0.0,
            n=rejected,
            text=sentence("rejected", facts),
            explains=("volume",),
            evidence={"topic": self.plan.topic, "spans": []},
        )
        return [("rejected", self.plan.name, finding if wrong else None)]

    def next_section(self) -> Section | None:
        """Return the section this stream should go over to, None when the present one will do.

        Names come first (fields, versions, producers that occur and are not named), edges once there is enough to learn from.
        """
        named = self._named()
        if named is not None:
            return named
        if self.section.learned or not self.section.fields or self.span is None:
            return None
        if enough_for_edges(self.records, (self.span[1] - self.span[0] + 1) * self.panes.pane_ms):
            return learn_section(self.section, self.sketch)
        return None

    def _named(self) -> Section | None:
        room = MAX_FIELDS - len(self.section.fields)
        taken = {*self.section.names, *(field.source for field in self.section.fields)}
        unlisted = [name for name in _often(self.census["unlisted"]) if name not in taken and name != OTHER]
        new = unlisted[:room] if self.plan.unlisted == "watch" else []
        versions = _newest(self.section.versions, self.census["versions"], MAX_VERSIONS)
        producers = _newest(self.section.producers, self.census["producers"], MAX_PRODUCERS)
        if not new and versions == self.section.versions and producers == self.section.producers:
            return None
        fields = (*self.section.fields, *(Field(name, name, declared=False) for name in new))
        return self.section.replace(
            fields=fields,
            bins=(*self.section.bins, *(None for _ in new)),
            versions=versions,
            producers=producers,
            learned=self.section.learned and not new,
        )

    def state(self) -> dict[str, Any]:
        return {
            "panes": self.panes.state(),
            "bank": self.bank.state(),
            "pulse": self.pulse.state(),
            "accounts": [[*key, a.start, a.next, a.classes, a.rejected] for key, a in sorted(self.accounts.items())],
            "sketch": self.sketch.to_dict(),
            "records": self.records,
            "span": self.span,
            "census": self.census,
            "lesson": np.array(self.lesson) if self.lesson else np.zeros((0, len(self.section.fields), BINS), np.int32),
            "known": self.known,
            "notices": {
                check: [dataclasses.asdict(finding), until] for check, (finding, until) in self.notices.items()
            },
            "closed": self.closed,
            "unseen": self.unseen,
            "unseen_ms": self.unseen_ms,
            "unreadable": self.unreadable,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.panes.restore(tree["panes"])
        self.bank.restore(tree["bank"])
        self.pulse.restore(tree["pulse"])
        self.accounts = {(t, p): Account(start, to, dict(c), dict(r)) for t, p, start, to, c, r in tree["accounts"]}
        self.sketch = Sketch.from_dict(tree["sketch"])
        self.records = tree["records"]
        self.span = None if tree["span"] is None else (tree["span"][0], tree["span"][1])
        self.census = {kind: dict(names) for kind, names in tree["census"].items()}
        self.lesson = [pane.astype(np.int32) for pane in tree["lesson"]]
        self.known = {reason: list(names) for reason, names in tree["known"].items()}
        self.notices = {check: (finding_from(item), until) for check, (item, until) in tree["notices"].items()}
        self.closed = dict(tree["closed"])
        self.unseen, self.unseen_ms, self.unreadable = dict(tree["unseen"]), tree["unseen_ms"], tree["unreadable"]


def _tally(total: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        total[name] = total.get(name, 0) + count
    for name in sorted(total, key=lambda name: (-total[name], name))[MAX_FIELDS:]:
        del total[name]


def _often(names: dict[str, int]) -> list[str]:
    return sorted((name for name, count in names.items() if count >= MIN_SEEN), key=lambda name: (-names[name], name))


def _newest(named: tuple[str, ...], census: dict[str, int], room: int) -> tuple[str, ...]:
    """Return the names with the newcomers at the end; the oldest ones make room."""
    new: Iterable[str] = (name for name in _often(census) if name not in named)
    return (*named, *new)[-room:]
