"""What a detector says about one stream, before it becomes (or joins) an incident."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

CHECKS = ("missing", "schema", "freshness", "volume", "ranges", "rejected", "late", "lost", "drift", "version")
SEVERITIES = ("info", "ticket", "page")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, with the two numbers that were compared.

    Attributes:
        model, stream: whose. check: one of `CHECKS`. subject: field name, or the stream's name when it concerns all of it.
        reason: named reason in snake case: ``all_missing``, ``removed``, ``retyped``, ``silent``, ``dropped``, ...
        onset_ms: start of the pane in which it began; for silence the last frontier before it.
        severity: ``page``, ``ticket`` or ``info``.
        value, threshold, n: the numbers compared, and how many records they rest on.
        text: one sentence for a person, in the user's units, without any value of a single record.
        reference: what it was compared with, in words or as a number.
        explains: checks of the same stream that follow from this one (a silent stream explains its stale features).
        statistical: stands under the false-alarm budget; resolved at the end of a quiet day instead of after 3 clean panes.
        evidence: plain JSON: topic, spans [[partition, from, to]], examples [[partition, offset]], and what the check adds.
    """

    model: str
    stream: str
    check: str
    subject: str
    reason: str
    onset_ms: int
    severity: str
    value: float
    threshold: float
    n: int
    text: str
    reference: str | float | None = None
    explains: tuple[str, ...] = ()
    statistical: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)


def finding_from(tree: dict[str, Any]) -> Finding:
    """Return the finding that `dataclasses.asdict` described, also after a journey through JSON."""
    return Finding(**{**tree, "explains": tuple(tree["explains"])})
