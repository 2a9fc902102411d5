"""What the judge keeps of one stream: open panes, detectors, rules on ticks, news, what is being learned, and the accounts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stream.coarse import Coarse, CoarsePane
from stream.counts import CLASSES, StreamCounts
from stream.judging.bank import Bank, severity
from stream.judging.disarmed import Disarmed
from stream.judging.learning import Learning
from stream.judging.news import News
from stream.judging.pulse import Pulse
from stream.judging.verdicts import RESET, Verdict, unlearned
from stream.layout import Section
from stream.ledger import Key, Position
from stream.panes import ClosedPane, Panes
from stream.plan import Plan, StreamPlan

UNJUDGED = "unjudged"
"""The class of records whose counts the ledger lost before the judge had folded them."""


@dataclass(eq=False)
class Account:
    """The identity of one stream in one partition: offsets covered by accepted entries, and records by class (P1).

    Attributes:
        start, next: offsets. inc: incarnation of the partition.
    """

    start: int
    next: int
    inc: int = 0
    classes: dict[str, int] = field(default_factory=lambda: dict.fromkeys((*CLASSES, UNJUDGED), 0))
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

    def passed_over(self, to: int, kind: str) -> int:
        """Account for the offsets below ``to`` that no entry told about; return how many."""
        n, self.next = to - self.next, to
        self.classes[kind] = self.classes.get(kind, 0) + n
        return n


class Watch:
    """One stream, as the judge sees it. ``closed`` counts its panes by kind."""

    def __init__(self, plan: StreamPlan, section: Section, whole: Plan) -> None:
        pane_ms = whole.pane_ms
        self.plan = plan
        self.section = section
        self.panes = Panes(plan, pane_ms)
        self.coarse = Coarse(plan.name, section, whole.coarse_panes, pane_ms)
        self.bank = Bank(plan, section, whole)
        self.pulse = Pulse(plan, severity(plan, None))
        self.disarmed = Disarmed()
        self.news = News(plan, pane_ms, severity(plan, None))
        self.learning = Learning(plan, section, pane_ms, whole.warm_up_ms // whole.coarse_ms)
        self.accounts: dict[Key, Account] = {}
        self.closed = {"complete": 0, "partial": 0, "history": 0}

    def entry(self, key: Key, inc: int, covers: tuple[int, int], counts: StreamCounts, again: bool) -> None:
        """Fold the part of an accepted entry that is about this stream.

        Args:
            inc: incarnation of the partition. covers: [from, to).
            again: they were counted before: closed panes do not change, nothing is learned, and they are no sign of life.
        """
        self.accounts.setdefault(key, Account(covers[0], covers[0], inc)).add(covers[1], counts)
        self.panes.add(counts)
        if again:
            return
        self.learning.entry(counts)
        rejected = sum(counts.rejected.values())
        self.news.rejected += rejected
        self.news.late += counts.late
        self.news.counted += rejected + counts.applied + counts.late
        self.pulse.stirred |= bool(rejected or counts.applied or counts.late)

    def closing(self, pane: ClosedPane) -> list[CoarsePane]:
        """Count a closed pane; return the coarse panes that are complete with it. A partial one is no part of any."""
        self.closed["partial" if pane.partial else "history" if pane.history else "complete"] += 1
        coarse = [] if pane.partial else self.coarse.add(pane)
        for item in coarse:
            self.learning.keep(item)
        return coarse

    def reopened(self, key: Key, inc: int, start: int) -> None:
        """The partition's topic was recreated: its accounting starts again."""
        self.accounts[key] = Account(start, start, inc)

    def moved(self, key: Key, inc: int, before: int, to: int) -> int:
        """An operator moved the position; return how many offsets were skipped, negative where some are read again.

        What is skipped is lost. Where records are read again the accounting starts again, or they would stand in it twice.
        """
        account = self.accounts.setdefault(key, Account(before, before, inc))
        if to < before:
            self.accounts[key] = Account(to, to, inc)
            return to - before
        account.inc = inc
        return account.passed_over(to, "lost")

    def overlook(self, positions: dict[Key, Position]) -> int:
        """Go on where the ledger does, past entries that are gone; return how many records stay unjudged.

        Panes that may hold some of them are dropped, those that later entries would add to them too.
        """
        n, moved = 0, False
        for key, position in positions.items():
            account = self.accounts.get(key)
            if account is None or account.inc != position.incarnation:
                account = self.accounts[key] = Account(position.first, position.first, position.incarnation)
            moved = moved or account.next != position.next
            if account.next > position.next:
                self.accounts[key] = Account(position.next, position.next, position.incarnation)
            else:
                n += account.passed_over(position.next, UNJUDGED)
        if moved:
            frontiers = [position.frontier.get(self.plan.name, (None, None))[0] for position in positions.values()]
            self.panes.drop(max((item for item in frontiers if item is not None), default=0))
        return n

    def adopt(self, section: Section, whole: Plan) -> None:
        """Go over to another section of the same stream, and to another calendar of the plan."""
        self.bank.go_by(whole)
        self.learning.span = whole.warm_up_ms // whole.coarse_ms
        if section.id != self.section.id:
            self.learning.adopt(section)
            rows, same = self.bank.resection(section)
            self.coarse.adopt(section, rows, same)
            self.section = section

    def set_reference(self, reference: dict[str, Any] | None, said: list[Verdict]) -> None:
        """Adopt normal ranges (`stream.learn`), as far as nobody has said that they are over."""
        self.bank.set_reference(reference, unlearned(said, self.plan.name, reference))
        if reference:
            self.learning.learned()

    def obey(self, given: Verdict, said: list[Verdict]) -> None:
        """Do what a verdict, the newest of those ``said``, asks of statistics."""
        drift = self.bank.drift
        if given["verdict"] in RESET:
            drift.forget(given["subjects"])
        quiet = unlearned(said, self.plan.name, drift.reference)
        if quiet != drift.quiet:
            self.bank.set_reference(drift.reference, quiet)

    def state(self) -> dict[str, Any]:
        return {
            "panes": self.panes.state(),
            "coarse": self.coarse.state(),
            "bank": self.bank.state(),
            "pulse": self.pulse.state(),
            "news": self.news.state(),
            "disarmed": self.disarmed.state(),
            "learning": self.learning.state(),
            "accounts": [
                [*key, a.start, a.next, a.inc, a.classes, a.rejected] for key, a in sorted(self.accounts.items())
            ],
            "closed": self.closed,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        for part in ("panes", "coarse", "bank", "pulse", "news", "disarmed", "learning"):
            getattr(self, part).restore(tree[part])
        self.accounts = {
            (topic, partition): Account(start, to, inc, dict(classes), dict(rejected))
            for topic, partition, start, to, inc, classes, rejected in tree["accounts"]
        }
        self.closed = dict(tree["closed"])
