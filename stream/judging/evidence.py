"""Evidence of a finding: where the records are in Kafka, and whether one producer or version or all of them did it."""

from __future__ import annotations

from typing import Any

from stream.counts import NONFINITE, NUMBER, TYPES, FieldCounts, PaneCounts, coordinates
from stream.judging.describe import percent, span
from stream.panes import ClosedPane
from stream.plan import StreamPlan


def of_field(
    stream: StreamPlan, pane: ClosedPane, counts: FieldCounts, row: int, bad: tuple[int, ...] | None, expected: int
) -> tuple[dict[str, Any], str]:
    """Return (evidence, what to add to the sentence) for a finding about one field.

    Args:
        stream, pane: where it was found. counts, row: the field's counts.
        bad: JSON types (indexes of `stream.counts.TYPES`) that are wrong; None: every type but the expected one.
        expected: expected JSON type, -1 when unknown.
    """
    evidence = of_pane(stream, pane)
    found = coordinates(int(counts.example[row]))
    evidence["examples"] = [] if found is None else [list(found)]
    types = counts.types[row]
    evidence["types"] = {name: int(types[place]) for place, name in enumerate(TYPES) if types[place]}
    wrong = (
        bad
        if bad is not None
        else tuple(
            i for i in range(2, len(TYPES)) if i not in (expected, NONFINITE if expected == NUMBER else expected)
        )
    )
    by_group = _by_group(pane, row, wrong)
    evidence["groups"] = by_group
    instead = f" instead of {TYPES[expected]}" if bad is None and expected >= 0 else ""
    extra = (
        " (" + ", ".join(f"{TYPES[i]} {int(types[i])}" for i in wrong if types[i]) + instead + ")"
        if any(types[i] for i in wrong)
        else ""
    )
    return evidence, extra + _who(by_group)


def of_stream(stream: StreamPlan, counts: PaneCounts, check: str) -> tuple[dict[str, Any], str]:
    """Return (evidence, what to add to the sentence) for a finding about a whole stream."""
    evidence = _coordinates(stream, counts)
    if check == "rejected":
        reasons = sorted(counts.rejected.items(), key=lambda item: (-item[1], item[0]))
        evidence["reasons"] = dict(reasons)
        codes = [code for reason in sorted(counts.references) for code in counts.references[reason]]
        evidence["examples"] = [list(found) for code in codes[:8] if (found := coordinates(code))]
        return evidence, " (" + ", ".join(f"{reason} {count}" for reason, count in reasons[:4]) + ")"
    if check == "late":
        enough = stream.lateness_ms + counts.late_by_ms
        evidence["lateness_ms"] = enough
        return evidence, f"; a lateness of {span(enough)} would have sufficed"
    return evidence, ""


def of_pane(stream: StreamPlan, pane: ClosedPane) -> dict[str, Any]:
    """Return the Kafka coordinates of a pane."""
    return _coordinates(stream, pane.counts)


def _coordinates(stream: StreamPlan, counts: PaneCounts) -> dict[str, Any]:
    spans = [[partition, start, end] for partition, (start, end) in sorted(counts.spans.items())]
    return {"topic": stream.topic, "spans": spans}


def _by_group(pane: ClosedPane, row: int, wrong: tuple[int, ...]) -> list[dict[str, Any]]:
    groups = []
    for (version, producer), counts in sorted(pane.counts.groups.items()):
        n = int(counts.types[row].sum())
        if n:
            share = int(counts.types[row, list(wrong)].sum()) / n
            groups.append({"version": version, "producer": producer, "n": n, "share": round(share, 4)})
    return groups


def _who(groups: list[dict[str, Any]]) -> str:
    """Say who did it, when some did and some did not."""
    guilty = [group for group in groups if group["share"] >= 0.5]
    if not guilty or len(guilty) == len(groups):
        return ""
    names = [
        " ".join(part for part in (group["version"], group["producer"]) if part != "*") or "others" for group in guilty
    ]
    return f"; only from {', '.join(names[:4])} ({percent(guilty[0]['share'])} there)"
