"""Timelines in plain text: what detectors found pane by pane, and what a person should have been told.

    plan timezone Europe/Berlin        # or: plan pane 1h
    pane 3: missing amount page        # findings of pane 3 of f.features, comma separated; `-` when there are none
    then firing missing/amount page 0  # every transition of the step above: status, root, severity, number
    pane 4-6: -                        # three panes
    pane 7 of f.predictions: ?drift p  # pane 7 of another stream could not judge (drift, p)
    tick 9: volume f.features page     # a rule on ticks, at event time of pane 9; `ok CHECK SUBJECT` ends it
    hours 24                           # the wall clock goes on
    said 9: mute of missing amount until=12   # a verdict, at the time of pane 9, about the open incident of (missing, amount)

A finding is `CHECK SUBJECT SEVERITY` and, in any order, `because=REASON`, `since=PANE`, `explains=CHECK+CHECK`,
`statistical`, `began=PANE-PANE`, `size=NUMBER`. A step without `then` lines must cause nothing. `with` names what else the
incident holds; what tells of a known change ends with `again`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stream.judging.findings import Finding
from stream.judging.incidents import Clock, Incident, Incidents
from stream.judging.verdicts import about
from stream.plan import Field, ModelPlan, Plan, StreamPlan

FEATURES, PREDICTIONS = "f.features", "f.predictions"
Call = Callable[[Incidents], list[Incident]]


@dataclass
class Step:
    text: str
    calls: list[Call] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


def plan(**changes: object) -> Plan:
    """Return a plan of one model with features and predictions."""
    streams = (
        StreamPlan(FEATURES, "f", "features", "fraud.features", fields=(Field("amount", "tx.amount", required=True),)),
        StreamPlan(PREDICTIONS, "f", "predictions", "fraud.predictions"),
    )
    model = ModelPlan(
        "f",
        owner="payments-ml",
        decision="hold a card payment for review",
        when_wrong="rules engine v3 decides",
        cost={"false_positive": 4, "false_negative": 120, "currency": "EUR"},
        runbook="https://wiki.example.org/fraud",
    )
    return Plan(**{"app": "sg-fraud", "streams": streams, "models": (model,), **changes})  # type: ignore[arg-type]


def finding(check: str, subject: str, severity: str = "ticket", **changes: object) -> Finding:
    """Return a finding with plausible numbers; ``changes`` replace any of its attributes."""
    usual = {
        "model": "f",
        "stream": FEATURES,
        "reason": "found",
        "onset_ms": 0,
        "value": 1.0,
        "threshold": 0.02,
        "n": 120,
        "text": f"{subject} has no usable value in any of 120 records",
    }
    return Finding(check=check, subject=subject, severity=severity, **{**usual, **changes})  # type: ignore[arg-type]


def parse(path: Path) -> tuple[Plan, list[Step]]:
    """Return the plan and the steps of a scenario file."""
    changes: dict[str, object] = {}
    steps: list[Step] = []
    hours = 0
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.split("#")[0].strip()
        word, _, rest = line.partition(" ")
        pane_ms = int(changes.get("pane_ms", 60_000))  # type: ignore[call-overload]
        if not line:
            continue
        if word == "plan":
            name, value = rest.split()
            changes |= (
                {"timezone": value} if name == "timezone" else {"pane_ms": int(value.removesuffix("h")) * 3_600_000}
            )
        elif word == "then":
            steps[-1].expected.append(rest)
        elif word == "hours":
            hours += int(rest)
            steps.append(Step(f"{path.name}:{number}: {line}", [_wait(hours, len(steps))]))
        elif word in ("pane", "tick"):
            steps.append(Step(f"{path.name}:{number}: {line}", _calls(word, rest, pane_ms, hours, len(steps))))
        elif word == "said":
            steps.append(Step(f"{path.name}:{number}: {line}", [_said(rest, pane_ms, hours, len(steps))]))
        else:
            raise ValueError(f"{path.name}:{number}: {line!r}, expected plan, pane, tick, said, hours or then")
    return plan(**changes), steps


def show(incident: Incident) -> str:
    """Return a transition as a scenario writes it."""
    others = [f"{key[0]}/{key[1]}" for key, member in incident.members.items() if member.holds and key != incident.root]
    joined = f" with {' '.join(dict.fromkeys(others))}" if others else ""
    again = " again" if incident.again else ""
    return f"{incident.status} {incident.check}/{incident.subject} {incident.severity} {incident.seq}{joined}{again}"


def _dated(options: dict[str, str], pane_ms: int) -> dict[str, object]:
    """Return when a statistic may have begun, and how large it is, where the scenario says so."""
    if "began" not in options:
        return {}
    early, late = (int(pane) * pane_ms for pane in options["began"].split("-"))
    return {
        "onset": {"earliest_ms": early, "likeliest_ms": late, "latest_ms": late},
        "size": float(options.get("size", "1")),
    }


def _wait(hours: int, offset: int) -> Call:
    return lambda incidents: incidents.observe_tick(Clock(0, hours * 3_600_000, offset))


def _said(rest: str, pane_ms: int, hours: int, offset: int) -> Call:
    pane, _, body = rest.partition(":")
    verdict, _, check, subject, *until = body.split()
    now = Clock((int(pane) + 1) * pane_ms, hours * 3_600_000 + (int(pane) + 1) * pane_ms, offset)
    until_ms = hours * 3_600_000 + (int(until[0].removeprefix("until=")) + 1) * pane_ms if until else None

    def say(incidents: Incidents) -> list[Incident]:
        (incident,) = [item for item in incidents.open() if (item.check, item.subject) == (check, subject)]
        given = {**about(incident), "verdict": verdict, "why": "a test", "by": "alice", "until_ms": until_ms}
        return incidents.obey(given, now)

    return say


def _calls(word: str, rest: str, pane_ms: int, hours: int, offset: int) -> list[Call]:
    head, _, body = rest.partition(":")
    span, _, stream = head.partition(" of ")
    first, _, last = span.partition("-")
    panes = range(int(first), int(last or first) + 1)
    items = [item.split() for item in body.split(",") if item.strip() != "-"]
    return [
        (_pane if word == "pane" else _tick)(
            stream or FEATURES, pane, items, pane_ms, Clock(0, hours * 3_600_000, offset)
        )
        for pane in panes
    ]


def _pane(stream: str, pane: int, items: list[list[str]], pane_ms: int, at: Clock) -> Call:
    unjudged = {(item[0][1:], item[1]) for item in items if item[0].startswith("?")}
    findings = [_finding(stream, pane, item, pane_ms) for item in items if not item[0].startswith("?")]
    now = Clock((pane + 1) * pane_ms, at.wall_ms + (pane + 1) * pane_ms, at.ledger_offset)
    return lambda incidents: incidents.observe_pane(stream, pane, findings, unjudged, now)


def _tick(stream: str, pane: int, items: list[list[str]], pane_ms: int, at: Clock) -> Call:
    (item,) = items
    now = Clock(pane * pane_ms, at.wall_ms + pane * pane_ms, at.ledger_offset)
    if item[0] == "ok":
        return lambda incidents: incidents.observe_state(stream, item[1], item[2], None, now)
    found = _finding(stream, pane, item, pane_ms)
    return lambda incidents: incidents.observe_state(stream, found.check, found.subject, found, now)


def _finding(stream: str, pane: int, words: list[str], pane_ms: int) -> Finding:
    check, subject, severity, *more = words
    options = dict(word.partition("=")[::2] for word in more)
    return finding(
        check,
        subject,
        severity,
        stream=stream,
        reason=options.get("because", "found"),
        onset_ms=int(options.get("since", pane)) * pane_ms,
        explains=tuple(options["explains"].split("+")) if "explains" in options else (),
        statistical="statistical" in options,
        evidence={
            "topic": "fraud.features",
            "spans": [[0, 100 * pane, 100 * pane + 99]],
            "examples": [[0, 100 * pane + 7]],
            **_dated(options, pane_ms),
        },
    )
