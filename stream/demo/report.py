"""What was injected, what was detected, and what else was said: computed from the alerts topic and the schedule alone.

The rule of matching, so that nobody has to trust it:

* A fault is *detected* by the first event, firing or updated, that holds a finding with the check and the subject
  announced for it (and for the new version also the reason). The finding must have begun no earlier than two panes before
  the fault, and the event must have reached the topic between the start of the fault and 10 panes after its end. The
  delay is the time at which the event was written to the topic minus the event time of the first faulty record; both are
  wall clocks of this machine.
* An incident that opens in the same interval on the same stream is a *consequence* of the fault when it names the same field,
  or when the fault breaks the whole stream (silence, late or unreadable records, another model). Drift alone is a consequence of
  another model only: records that are missing or late do not change what the others hold.
* Everything else is *unexplained*. A page among it is false; a ticket is counted, because a real storm may deserve one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from stream.demo.faults import Fault
from stream.demo.timeline import PANE_MS

GRACE_MS = 10 * PANE_MS
"""Shorter than the clean panes between two faults, so an event belongs to one fault at most."""
EARLY_MS = 2 * PANE_MS
_SEVERITIES = ("info", "ticket", "page")


@dataclass(frozen=True)
class Alert:
    """One event of the alerts topic. ``at_ms`` is the timestamp of its record, ``event`` its value."""

    at_ms: int
    event: dict[str, Any]

    @property
    def incident(self) -> str:
        return str(self.event["incident"])

    @property
    def stream(self) -> str:
        return str(self.event["labels"]["stream"])

    @property
    def summary(self) -> str:
        return str(self.event["annotations"]["summary"])


@dataclass(frozen=True)
class Detection:
    """Whether and when a fault was found; ``alert`` is None when it was missed."""

    fault: Fault
    alert: Alert | None

    @property
    def delay_s(self) -> float | None:
        return None if self.alert is None else (self.alert.at_ms - self.fault.start_ms) / 1000


@dataclass
class Opened:
    """One incident: its first event, and the highest severity it had."""

    alert: Alert
    severity: str
    explained_by: Fault | None = None

    @property
    def summary(self) -> str:
        return self.alert.summary


@dataclass(frozen=True)
class Report:
    """The result. ``incidents`` are all incidents in the order in which they opened."""

    started_ms: int
    detections: tuple[Detection, ...]
    incidents: tuple[Opened, ...] = field(default=())

    @property
    def missed(self) -> tuple[Fault, ...]:
        return tuple(item.fault for item in self.detections if item.alert is None)

    def unexplained(self, severity: str) -> tuple[Opened, ...]:
        return tuple(item for item in self.incidents if item.explained_by is None and item.severity == severity)

    @property
    def consequences(self) -> tuple[Opened, ...]:
        found = {item.alert.incident for item in self.detections if item.alert}
        return tuple(item for item in self.incidents if item.explained_by and item.alert.incident not in found)

    @property
    def seconds_to_first_alert(self) -> float | None:
        """Seconds from the start of the demo to the first detection of a fault."""
        times = [item.alert.at_ms for item in self.detections if item.alert]
        return (min(times) - self.started_ms) / 1000 if times else None

    @property
    def passed(self) -> bool:
        return not self.missed and not self.unexplained("page")

    def to_json(self) -> str:
        """Return the report in the form of ``build/demo.json``."""
        faults = [
            {
                "name": item.fault.name,
                "injected_at": rfc3339(item.fault.start_ms),
                "detected_at": None if item.alert is None else rfc3339(item.alert.at_ms),
                "incident": None if item.alert is None else item.alert.incident,
                "delay_s": item.delay_s,
            }
            for item in self.detections
        ]
        tree = {
            "faults": faults,
            "false_pages": len(self.unexplained("page")),
            "unexplained_tickets": len(self.unexplained("ticket")),
            "seconds_to_first_alert": self.seconds_to_first_alert,
        }
        return json.dumps(tree, indent=2) + "\n"


def judge(faults: Sequence[Fault], alerts: Iterable[Alert], started_ms: int) -> Report:
    """Match the alerts with the faults.

    Args:
        faults: as injected. alerts: in the order of the topic; events before ``started_ms`` are another run's.
        started_ms: wall clock at which the demo began.
    """
    alerts = [alert for alert in alerts if alert.at_ms >= started_ms]
    detections = tuple(Detection(fault, next((a for a in alerts if detects(a, fault)), None)) for fault in faults)
    opened: dict[str, Opened] = {}
    for alert in alerts:
        severity = alert.event["severity"]
        incident = opened.setdefault(alert.incident, Opened(alert, severity))
        incident.severity = max(incident.severity, severity, key=_SEVERITIES.index)
    detected_by = {item.alert.incident: item.fault for item in detections if item.alert}
    for name, incident in opened.items():
        near = (fault for fault in faults if _follows(incident.alert, fault))
        incident.explained_by = detected_by.get(name) or next(near, None)
    return Report(started_ms, detections, tuple(opened.values()))


def detects(alert: Alert, fault: Fault) -> bool:
    """Return whether this event says what is wrong while, or shortly after, the fault is there."""
    if alert.event["status"] not in ("firing", "updated") or alert.stream != fault.stream or not _in_time(alert, fault):
        return False
    return any(
        (finding["check"], finding["subject"]) == (fault.check, fault.subject)
        and fault.reason in ("", finding["reason"])
        and finding["holds"]
        and _ms(finding["since"]) >= fault.start_ms - EARLY_MS
        for finding in alert.event["evidence"]["findings"]
    )


def _follows(opening: Alert, fault: Fault) -> bool:
    findings = opening.event["evidence"]["findings"]
    whole = fault.whole_stream and (
        fault.check == "version" or any(finding["check"] != "drift" for finding in findings)
    )
    named = any(finding["subject"] == fault.subject for finding in findings)
    return opening.stream == fault.stream and (whole or named) and _in_time(opening, fault)


def _in_time(alert: Alert, fault: Fault) -> bool:
    return fault.start_ms <= alert.at_ms < fault.end_ms + GRACE_MS


def rfc3339(ms: int) -> str:
    """Return a moment as text.

    >>> rfc3339(1_700_000_000_123)
    '2023-11-14T22:13:20.123Z'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)
