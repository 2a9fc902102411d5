"""The view: every event is said once, with its time, with and without a terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from rich.console import Console

from stream.demo.faults import Fault, schedule
from stream.demo.live import MIN_HEIGHT, MIN_WIDTH, View, draw
from stream.demo.report import Alert, rfc3339

START = 1_700_000_000_000
FAULTS = schedule(1, START)
DATE = datetime(2013, 9, 1, 7, tzinfo=UTC)


SENTENCES = (
    "delays.predictions has sent nothing for 5.1 s; the limit is 5.0 s",
    "model version 1.1 scores differently from the others: distance 2.67; the limit is 0.45",
    "dep_delay changed its type in 100 % of 444 values; the limit is 5 % (string 444)",
    "delays.features: 25 % of 300 records came too late to be counted; a lateness of 6.0 s would have sufficed",
    "delays.features: 50 % of 984 records could not be read (not_json 492)",
    "wind_speed has no usable value in 6.2 % of 438 records; the limit is 5 % (null 27)",
    "distance is distributed differently: distance 2.04 over 544 values; the limit is 0.10; "
    "share of [2565, 4963): 3.9 % -> 19 %",
)
"""What the demo's alerts say, each with the field and the figure that a line of any terminal must keep."""
KEPT = (
    ("delays.predictions", "5.1 s"),
    ("version 1.1", "2.67"),
    ("dep_delay", "100 %"),
    ("delays.features", "25 %"),
    ("delays.features", "50 %"),
    ("wind_speed", "6.2 %"),
    ("distance", "2.04"),
)


def _alert(fault: Fault, says: str = "something moved") -> Alert:
    finding = {"check": fault.check, "subject": fault.subject, "reason": fault.reason or "any", "holds": True}
    event = {
        "incident": "abc-1",
        "status": "firing",
        "severity": "page",
        "labels": {"stream": fault.stream, "model": "delays"},
        "annotations": {"summary": f"delays: {says}, since 2026-01-01 00:00:00 UTC"},
        "evidence": {"findings": [{**finding, "since": rfc3339(fault.start_ms)}]},
    }
    return Alert(fault.start_ms + 2500, event)


def _view(terminal: bool, width: int = 150, height: int = 50, term: str = "xterm") -> tuple[View, io.StringIO]:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, height=height, _environ={"TERM": term})
    return View(console), out


def _screen(width: int, height: int, sentences: Sequence[str]) -> list[str]:
    """Return the screen as lines, after one alert for each sentence, at the end of all faults."""
    view, _ = _view(terminal=False)
    view.phase("the monitor is ready; seven faults follow")
    view.round(FAULTS)
    for sentence in sentences:
        view.alert(_alert(FAULTS[0], sentence))
    view.at(FAULTS[-1].end_ms, DATE, 345_678)
    text = io.StringIO()
    Console(file=text, width=width, height=height).print(draw(view.board, width, height))
    return text.getvalue().splitlines()


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
    assert f"page   firing   something moved   <- {FAULTS[0].name}, after 2.5 s" in lines[2]
    assert "<-" not in lines[3], "a fault is detected once"


def test_the_screen_keeps_a_coming_fault_secret_and_shows_the_delay_of_a_found_one() -> None:
    view, _ = _view(terminal=False)
    view.round(FAULTS)
    view.at(START, DATE, 12_345)
    view.alert(_alert(FAULTS[0]))
    text = io.StringIO()
    Console(file=text, width=150).print(draw(view.board, 150, 50))
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


@pytest.mark.parametrize(("width", "height"), [(MIN_WIDTH, MIN_HEIGHT), (80, 24), (120, 40)])
def test_the_newest_alert_is_always_there_and_in_full(width: int, height: int) -> None:
    """The screen never grows beyond the terminal, where rich would cut its end."""
    for count in range(1, 2 * len(SENTENCES)):
        sentences = (SENTENCES * 2)[:count]
        lines = _screen(width, height, sentences)
        assert len(lines) < height
        assert max(map(len, lines)) <= width
        at = lines.index("alerts, the newest first") + 1
        newest = " ".join(line[25:].strip() for line in lines[at : at + 3])
        assert newest.startswith(sentences[-1])


@pytest.mark.parametrize(("width", "height", "fitting"), [(80, 24, 7), (120, 40, 7)])
def test_the_older_alerts_take_a_line_each_and_keep_field_and_figure(width: int, height: int, fitting: int) -> None:
    lines = _screen(width, height, [*SENTENCES, "temp stopped varying"])
    older = lines[lines.index("alerts, the newest first") + 2 :]
    assert len(older) == fitting
    for line, (field, figure) in zip(older, reversed(KEPT), strict=True):
        assert field in line
        assert figure in line


@pytest.mark.parametrize(
    ("width", "height", "term"),
    [(MIN_WIDTH - 1, 50, "xterm"), (150, MIN_HEIGHT - 1, "xterm"), (150, 50, "dumb")],
)
def test_a_terminal_that_cannot_show_the_screen_gets_lines(width: int, height: int, term: str) -> None:
    view, out = _view(True, width, height, term)
    with view:
        view.round(FAULTS)
        view.at(START, DATE, 20)
    assert "INJECT" in out.getvalue()
