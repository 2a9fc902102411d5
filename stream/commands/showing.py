"""What people see: a console that works without a terminal, aligned columns, alerts in words.

Everything goes through `screen`: colours only on a terminal (and never with NO_COLOR), no wrapping that would cut a topic's
name in a pipe, no markup, so that a name with brackets stays what it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stream.config.errors import visible
from stream.judging.decision import is_decision
from stream.judging.describe import span
from stream.judging.verdicts import SAID

MANY_HOURS_MS = 3 * 86_400_000
_STYLE = {"page": "bold red", "ticket": "yellow", "info": "cyan", "resolved": "green"}


class Screen(Console):
    """A console that leaves a broken pipe to `stream.cli`: rich would end the process with code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def screen(file: TextIO | None = None) -> Screen:
    """Return the console for what a command was asked for: standard output, unless that carries data."""
    return Screen(file=file or sys.stdout, highlight=False, soft_wrap=True, markup=False, emoji=False)


def severity_style(severity: str) -> str:
    """Return rich's name of the colour of a severity."""
    return _STYLE[severity]


def aligned(rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    """Return rows as lines with aligned columns.

    >>> aligned([("a", "1"), ("bcd", "2")])
    ['a    1', 'bcd  2']
    """
    table = [list(row) for row in rows]
    widths = [max(cell_len(cell) for cell in column) for column in zip(*table, strict=True)]
    return [indent + "  ".join(map(_pad, row, widths)).rstrip() for row in table]


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - cell_len(cell))


def number(count: int, noun: str) -> str:
    """Return a count and what is counted, in the singular where it is one.

    >>> number(1, "pane"), number(0, "pane"), number(12_345, "record")
    ('1 pane', '0 panes', '12,345 records')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(ms: float) -> str:
    """Return a duration for people, in days where hours are too many to mean anything.

    >>> duration(75_000), duration(20_760 * 86_400_000)
    ('75 s', '20760 days')
    """
    return span(ms) if ms < MANY_HOURS_MS else f"{ms / 86_400_000:.0f} days"


def event_line(event: dict[str, Any]) -> Text:
    """Return an event as one line: when it was detected, what it is, its summary; or when a verdict was given, and by whom."""
    if is_decision(event):
        return _decision_line(event["labels"]["model"], event["decision"])
    status, severity = event["status"], event["severity"]
    line = Text(f"{moment(event['detectedAt'])}  ")
    line.append(f"{status:<10}", _STYLE.get(status, ""))
    line.append(f"{severity:<8}", _STYLE[severity] if status != "resolved" else "")
    line.append(visible(event["annotations"]["summary"]))
    return line


def _decision_line(model: str, given: dict[str, Any]) -> Text:
    said = SAID[given["verdict"]].format(until=given["until"] and moment(given["until"]))
    line = Text(f"{moment(given['at'])}  ")
    line.append("decision          ", "bold")
    text = f"{model}: {given['by']} says that {given['check']}/{given['subject']} is {said}: {given['why']}"
    return line.append(visible(text))


def event_page(event: dict[str, Any]) -> Iterator[Text]:
    """Yield the lines of what somebody reads at night: the summary, the whole description, where to look, its name."""
    yield event_line(event)
    for line in event["annotations"]["description"].splitlines():
        yield Text(f"    {visible(line)}")
    for line in places(event):
        yield Text(f"    {visible(line)}")


def places(event: dict[str, Any]) -> Iterator[str]:
    """Yield where to look, as the first action says "below", and the name that a verdict takes."""
    for command in event["evidence"]["kcat"]:
        yield f"Look: {command}"
    yield f"Incident: {event['incident']}"


def moment(rfc3339: str) -> str:
    """Return a moment of an event for people.

    >>> moment("2026-09-21T14:14:23.250Z")
    '2026-09-21 14:14:23Z'
    """
    return rfc3339.replace("T", " ").partition(".")[0].removesuffix("Z") + "Z"
