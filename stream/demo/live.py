"""What a person sees: a screen that is redrawn where there is a terminal, one line per event where there is none."""

from __future__ import annotations

import textwrap
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stream.demo.brief import brief, told
from stream.demo.faults import Fault
from stream.demo.report import Alert, detects

SHOWN = 40
"""Alerts that are kept for the screen; what it has no room for is left out, the oldest first."""
MIN_WIDTH, MIN_HEIGHT = 72, 18
"""A terminal that is smaller gets lines: a screen that is cut would hide what comes last."""
_COLOUR = {"page": "bold red", "ticket": "yellow", "info": "cyan"}
_WIDEST = ("00:00:00", "ticket", "resolved")
"""Time, severity and status: columns of one width, or the sentences would jump."""


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
        console = self._console
        room = console.width >= MIN_WIDTH and console.height >= MIN_HEIGHT
        if console.is_terminal and not console.is_dumb_terminal and room:
            screen = Live(
                console=console,
                refresh_per_second=4,
                get_renderable=lambda: draw(self.board, console.width, console.height),
            )
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
        said = f"{event['severity']:6} {event['status']:8} {told(alert)}"
        for fault in board.faults:
            if fault.name not in board.found and detects(alert, fault):
                board.found[fault.name] = alert
                said += f"   <- {fault.name}, after {(alert.at_ms - fault.start_ms) / 1000:.1f} s"
        self._line("ALERT ", said)

    def end(self, lines: list[str]) -> None:
        """Print the account of the demo; the screen, if there was one, must have been left."""
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    @property
    def room(self) -> int | None:
        """Characters of a line; None where there is no terminal, which has room for any."""
        return self._console.width if self._console.is_terminal else None

    def _line(self, kind: str, text: str) -> None:
        if self._live is None:
            head = f"{time.strftime('%H:%M:%S')} {self.board.elapsed_s:5.1f} s  {kind}  "
            self._console.print(head + text, markup=False, highlight=False, soft_wrap=True)


def draw(board: Board, width: int, height: int) -> RenderableType:
    """Return the screen: where the stream is, the faults, and below them the alerts, the newest first and in full.

    Args:
        width, height: of the terminal, in cells; at least `MIN_WIDTH` and `MIN_HEIGHT`, or the end is cut.
    """
    date = board.date.strftime("%d %B %Y %H:00") if board.date else ""
    head = Text(f"{board.elapsed_s:5.0f} s   {board.phase}\n", no_wrap=True, overflow="ellipsis")
    head.append(f"          {date}   {board.sent:,} records sent\n" if board.date else "\n")
    parts: list[RenderableType] = [head]
    if board.faults:
        parts += [_faults(board, width), Text()]
    used = 3 + (len(board.faults) + 2 if board.faults else 0)
    if board.alerts:
        parts += [Text("alerts, the newest first", style="bold"), _alerts(board, width, height - used - 2)]
    return Group(*parts)


def _faults(board: Board, width: int) -> Table:
    rows = Table("fault", "what happens", "injected", "delay", box=None, pad_edge=False, collapse_padding=True)
    room = width - max(len(fault.name) for fault in board.faults) - len("injected") - 6 - 3
    for fault in board.faults:
        begun = fault.start_ms <= board.now_ms
        found = board.found.get(fault.name)
        state = f"{(found.at_ms - fault.start_ms) / 1000:.1f} s" if found else ("..." if begun else "")
        rows.add_row(
            fault.name,
            textwrap.shorten(fault.says, room, placeholder=" …") if begun else Text("(to come)", style="dim"),
            clock(fault.start_ms) if begun else "",
            Text(state, style="bold green" if found else ""),
        )
    return rows


def _alerts(board: Board, width: int, height: int) -> Table:
    """Return the alerts that fit: the newest wrapped, as many of the others as there are lines left."""
    rows = Table(box=None, pad_edge=False, collapse_padding=True, show_header=False)
    for widest in _WIDEST:
        rows.add_column(min_width=len(widest), no_wrap=True)
    room = width - sum(len(widest) + 1 for widest in _WIDEST)
    for alert in reversed(board.alerts):
        newest = alert is board.alerts[-1]
        lines = textwrap.wrap(told(alert), room) if newest else [brief(told(alert), room)]
        if len(lines) > height:
            break
        height -= len(lines)
        severity = alert.event["severity"]
        row = (clock(alert.at_ms), Text(severity, style=_COLOUR[severity]), alert.event["status"])
        rows.add_row(*row, Text("\n".join(lines), style="bold" if newest else ""))
    return rows


def clock(ms: int) -> str:
    """Return the time of day of a moment, in the time zone of this machine."""
    return time.strftime("%H:%M:%S", time.localtime(ms / 1000))
