"""Rules that are normal for a stream: one that would have fired over its history is disarmed, and a ticket says so.

Rules stand outside the false-alarm budget and are armed from the first pane. What the topic held before the monitor came is
judged like everything else, only nothing is told of it; a rule that found something there on two days that teach would call
people for what has always been so. Only history counts: what was found while somebody was watching is for that person to judge
(``streamgauge verdict``). As the history grows old its days are forgotten, and the rule is armed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detectors.provisional import taught
from stream.judging.findings import Finding
from stream.judging.incident import Key, key_of
from stream.recalibrate import REACH_DAYS

LEAST_DAYS = 2
MOST_RULES = 1_000


class Disarmed:
    """Attributes: days: by rule, local days (ordinals) of history on which it would have fired. rules: those disarmed now."""

    def __init__(self) -> None:
        self.days: dict[Key, list[int]] = {}
        self.rules: set[Key] = set()

    def would_have_fired(self, findings: Iterable[Finding], day: int) -> None:
        """Take what was found in a pane of the history."""
        for finding in findings:
            key = key_of(finding)
            known = self.days.get(key, [])
            if not finding.statistical and day not in known and (known or len(self.days) < MOST_RULES):
                self.days[key] = sorted([*known, day])[-REACH_DAYS:]

    def learn(self, told: dict[str, Any]) -> dict[Key, int]:
        """Decide anew with a reference; return the rules that are disarmed by it, and on how many days each would have fired.

        Args:
            told: ``budget`` of the reference: ``day``, on which it was learned, and from how many ``days``.
        """
        age = told.get("days", 0)
        if not age:
            return {}
        last = told["day"] - (age - taught(age))
        held = {key: [day for day in days if day > told["day"] - REACH_DAYS] for key, days in self.days.items()}
        self.days = {key: days for key, days in held.items() if days}
        counts = {key: sum(day < last for day in days) for key, days in self.days.items()}
        before, self.rules = self.rules, {key for key, count in counts.items() if count >= LEAST_DAYS}
        return {key: counts[key] for key in sorted(self.rules - before)}

    def heard(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings of rules that are armed."""
        return [finding for finding in findings if finding.statistical or key_of(finding) not in self.rules]

    def state(self) -> dict[str, Any]:
        return {"days": [[list(key), days] for key, days in self.days.items()], "rules": sorted(map(list, self.rules))}

    def restore(self, tree: dict[str, Any]) -> None:
        self.days = {(check, subject, reason): list(days) for (check, subject, reason), days in tree["days"]}
        self.rules = {(check, subject, reason) for check, subject, reason in tree["rules"]}
