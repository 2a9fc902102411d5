"""One cause, one opening: a statistic that falls below its limit for a day and crosses it again tells of no second change.

What is *again* keeps its event and its gauge and names the incident before, but it is no new opening. It must hide nothing, so
all of this has to hold: the same contrast of the same field (of a category: of the same value), in the same direction, no more
than half as large again, no more severe, and begun (at the latest) by the last local day on which the incident before was in
alarm. What began on the quiet day after it, or later, is a change of its own; so is what follows a verdict that it was a false
alarm or the new normal, since a person has closed that account. An onset is dated as far back as `stream.judging.recent` looks,
a day of five-minute panes: where that does not reach the incident before, nothing is known to be again.

It only ever lowers the realised rate: the calibration counts openings without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream.judging.findings import Finding
from stream.judging.incident import Incident, change_of, rank

KEPT_MS = 7 * 24 * 3_600_000
"""As long as an incident that is over can be seen in ``alerts.state``: nobody is referred to what is gone. An incident that is
again keeps nothing alive, so a cause that lasts is told anew, and counted, after a week."""

KEPT, KEPT_PARTS = 500, 32
"""Incidents, and parts of one. What is left out is told anew, if it comes again."""
LARGER = 1.5


class Ended:
    """Attributes: known: what is left of statistical incidents that ended by themselves, by id, oldest first; plain JSON."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {}

    def take(self, incident: Incident) -> None:
        """Remember an incident that is over. One that was again is not a cause of its own."""
        if not incident.members[incident.root].finding.statistical or incident.again:
            return
        parts = [
            [change_of(member.finding), member.bad_day, _size(member.finding), member.severity]
            for member in incident.members.values()
            if member.finding.statistical
        ]
        self.known.pop(incident.id, None)
        self.known[incident.id] = {
            "stream": incident.stream,
            "over_ms": incident.resolved_ms,
            "parts": parts[:KEPT_PARTS],
        }
        for name in list(self.known)[:-KEPT]:
            del self.known[name]

    def forget(self, name: str) -> None:
        """A person has said that nothing was wrong, of the incident or of one that was grouped with it: what comes now is another
        change.
        """
        self.known.pop(name, None)

    def cause(self, incident: Incident, finding: Finding, begin: int, day_of: Callable[[int], int]) -> str:
        """Return the id of the incident whose change the finding tells of again; empty when it is a new one.

        Args:
            incident: that it opens. One that comes back is its own cause; it is told, and counted, as that.
            begin: event time (ms) of the pane that found it. day_of: event time -> local day.
        """
        onset = finding.evidence.get("onset")
        if onset is None or not finding.statistical:
            return ""
        day = day_of(onset["latest_ms"])
        for name, known in reversed(self.known.items()):
            if name == incident.id or known["stream"] != finding.stream or begin - known["over_ms"] > KEPT_MS:
                continue
            if any(_alike(part, finding) and day <= part[1] for part in known["parts"]):
                return name
        return ""

    def tells(self, name: str, finding: Finding) -> bool:
        """Whether an incident told of the change of a finding: not when it is larger by now, or has turned."""
        known = self.known.get(name)
        return known is not None and any(_alike(part, finding) for part in known["parts"])

    def state(self) -> list[list[Any]]:
        """Return pairs: a table comes back in another order, and the oldest goes first."""
        return [[name, dict(known)] for name, known in self.known.items()]

    def restore(self, tree: list[list[Any]]) -> None:
        self.known = {name: dict(known) for name, known in tree}


def _size(finding: Finding) -> float:
    return float(finding.evidence.get("size", 0.0))


def _alike(part: list[Any], finding: Finding) -> bool:
    change, _, before, severity = part
    size = _size(finding)
    alike = size * before > 0 and abs(size) <= LARGER * abs(before)
    return change == change_of(finding) and alike and rank(finding.severity) <= rank(severity)
