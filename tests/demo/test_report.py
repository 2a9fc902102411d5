"""The report: an alert explains a fault only when it names what is wrong, where, and in time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from stream.demo.faults import Fault, schedule
from stream.demo.report import GRACE_MS, Alert, Report, detects, judge, rfc3339

START = 1_700_000_000_000
FAULTS = schedule(1, START + 60_000)


def _alert(fault: Fault, after_ms: int = 3000, **changes: Any) -> Alert:
    """An event that detects ``fault``; changes name keys of the event, of its labels or of its first finding."""
    finding = {
        "check": fault.check,
        "subject": fault.subject,
        "reason": fault.reason or "any",
        "holds": True,
        "since": rfc3339(fault.start_ms),
    }
    event = {
        "incident": f"incident of {fault.name}",
        "status": "firing",
        "severity": "ticket",
        "labels": {"stream": fault.stream},
        "annotations": {"summary": "something is wrong"},
    }
    for name, value in changes.items():
        place = finding if name in finding else event["labels"] if name == "stream" else event
        place[name] = value  # type: ignore[index]
    return Alert(fault.start_ms + after_ms, {**event, "evidence": {"findings": [finding]}})


def _all() -> list[Alert]:
    return [_alert(fault) for fault in FAULTS]


def test_seven_detections_and_nothing_else_pass() -> None:
    report = judge(FAULTS, _all(), START)
    assert report.passed
    assert [item.delay_s for item in report.detections] == [3.0] * 7
    assert report.seconds_to_first_alert == 63.0
    assert report.unexplained("page") == report.unexplained("ticket") == report.consequences == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"check": "ranges"},
        {"subject": "humid"},
        {"holds": False},
        {"stream": "delays.outcomes"},
        {"status": "resolved"},
        {"since": rfc3339(START)},
        {"after_ms": -1},
        {"after_ms": 6000 + GRACE_MS + 60_000},
    ],
    ids=str,
)
def test_an_event_detects_a_fault_only_when_all_of_it_fits(changes: dict[str, Any]) -> None:
    fault = FAULTS[0]
    assert detects(_alert(fault), fault)
    assert not detects(_alert(fault, **changes), fault)


def test_a_finding_that_joined_another_incident_detects_too() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "model too high")
    first = _alert(fault, 2000, reason="new_version", severity="info")
    second = _alert(fault, 5000, status="updated")
    report = judge(FAULTS, [*(a for a in _all() if a.event["incident"] != first.incident), first, second], START)
    found = next(item for item in report.detections if item.fault is fault)
    assert found.delay_s == 5.0
    assert report.passed


def test_a_fault_without_an_alert_is_missed_and_the_demo_fails() -> None:
    report = judge(FAULTS, _all()[1:], START)
    assert report.missed == (FAULTS[0],)
    assert not report.passed


def test_a_page_that_no_fault_accounts_for_is_false_and_a_ticket_is_counted() -> None:
    stray = _alert(FAULTS[0], -20_000, incident="storm", severity="ticket")
    report = judge(FAULTS, [stray, *_all()], START)
    assert (len(report.unexplained("ticket")), report.passed) == (1, True)
    worse = Alert(stray.at_ms + 1000, {**stray.event, "severity": "page", "status": "updated"})
    report = judge(FAULTS, [stray, worse, *_all()], START)
    assert (len(report.unexplained("ticket")), len(report.unexplained("page")), report.passed) == (0, 1, False)


def test_what_else_opens_on_a_stream_that_is_broken_as_a_whole_is_a_consequence() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "predictions silent")
    dropped = _alert(fault, 13_000, incident="dropped", reason="dropped", severity="page")
    elsewhere = _alert(fault, 13_000, incident="elsewhere", stream="delays.features", severity="page")
    assert judge(FAULTS, [*_all(), dropped], START).passed
    assert len(judge(FAULTS, [*_all(), dropped], START).consequences) == 1
    assert not judge(FAULTS, [*_all(), elsewhere], START).passed


def test_a_fault_of_one_field_does_not_account_for_another_field() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "feature missing")
    same = _alert(fault, 5000, incident="same", check="drift")
    other = _alert(fault, 5000, incident="other", check="missing", subject="humid")
    report = judge(FAULTS, [*_all(), same, other], START)
    assert [item.alert.incident for item in report.consequences] == ["same"]
    assert [item.alert.incident for item in report.unexplained("ticket")] == ["other"]


def test_events_of_an_earlier_run_count_for_nothing() -> None:
    stray = replace(_alert(FAULTS[0], incident="old", severity="page"), at_ms=START - 1)
    assert judge(FAULTS, [stray, *_all()], START).incidents == judge(FAULTS, _all(), START).incidents


def test_the_file_has_the_agreed_form() -> None:
    tree = json.loads(judge(FAULTS, _all()[1:], START).to_json())
    assert list(tree) == ["faults", "false_pages", "unexplained_tickets", "seconds_to_first_alert"]
    assert [list(fault) for fault in tree["faults"]] == [
        ["name", "injected_at", "detected_at", "incident", "delay_s"]
    ] * 7
    assert (tree["faults"][0]["detected_at"], tree["faults"][0]["delay_s"]) == (None, None)
    assert tree["faults"][1]["injected_at"] == rfc3339(FAULTS[1].start_ms)
    assert tree["faults"][1]["delay_s"] == 3.0


def test_without_a_detection_there_is_no_first_alert() -> None:
    assert Report(START, ()).seconds_to_first_alert is None


@pytest.mark.parametrize("name", ["unreadable records", "late data"])
def test_drift_is_no_consequence_of_records_that_are_missing(name: str) -> None:
    """It may be real weather, and a viewer must see that nobody injected it."""
    fault = next(fault for fault in FAULTS if fault.name == name)
    other = _alert(fault, check="drift", subject="temp", incident="weather")
    assert judge(FAULTS, [*_all(), other], START).unexplained("ticket")
    schema = _alert(fault, check="schema", subject="temp", incident="shape")
    assert judge(FAULTS, [*_all(), schema], START).unexplained("ticket") == ()
