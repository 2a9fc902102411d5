"""Which findings belong together: the order in which they come, what a cause explains, what may have begun at once."""

from __future__ import annotations

from typing import Any

from stream.judging.findings import CHECKS, Finding
from stream.judging.incident import Incident, rank


def precedence(finding: Finding) -> tuple[Any, ...]:
    """Among findings of one pane the root is the worst, then the one that explains others, then by the order of checks.

    The rest only makes the order the same whichever way they come.
    """
    checks = CHECKS.index(finding.check)
    first = (-rank(finding.severity), not finding.explains, checks, finding.subject, finding.reason)
    return (*first, finding.explains, finding.onset_ms, finding.n, finding.text)


def explains(incident: Incident, finding: Finding) -> bool:
    """Whether the finding follows from the incident's cause: a whole stream explains its fields, a field only itself."""
    root = incident.members.get(incident.root)
    if root is None or not root.holds or finding.check not in root.finding.explains:
        return False
    return incident.subject in (incident.stream, finding.subject)


def one_onset(incident: Incident, finding: Finding) -> bool:
    """Whether two statistics may have begun together."""
    mine, other = finding.evidence.get("onset"), incident.finding.evidence.get("onset")
    if not (mine and other and finding.statistical and incident.finding.statistical):
        return False
    return bool(mine["earliest_ms"] <= other["latest_ms"] and other["earliest_ms"] <= mine["latest_ms"])
