"""Alert events: a transition of an incident as a Kafka record, in the binary mode of CloudEvents 1.0.

The key is the fingerprint: one alert's events stay in order, and a compacted topic keeps its newest state. The event id
is the incident id and the number of the transition, so that a consumer may drop repetitions. All times come from the
ledger: folding it again gives the same bytes. The shape of the value is ``stream/schema/alert.schema.json``; it only grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import orjson

from stream.judging.advice import costs, description, first_action, pattern, short, summary
from stream.judging.incident import Incident, Member, rank
from stream.judging.incidents import Transition, local_time
from stream.plan import ModelPlan, Plan

SCHEMA_ID = "https://streamgauge.io/schema/alert-1.json"
"""An identifier, not an address: consumers compare it, nothing is fetched."""

VERSION = version("streamgauge")

MAX_VALUE = 64 * 1024
MAX_FINDINGS = 50
MAX_COORDINATES = 20
MAX_COMMANDS = 5
MAX_CARD = 2_000
SAMPLE = 10
"""Records that a kcat line asks for where no single record is known to be wrong."""


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """One record for ``alerts`` or ``alerts.state``; a value of None is a tombstone."""

    key: bytes
    headers: list[tuple[str, bytes]]
    value: bytes | None


def event(transition: Transition, plan: Plan, in_force: Mapping[str, str]) -> AlertRecord:
    """Return the record of a transition.

    Args:
        in_force: content address of the layout and the reference in force (`stream.ledger.Fold.in_force`).
    """
    tree = _value(transition, plan, in_force)
    shown, details = MAX_FINDINGS, True
    value = orjson.dumps({**tree, "evidence": _evidence(transition, shown, details)}, option=orjson.OPT_SORT_KEYS)
    while len(value) > MAX_VALUE and shown > 1:
        shown, details = shown // 2, False
        value = orjson.dumps({**tree, "evidence": _evidence(transition, shown, details)}, option=orjson.OPT_SORT_KEYS)
    return AlertRecord(transition.fingerprint.encode(), _headers(transition, plan.app), value)


def state_record(record: AlertRecord, ledger_offset: int) -> AlertRecord:
    """Return an event for ``alerts.state`` as of a later ledger offset: readers keep the record with the highest.

    The event of `Incidents.latest` repeats the newest transition under its id, possibly with newer numbers.
    """
    headers = [header for header in record.headers if header[0] != "ledger_offset"]
    return AlertRecord(record.key, [*headers, ("ledger_offset", str(ledger_offset).encode())], record.value)


def tombstone(fingerprint: str, ledger_offset: int) -> AlertRecord:
    """Return the record that deletes an expired incident (`Incidents.expired`) from ``alerts.state``."""
    return AlertRecord(fingerprint.encode(), [("ledger_offset", str(ledger_offset).encode())], None)


def to_line(record: AlertRecord) -> str:
    """Return an event as one line of JSON: its value and, under ``ce``, the attributes from its headers.

    Raises:
        ValueError: the record is a tombstone.
    """
    if record.value is None:
        raise ValueError("a tombstone has no value, expected an alert event")
    attributes = {name.removeprefix("ce_"): value.decode() for name, value in record.headers if name.startswith("ce_")}
    return orjson.dumps({**orjson.loads(record.value), "ce": attributes}).decode()


def _headers(transition: Transition, app: str) -> list[tuple[str, bytes]]:
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"{transition.id}-{transition.seq}",
        "ce_source": f"/streamgauge/{app}",
        "ce_type": f"io.streamgauge.alert.{transition.status}.v1",
        "ce_subject": f"models/{transition.model}/{transition.check}/{short(transition.subject)}",
        "ce_time": rfc3339(transition.at.event_ms),
        "ce_dataschema": SCHEMA_ID,
        "ce_partitionkey": transition.fingerprint,
        "content-type": "application/json",
        "ledger_offset": str(transition.at.ledger_offset),
    }
    return [(name, value.encode()) for name, value in headers.items()]


def _value(incident: Incident, plan: Plan, in_force: Mapping[str, str]) -> dict[str, Any]:
    finding = incident.finding
    model = next((item for item in plan.models if item.name == incident.model), None)
    action = first_action(finding.check, finding.reason, incident.stream, finding.subject)
    since = local_time(incident.started_ms, plan.timezone).strftime("%Y-%m-%d %H:%M:%S %Z")
    return {
        "fingerprint": incident.fingerprint,
        "incident": incident.id,
        "seq": incident.seq,
        "status": incident.status,
        "severity": incident.severity,
        "check": incident.check,
        "labels": _labels(incident, model),
        "annotations": {
            "summary": summary(incident, since),
            "description": description(incident, model, since, action),
            **({} if model is None or not model.runbook else {"runbook_url": short(model.runbook, MAX_CARD)}),
        },
        "startsAt": rfc3339(incident.started_ms),
        "eventTime": rfc3339(incident.at.event_ms),
        "detectedAt": rfc3339(incident.at.wall_ms),
        "endsAt": None if incident.resolved_ms is None else rfc3339(incident.resolved_ms),
        "value": float(finding.value),
        "threshold": float(finding.threshold),
        "n": int(finding.n),
        "reference": finding.reference,
        "grouped_with": incident.again or incident.grouped_with or None,
        "decision": None if model is None else _card(model, action),
        "config": plan.config_hash,
        "layout": in_force.get("layout"),
        "reference_hash": in_force.get("reference"),
        "product": f"streamgauge {VERSION}",
    }


def _labels(incident: Incident, model: ModelPlan | None) -> dict[str, str]:
    """Identity only, nothing that may change while the incident is open: an Alertmanager would see another alert."""
    labels = {
        "model": incident.model,
        "check": incident.check,
        "subject": short(incident.subject),
        "stream": incident.stream,
        "reason": incident.reason,
    }
    return labels if model is None else {**labels, "owner": short(model.owner)}


def _card(model: ModelPlan, action: str) -> dict[str, Any]:
    """The decision card: what hangs on the model, in the words its team wrote down."""
    return {
        "model": model.name,
        "decision": short(model.decision, MAX_CARD),
        "when_wrong": short(model.when_wrong, MAX_CARD),
        "cost": model.cost,
        "cost_text": costs(model),
        "owner": short(model.owner),
        "first_action": action,
        "runbook": None if model.runbook is None else short(model.runbook, MAX_CARD),
    }


def _evidence(incident: Incident, shown: int, details: bool) -> dict[str, Any]:
    root = incident.members[incident.root]
    members = sorted(
        incident.members.values(), key=lambda member: (member is not root, not member.holds, -rank(member.severity))
    )
    coordinates, commands = _where(members)
    total = len(members)
    return {
        "pattern": pattern(incident),
        "findings": [_shown(member, details) for member in members[:shown]],
        "findings_total": total,
        "truncated": shown < total or not details or incident.full,
        "coordinates": coordinates,
        "kcat": commands,
    }


def _shown(member: Member, details: bool) -> dict[str, Any]:
    finding = member.finding
    known = {"topic", "spans", "examples"}
    return {
        "check": finding.check,
        "subject": short(finding.subject),
        "reason": finding.reason,
        "severity": member.severity,
        "holds": member.holds,
        "since": rfc3339(finding.onset_ms),
        "value": float(finding.value),
        "threshold": float(finding.threshold),
        "n": int(finding.n),
        "text": short(finding.text),
        "detail": {name: item for name, item in finding.evidence.items() if name not in known} if details else {},
    }


def _where(members: list[Member]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return where the records are, and ready commands that show some of them.

    The brokers are no part of the plan (their address may hold secrets), so the commands leave them to ``$BROKERS``.
    """
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    examples: dict[tuple[str, int, int], None] = {}
    for member in members:
        evidence = member.finding.evidence
        topic = evidence.get("topic", "")
        for partition, start, end in evidence.get("spans", ()):
            low, high = spans.get((topic, partition), (start, end))
            spans[topic, partition] = (min(low, start), max(high, end))
        examples |= {(topic, partition, offset): None for partition, offset in evidence.get("examples", ())}
    places = sorted(spans.items())[:MAX_COORDINATES]
    coordinates = [{"topic": topic, "partition": p, "from": start, "to": end} for (topic, p), (start, end) in places]
    single = [_kcat(topic, partition, offset, 1) for topic, partition, offset in examples]
    ranges = [_kcat(topic, p, start, min(end - start, SAMPLE)) for (topic, p), (start, end) in places if end > start]
    return coordinates, (single or ranges)[:MAX_COMMANDS]


def _kcat(topic: str, partition: int, offset: int, count: int) -> str:
    return f"kcat -C -b $BROKERS -t {topic} -p {partition} -o {offset} -c {count} -e"


def rfc3339(ms: int) -> str:
    """Return a moment as text, in UTC."""
    return local_time(ms, "UTC").isoformat(timespec="milliseconds").replace("+00:00", "Z")
