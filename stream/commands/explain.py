"""``streamgauge explain``: one incident, the reference against now, in the terminal or as a page."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from stream.commands.alerts import newest
from stream.commands.baseline_draw import spark
from stream.commands.explain_page import page
from stream.commands.showing import event_page, number, screen
from stream.commands.standing import judge
from stream.commands.verdict import find
from stream.config.errors import spoken, visible
from stream.config.settings import Settings
from stream.exits import CANNOT_WRITE, OK, Refusal
from stream.explaining import BACK_MS, Course, Moved, explain
from stream.gathering import Kept
from stream.judging.describe import percent
from stream.judging.moved import label
from stream.kafka.cluster import require_ours
from stream.kafka.kept import kept_panes
from stream.reading.eventtime import milliseconds

COLUMNS = 60
BAR = 20


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Explain an incident.

    Raises:
        Refusal: no such incident, or several; no broker, a missing topic or right; the page cannot be written.
    """
    event, moved = asyncio.run(_read(",".join(settings.kafka.brokers), settings.app, arguments.incident))
    out = screen()
    for part in event_page(event):
        out.print(part)
    for line in text(event, moved):
        out.print(visible(line))
    if arguments.html is not None:
        try:
            Path(arguments.html).write_text(page(event, moved), encoding="utf-8")
        except OSError as error:
            why = (error.strerror or "unknown reason").lower()
            raise Refusal(f"{spoken(arguments.html)}: cannot be written: {why}", CANNOT_WRITE) from None
        out.print(f"page: {spoken(arguments.html)}")
    return OK


async def _read(brokers: str, app: str, name: str) -> tuple[dict[str, Any], list[Moved]]:
    """Find the incident, and what the judge and the kept panes know of its stream."""
    await require_ours(brokers, app)
    states = [orjson.loads(record.value) async for record in newest(brokers, f"{app}.alerts.state")]
    event = find(name, [item for item in states if item["status"] != "suppressed"])
    stream = event["labels"]["stream"]
    found = await judge(brokers, app)
    if found is None or found.layout is None or stream not in found.reference or stream not in found.layout.sections:
        return event, []
    since = int(milliseconds([event["eventTime"]], "rfc3339")[0]) - BACK_MS
    plan, section, reference = found.layout.plan, found.layout.sections[stream], found.reference[stream]
    kept = kept_panes(brokers, app, plan.coarse_ms, since)
    panes: list[Kept] = [pane async for pane in kept if pane.stream == stream]
    return event, explain(event, panes, section, reference, plan)


def text(event: dict[str, Any], moved: list[Moved]) -> Iterator[str]:
    """Yield the lines below the alert itself."""
    if not moved:
        yield ""
        yield "There is no histogram to draw: this incident is not about the distribution of a field, or its panes are gone."
    else:
        for item in moved:
            yield ""
            yield from _field(item)
    yield ""
    yield f'Say what it is:  streamgauge verdict FILE {event["incident"][:12]} incident|new-normal|false-alarm --why "..."'


def _field(moved: Moved) -> Iterator[str]:
    yield f"{moved.field}: {number(int(moved.now.sum()), 'value')} since {when(moved.since_ms)} against the reference"
    if moved.course is not None:
        yield from _course(moved.course)
    now = moved.now / max(int(moved.now.sum()), 1)
    shown = [bin for bin in range(len(now)) if max(now[bin], moved.before[bin]) >= 0.002 or bin in moved.top]
    most = max(float(now.max()), float(moved.before.max()))
    width = min(max((len(label(moved.bins, bin)) for bin in shown), default=0), 24)
    yield f"  {'':<{width}}  {'reference':<{BAR}}  {'since then':<{BAR}}"
    for bin in shown:
        mark = "*" if bin in moved.top else " "
        bars = [
            f"{'█' * round(share / most * (BAR - 8)):<{BAR - 8}}{percent(share):>8}"
            for share in (moved.before[bin], now[bin])
        ]
        yield f"{mark} {label(moved.bins, bin)[:width]:<{width}}  {bars[0]}  {bars[1]}"
    yield "* tells the two apart best"


def _course(course: Course) -> Iterator[str]:
    early, likely, late = course.onset
    yield f"  it began about {when(likely)}"
    yield f"  (between {when(early)} and {when(late)})"
    yield f"  {course.name}, less what is usual at that time of the week, from {when(int(course.times[0]))[:10]} on:"
    away = course.values - course.expected
    parts = np.array_split(np.arange(len(away)), min(COLUMNS, len(away)))
    means = [float(np.nanmean(away[part])) if np.isfinite(away[part]).any() else 0.0 for part in parts]
    yield f"  {spark(means)}  {min(means):+.2g} to {max(means):+.2g} sd"
    begin, end = (int(np.searchsorted(course.times, at)) * len(parts) // len(away) for at in (early, late))
    yield "  " + " " * begin + "^" * max(end - begin + 1, 1)


def when(ms: int) -> str:
    """Return an event time for people.

    >>> when(1_767_571_200_000)
    '2026-01-05 00:00Z'
    """
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%MZ")
