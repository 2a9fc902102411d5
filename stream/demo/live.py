"""What a person sees: a screen that is redrawn where there is a terminal, one line per event where there is none."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.demo.faults import Fault
from stream.demo.report import Alert, Report, detects

SHOWN = 8
_COLOUR = {"page": "bold red", "ticket": "yellow", "info": "cyan"}


@dataclass
class Board:
    """Everything the view shows.

    Attributes:
        phase: what the demo is doing. date: the moment of 2013 that is being streamed. sent: records so far.
        faults: in the order in which they come. now_ms: wall clock. found: first detecting event by fault name.
    """

    started_s: float = field(default_factory=time.monotonic)
    phase: str = ""
    date: datetime | None = None
    sent: int = 0
    faults: tuple[Fault, ...] = ()
    now_ms: int = 0
    found: dict[str, Alert] = field(default_factory=dict)
    alerts: deque[Alert] = field(default_factory=lambda: deque(maxlen=SHOWN))

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.started_s


class View:
    """Takes what happens, keeps the board, and shows it. Use it as a context manager."""

    def __init__(self, console: Console | None = None) -> None:
        self.board = Board()
        self._console = console or Console()
        self._live: Live | None = None
        self._announced: set[str] = set()

    def __enter__(self) -> View:
        if self._console.is_terminal:
            screen = Live(console=self._console, refresh_per_second=4, get_renderable=lambda: draw(self.board))
            self._live = screen
            screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def phase(self, text: str) -> None:
        self.board.phase = text
        self._line("      ", text)

    def round(self, faults: tuple[Fault, ...]) -> None:
        """Say which faults come next."""
        self.board.faults, self.board.found = faults, {}
        self._announced.clear()

    def at(self, now_ms: int, date: datetime, sent: int) -> None:
        """Say where the stream is; faults that begin are announced here."""
        self.board.now_ms, self.board.date, self.board.sent = now_ms, date, sent
        for fault in self.board.faults:
            if fault.start_ms <= now_ms and fault.name not in self._announced:
                self._announced.add(fault.name)
                self._line("INJECT", f"{fault.name}: {fault.says}")

    def alert(self, alert: Alert) -> None:
        board, event = self.board, alert.event
        board.alerts.append(alert)
        said = f"{event['severity']:6} {event['status']:8} {alert.summary}"
        for fault in board.faults:
            if fault.name not in board.found and detects(alert, fault):
                board.found[fault.name] = alert
                said += f"   <- {fault.name}, after {(alert.at_ms - fault.start_ms) / 1000:.1f} s"
        self._line("ALERT ", said)

    def result(self, report: Report, path: str) -> None:
        """Print the result; the screen, if there was one, must have been left."""
        self._console.print(table(report), markup=False)
        for line in [*remarks(report), f"written to {path}"]:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _line(self, kind: str, text: str) -> None:
        if self._live is None:
            head = f"{time.strftime('%H:%M:%S')} {self.board.elapsed_s:5.1f} s  {kind}  "
            self._console.print(head + text, markup=False, highlight=False, soft_wrap=True)


def draw(board: Board) -> RenderableType:
    """Return the screen: where the stream is, the faults, the newest alerts."""
    date = board.date.strftime("%d %B %Y %H:00") if board.date else ""
    head = Text(f"{board.elapsed_s:5.0f} s   {board.phase}   {date}   {board.sent:,} records sent\n")
    faults = Table("fault", "what happens", "injected", "detected after", box=None, pad_edge=False)
    for fault in board.faults:
        begun = fault.start_ms <= board.now_ms
        found = board.found.get(fault.name)
        state = f"{(found.at_ms - fault.start_ms) / 1000:.1f} s" if found else ("..." if begun else "")
        faults.add_row(
            fault.name,
            fault.says if begun else Text("(to come)", style="dim"),
            _clock(fault.start_ms) if begun else "",
            Text(state, style="bold green" if found else ""),
        )
    alerts = Table("time", "severity", "status", "alert", box=None, pad_edge=False)
    for alert in board.alerts:
        severity = alert.event["severity"]
        row = (_clock(alert.at_ms), Text(severity, style=_COLOUR[severity]), alert.event["status"])
        alerts.add_row(*row, Text(alert.summary))
    return Group(head, faults, Text(), alerts)


def table(report: Report) -> Table:
    """Return the table injected, detected, delay."""
    rows = Table(box=None, pad_edge=False)
    for name in ("fault", "injected", "detected", "delay", "severity", "incident"):
        rows.add_column(name, no_wrap=name != "incident", overflow="fold")
    for item in report.detections:
        found = item.alert
        rows.add_row(
            item.fault.name,
            _clock(item.fault.start_ms),
            _clock(found.at_ms) if found else "MISSED",
            f"{item.delay_s:.1f} s" if found else "",
            found.event["severity"] if found else "",
            found.incident if found else "",
        )
    return rows


def remarks(report: Report) -> list[str]:
    """Return what stands under the table: the counts, and every alert that no fault accounts for."""
    found, first = len(report.detections) - len(report.missed), report.seconds_to_first_alert
    lines = [
        f"{found} of {len(report.detections)} faults detected; "
        f"first alert after {'-' if first is None else f'{first:.0f} s'}; "
        f"false pages: {len(report.unexplained('page'))}; unexplained tickets: {len(report.unexplained('ticket'))}"
    ]
    for severity in ("page", "ticket", "info"):
        lines += [f"  no fault accounts for this {severity}: {item.summary}" for item in report.unexplained(severity)]
    for item in report.consequences:
        name = item.explained_by.name if item.explained_by else ""
        lines.append(f"  follows from '{name}' ({item.severity}): {item.summary}")
    return lines


def _clock(ms: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000))
