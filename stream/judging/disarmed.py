"""Rules that are normal for a stream: one that its history would have set off too often is disarmed, and a ticket says so.

Rules stand outside the false-alarm budget and are armed from the first pane. What the topic held before the monitor came is
judged like everything else, only nothing is told of it; a rule that found something there again and again would call people for
what has always been so. How often is too often follows from what the user stated: ``false_alarms: 1 per week`` is what the whole
file may ask of people for nothing, so a rule that alone would have fired on more days than that is disarmed. Of eight weeks that
teach it is nine days: two honest outages in two months are no reason to stop watching for the third.

Only history counts: what was found while somebody was watching is for that person to judge (``streamgauge verdict``), so no
incident counts here, whatever it was called. As the history grows old its days are forgotten, and the rule is armed again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from detectors.provisional import taught
from detectors.risk_control import DAYS
from stream.judging.findings import Finding
from stream.judging.incident import Key, key_of
from stream.judging.pulse import beat
from stream.plan import StreamPlan
from stream.recalibrate import REACH_DAYS

LEAST_DAYS = 2
"""However short the history and small the budget, one day is an event and no habit."""

MOST_SHARE = 0.5
"""However large the budget, a rule that fires on more than half of the days says nothing about any one of them."""

MOST_RULES = 1_000


class Disarmed:
    """Attributes: history: its newest local days (ordinals). days: by rule, those on which it would have fired. rules: those that
    are disarmed now.
    """

    def __init__(self) -> None:
        self.history: list[int] = []
        self.days: dict[Key, list[int]] = {}
        self.rules: set[Key] = set()

    def would_have_fired(self, findings: Iterable[Finding], day: int) -> None:
        """Take what was found in a pane of the history; nothing, for most."""
        if day not in self.history:
            self.history = sorted([*self.history, day])[-REACH_DAYS:]
        for finding in findings:
            key = key_of(finding)
            known = self.days.get(key, [])
            if not finding.statistical and day not in known and (known or len(self.days) < MOST_RULES):
                self.days[key] = sorted([*known, day])[-REACH_DAYS:]

    def learn(self, told: dict[str, Any]) -> dict[Key, tuple[int, int]]:
        """Decide anew with a reference; return the rules that it disarms: days on which each would have fired, and of how many.

        Days of history are forgotten where a rule fired and not where they are counted: of a history that ends, a few bad days
        would else be a greater part every week.

        Args:
            told: ``budget`` of the reference: ``day``, on which it was learned, from how many ``days``, and ``false_alarms``.
        """
        age = told.get("days", 0)
        if not age:
            return {}
        last = told["day"] - (age - taught(age))
        held = {key: [day for day in days if day > told["day"] - REACH_DAYS] for key, days in self.days.items()}
        self.days = {key: days for key, days in held.items() if days}
        counts = {key: sum(day < last for day in days) for key, days in self.days.items()}
        whole = sum(day < last for day in self.history)
        tolerated = whole * min(told["false_alarms"] / DAYS, MOST_SHARE)
        before = self.rules
        self.rules = {key for key, count in counts.items() if count >= LEAST_DAYS and count > tolerated}
        return {key: (counts[key], whole) for key in sorted(self.rules - before)}

    def heard(self, findings: Iterable[Finding]) -> list[Finding]:
        """Return the findings of rules that are armed."""
        return [finding for finding in findings if finding.statistical or key_of(finding) not in self.rules]

    def under(self, before: StreamPlan, now: StreamPlan) -> Disarmed:
        """Go on under another configuration of the stream; the history is not read again.

        It says nothing of other records, nor of a field that is another one now, or watched by other rules: those are armed.
        """
        moved = Disarmed()
        if beat(before) != beat(now):
            return moved
        was, new = ({field.name: field for field in plan.fields} for plan in (before, now))
        changed = {name for name in was.keys() | new.keys() if was.get(name) != new.get(name)}
        moved.history = list(self.history)
        moved.days = {key: list(days) for key, days in self.days.items() if key[1] not in changed}
        moved.rules = {key for key in self.rules if key[1] not in changed}
        return moved

    def state(self) -> dict[str, Any]:
        days = [[list(key), days] for key, days in self.days.items()]
        return {"history": self.history, "days": days, "rules": sorted(map(list, self.rules))}

    def restore(self, tree: dict[str, Any]) -> None:
        self.history = list(tree["history"])
        self.days = {(check, subject, reason): list(days) for (check, subject, reason), days in tree["days"]}
        self.rules = {(check, subject, reason) for check, subject, reason in tree["rules"]}
