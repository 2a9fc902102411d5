"""What the false-alarm budget promised and what came of it: the openings of statistical incidents, counted as they are promised.

An *opening* is a local day on which a statistical incident opens for an owner. A second one of the same day keeps its own event
and gauge, but it is grouped with the first: whoever was called that day is not called again (architecture). So is one that tells
of a known change again (`stream.judging.again`). Whoever calls a grouped one an incident says that the opening was a true one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stream.judging.verdicts import Verdict

KEPT_DAYS = 400
KEPT_GROUPED = 1_000
WINDOW_DAYS = 56


@dataclass(frozen=True, slots=True)
class Realised:
    """What became of a promise over some days, or since limits were there first.

    Attributes:
        openings: counted ones. true: those that a person called an incident. days: over which.
    """

    openings: int
    true: int
    days: int

    @property
    def per_week(self) -> float:
        """Return the false ones a week: all that nobody called an incident. 0 before a day has passed."""
        return 7 * (self.openings - self.true) / self.days if self.days else 0.0


class Promise:
    """Attributes: since: local day (ordinal) from which on statistics had limits; None before. opened: (day, owner, incident).
    grouped: incident that was not counted -> the one that was; the newest 1,000.
    """

    def __init__(self) -> None:
        self.since: int | None = None
        self.opened: list[tuple[int, str, str]] = []
        self.grouped: dict[str, str] = {}

    def armed(self, day: int) -> None:
        """Limits are in force from this day on."""
        self.since = day if self.since is None else self.since

    def open(self, day: int, owner: str, incident: str) -> str | None:
        """Count an opening; return the incident with which it is grouped, None if it is the first of its owner's day."""
        first = next((name for on, who, name in self.opened if (on, who) == (day, owner)), None)
        if first is None:
            self.opened = [item for item in self.opened if item[0] > day - KEPT_DAYS] + [(day, owner, incident)]
        if first is None or first == incident:
            return None
        self.group(first, incident)
        return first

    def group(self, first: str, incident: str) -> None:
        """An incident is no opening of its own: what is said of it is said of the first."""
        if first != incident:
            counted = any(first == name for *_, name in self.opened)
            self.grouped[incident] = first if counted else self.grouped.get(first, first)
        for name in list(self.grouped)[:-KEPT_GROUPED]:
            del self.grouped[name]

    def realised(self, today: int, verdicts: Iterable[Verdict] = (), window: int = WINDOW_DAYS) -> Realised:
        """Return what has come of the promise up to a local day, over so many days."""
        if self.since is None or today < self.since:
            return Realised(0, 0, 0)
        begin = max(self.since, today - window + 1)
        names = [name for day, _, name in self.opened if begin <= day <= today]
        judged = {given["incident"]: given["verdict"] for given in verdicts if given["verdict"] != "mute"}
        true = {name for name, word in judged.items() if word == "incident"}
        true |= {self.grouped[name] for name in true if name in self.grouped}
        return Realised(len(names), sum(name in true for name in names), today - begin + 1)

    def state(self) -> dict[str, Any]:
        return {
            "since": self.since,
            "opened": [list(item) for item in self.opened],
            "grouped": dict(self.grouped),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.since = tree["since"]
        self.opened = [(day, owner, incident) for day, owner, incident in tree["opened"]]
        self.grouped = dict(tree.get("grouped", {}))
