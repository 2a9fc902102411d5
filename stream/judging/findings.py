"""What a detector says about one stream, before it becomes (or joins) an incident."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

from stream.judging.describe import Facts, sentence
from stream.plan import StreamPlan

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
        provisional: found at a limit of which nothing is promised yet.
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
    provisional: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)


def found(plan: StreamPlan, reason: str, facts: Facts, **known: Any) -> Finding:
    """Return a finding about a stream: whose it is stands in the plan, the numbers and the sentence in the facts.

    Args:
        known: the other attributes of a `Finding`.
    """
    return Finding(
        model=plan.model,
        stream=plan.name,
        subject=facts.subject,
        reason=reason,
        value=facts.value,
        threshold=facts.threshold,
        n=facts.n,
        text=sentence(reason, facts),
        **known,
    )


def finding_plain(finding: Finding) -> dict[str, Any]:
    """Return a finding as plain JSON, which has no NaN: a number that is none is stored as null."""
    plain = dataclasses.asdict(finding)
    for name in ("value", "threshold"):
        plain[name] = float(plain[name]) if math.isfinite(plain[name]) else None
    return {**plain, "n": int(finding.n), "explains": list(finding.explains)}


def finding_from(tree: dict[str, Any]) -> Finding:
    """Return the finding that `finding_plain` described; null comes back as NaN."""
    numbers = {name: math.nan if tree[name] is None else tree[name] for name in ("value", "threshold")}
    return Finding(**{**tree, **numbers, "explains": tuple(tree["explains"])})
