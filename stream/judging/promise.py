"""What the false-alarm budget promised and what came of it: the openings of statistical incidents, counted as they are promised.

Promised is a number of *days* a week for the whole file, and only of calibrated limits (`detectors.risk_control`). So a day on
which statistical incidents open is one opening, whoever is called, and what opens at provisional limits is counted apart: while
there are no others, and of a field that is too young for them.

Calling is by owner: a second incident of the same day keeps its own event and gauge, but it is grouped with the first, since
whoever was called that day is not called again (architecture). So is one that tells of a known change again
(`stream.judging.again`). Whoever calls a grouped one an incident says so of the first, unless that has a verdict of its own; an
opening is a true one when all are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from stream.judging.verdicts import Verdict

KEPT_DAYS = 400
KEPT_GROUPED = 1_000
WINDOW_DAYS = 56


@dataclass(frozen=True, slots=True)
class Realised:
    """What came of limits of one kind.

    Attributes:
        openings: days with one. true: those that a person called incidents. days: on which such limits were in force.
    """

    openings: int
    true: int
    days: int

    @property
    def per_week(self) -> float:
        """Return the false ones a week: all that nobody called an incident. 0 before a day has passed."""
        return 7 * (self.openings - self.true) / self.days if self.days else 0.0


class Promise:
    """Attributes: limits: (local day, status) from which on limits were learning, provisional or calibrated.
    opened: (day, owner, incident). provisional: incidents of these that found something at provisional limits alone.
    grouped: incident that was not counted -> the one that was; the newest 1,000. watched: local days with a pane; on
    others nothing can open.
    """

    def __init__(self) -> None:
        self.limits: list[tuple[int, str]] = []
        self.opened: list[tuple[int, str, str]] = []
        self.provisional: set[str] = set()
        self.grouped: dict[str, str] = {}
        self.watched: list[int] = []

    def watch(self, day: int) -> None:
        """A pane of this day was judged."""
        if day not in self.watched:
            self.watched = sorted([*self.watched, day])[-KEPT_DAYS:]

    def armed(self, day: int, status: str) -> None:
        """Limits of this kind are in force from this day on."""
        before = [item for item in self.limits if item[0] < day]
        if not before or before[-1][1] != status:
            before.append((day, status))
        self.limits = before[-KEPT_DAYS:]

    def open(self, day: int, owner: str, incident: str, provisional: bool = False) -> str | None:
        """Count an opening; return the incident with which it is grouped, None if it is the first of its owner's day."""
        first = next((name for on, who, name in self.opened if (on, who) == (day, owner)), None)
        if first is None:
            new = all(name != incident for *_, name in self.opened)
            self.opened = [item for item in self.opened if item[0] > day - KEPT_DAYS] + [(day, owner, incident)]
            self.provisional = {
                name for *_, name in self.opened if name in self.provisional or (new and name == incident)
            }
        elif first != incident:
            self.group(first, incident)
        if not provisional:
            self.calibrated(incident)
        return None if first == incident else first

    def calibrated(self, incident: str) -> None:
        """Something in an incident was found at a calibrated limit: its opening was promised not to be."""
        self.provisional -= {incident, self.grouped.get(incident, incident)}

    def group(self, first: str, incident: str) -> None:
        """An incident is no opening of its own: what is said of it is said of the first."""
        if first != incident:
            counted = any(first == name for *_, name in self.opened)
            self.grouped[incident] = first if counted else self.grouped.get(first, first)
        for name in list(self.grouped)[:-KEPT_GROUPED]:
            del self.grouped[name]

    def realised(
        self, today: int, verdicts: Iterable[Verdict] = (), window: int = WINDOW_DAYS, status: str = "calibrated"
    ) -> Realised:
        """Return what has come of limits of one kind up to a local day, over so many days: of calibrated ones, of the promise."""
        days: set[int] = set()
        for (begin, what), (end, _) in pairwise([*self.limits, (today + 1, "")]):
            if what == status:
                days.update(range(max(begin, today - window + 1), min(end, today + 1)))
        days.intersection_update(self.watched)
        names: dict[int, list[str]] = {}
        for day, _, name in self.opened:
            if day in days and not (status == "calibrated" and name in self.provisional):
                names.setdefault(day, []).append(name)
        judged = {given["incident"]: given["verdict"] for given in verdicts if given["verdict"] != "mute"}
        true = {name for name, word in judged.items() if word == "incident"}
        true |= {self.grouped[name] for name in true if name in self.grouped} - judged.keys()
        return Realised(len(names), sum(true.issuperset(own) for own in names.values()), len(days))

    def state(self) -> dict[str, Any]:
        return {
            "limits": [list(item) for item in self.limits],
            "opened": [list(item) for item in self.opened],
            "provisional": sorted(self.provisional),
            "grouped": [list(pair) for pair in self.grouped.items()],
            "watched": list(self.watched),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Go on from what `state` returned."""
        self.limits = [(day, status) for day, status in tree["limits"]]
        self.opened = [(day, owner, incident) for day, owner, incident in tree["opened"]]
        self.provisional = set(tree["provisional"])
        self.grouped = dict(tree["grouped"])
        self.watched = list(tree["watched"])
