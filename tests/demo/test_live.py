"""The view: every event is said once, with its time, with and without a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from rich.console import Console

from stream.demo.faults import Fault, schedule
from stream.demo.live import View, draw
from stream.demo.report import Alert, judge, rfc3339

START = 1_700_000_000_000
FAULTS = schedule(1, START)
DATE = datetime(2013, 9, 1, 7, tzinfo=UTC)


def _alert(fault: Fault) -> Alert:
    finding = {"check": fault.check, "subject": fault.subject, "reason": fault.reason or "any", "holds": True}
    event = {
        "incident": "abc-1",
        "status": "firing",
        "severity": "page",
        "labels": {"stream": fault.stream},
        "annotations": {"summary": "[page] something moved"},
        "evidence": {"findings": [{**finding, "since": rfc3339(fault.start_ms)}]},
    }
    return Alert(fault.start_ms + 2500, event)


def _view(terminal: bool) -> tuple[View, io.StringIO]:
    out = io.StringIO()
    return View(Console(file=out, force_terminal=terminal, width=150)), out


def test_without_a_terminal_every_event_is_one_line() -> None:
    view, out = _view(terminal=False)
    with view:
        view.phase("seven faults follow")
        view.round(FAULTS)
        view.at(START - 1, DATE, 10)
        view.at(START, DATE, 20)
        view.at(START + 200, DATE, 30)
        view.alert(_alert(FAULTS[0]))
        view.alert(_alert(FAULTS[0]))
    lines = out.getvalue().splitlines()
    assert ["seven faults follow" in lines[0], len(lines)] == [True, 4]
    assert f"INJECT  {FAULTS[0].name}: {FAULTS[0].says}" in lines[1]
    assert f"page   firing   [page] something moved   <- {FAULTS[0].name}, after 2.5 s" in lines[2]
    assert "<-" not in lines[3], "a fault is detected once"


def test_the_screen_keeps_a_coming_fault_secret_and_shows_the_delay_of_a_found_one() -> None:
    view, _ = _view(terminal=False)
    view.round(FAULTS)
    view.at(START, DATE, 12_345)
    view.alert(_alert(FAULTS[0]))
    text = io.StringIO()
    Console(file=text, width=150).print(draw(view.board))
    assert FAULTS[0].says in text.getvalue()
    assert FAULTS[1].says not in text.getvalue()
    assert "2.5 s" in text.getvalue()
    assert "12,345 records sent" in text.getvalue()


def test_on_a_terminal_nothing_is_printed_line_by_line() -> None:
    view, out = _view(terminal=True)
    with view:
        view.round(FAULTS)
        view.at(START, DATE, 20)
    assert "INJECT" not in out.getvalue()


def test_the_result_names_the_missed_faults_and_every_alert_without_a_fault() -> None:
    view, out = _view(terminal=False)
    stray = Alert(START - 5000, {**_alert(FAULTS[0]).event, "incident": "stray"})
    view.result(judge(FAULTS, [stray, _alert(FAULTS[0])], START - 10_000), "build/demo.json")
    text = out.getvalue()
    assert text.count("MISSED") == 6
    assert "1 of 7 faults detected; first alert after 12 s; false pages: 1; unexplained tickets: 0" in text
    assert "no fault accounts for this page: [page] something moved" in text
