"""``streamgauge explain``: one incident, the reference against now, in the terminal or as a page."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np
import orjson

from stream.arguments import DEFAULT_FILE
from stream.commands.alerts import newest
from stream.commands.arming import promise
from stream.commands.baseline_draw import spark
from stream.commands.explain_page import page
from stream.commands.segments import Where, where
from stream.commands.showing import event_page, number, screen
from stream.commands.standing import judge
from stream.commands.verdict import find
from stream.commands.writing import run
from stream.config.errors import spoken, visible
from stream.config.settings import Settings
from stream.exits import CANNOT_WRITE, OK, Refusal
from stream.explaining import BACK_MS, Moved, explain, moment_ms, spell, when
from stream.gathering import Kept
from stream.judge import Judge
from stream.judging.decision import is_decision
from stream.judging.describe import percent
from stream.judging.moved import label
from stream.kafka.cluster import require_ours
from stream.kafka.kept import kept_panes
from stream.kafka.tail import Tail
from stream.redating import Course

COLUMNS = 60
BAR = 20
UNTOLD = "There is no histogram to draw: this incident is not about the distribution of a field, or its panes are gone."


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Explain an incident.

    Raises:
        Refusal: no such incident, or several; no broker, a missing topic or right; the page cannot be written.
    """
    brokers = ",".join(settings.kafka.brokers)
    event, moved, compared, segments = run(brokers, _read(brokers, settings, arguments.incident))
    notes = [note for note in (compared, began(moved), segments.note) if note] if moved else [UNTOLD]
    said = commands(event, arguments.config or arguments.file or DEFAULT_FILE)
    out = screen()
    for part in event_page(event):
        out.print(part)
    for line in text(moved, notes, said, segments):
        out.print(visible(line))
    if arguments.html is not None:
        try:
            Path(arguments.html).write_text(page(event, moved, notes, said, segments), encoding="utf-8")
        except OSError as error:
            why = (error.strerror or "unknown reason").lower()
            raise Refusal(f"{spoken(arguments.html)}: cannot be written: {why}", CANNOT_WRITE) from None
        out.print(f"page: {spoken(arguments.html)}")
    return OK


async def _read(brokers: str, settings: Settings, name: str) -> tuple[dict[str, Any], list[Moved], str, Where]:
    """Find the incident, what the judge and the kept panes know of its stream, what it was compared with, and where it moved."""
    app = settings.app
    await require_ours(brokers, app)
    event = await _event(brokers, app, name)
    stream = event["labels"]["stream"]
    found = await judge(brokers, app)
    if found is None or found.layout is None or stream not in found.reference or stream not in found.layout.sections:
        return event, [], "", Where()
    since = moment_ms(event["startsAt"]) - BACK_MS
    plan, section, reference = found.layout.plan, found.layout.sections[stream], found.reference[stream]
    kept = kept_panes(brokers, app, plan.coarse_ms, since)
    panes: list[Kept] = [pane async for pane in kept if pane.stream == stream]
    moved = explain(event, panes, section, reference, plan)
    return event, moved, compared_with(event, found, stream), await where(settings, found, stream, moved)


async def _event(brokers: str, app: str, name: str) -> dict[str, Any]:
    """Return the newest event of an incident; of one that is long over, from the topic that keeps them all."""
    states = [orjson.loads(record.value) async for record in newest(brokers, f"{app}.alerts.state")]
    if any(event["incident"].startswith(name) for event in states):
        return find(name, [event for event in states if event["status"] != "suppressed"])
    tail = Tail(brokers, f"{app}.alerts")
    try:
        await tail.start()
        told = [orjson.loads(value) for _, _, value in await tail.read_to_end() if value is not None]
    finally:
        await tail.stop()
    past = {event["incident"]: event for event in told if not is_decision(event)}
    known = any(incident.startswith(name) for incident in past)
    return find(name, list(past.values()) if known else states)


def compared_with(event: dict[str, Any], found: Judge, stream: str) -> str:
    """Say what the values were compared with, and how far it may be believed."""
    assert found.layout is not None
    reference, told = found.reference[stream], found.reference.get("budget", {})
    kept = promise(reference.get("status", ""), reference.get("until", ""), found.layout.plan.false_alarms)
    if event["reference"] == "provisional":  # without a date: of a field that is younger than the calibrated ones
        kept = "its limit is provisional, since its field is young"
    learned = f"what {number(told['days'], 'day')} taught" if told.get("days") else "the first reference"
    other = event["reference_hash"] not in (None, found.fold.in_force.get("reference"))
    changed = "; at the alarm an earlier one was in force" if other else ""
    return f"Compared with {learned}{changed}; {kept}"


def began(moved: Sequence[Moved]) -> str:
    """Say in which order the fields moved: what moved first is nearest to the cause."""
    order = sorted(moved, key=lambda item: item.since_ms)
    return "In order of onset: " + ", ".join(f"{item.field} {when(item.since_ms)}" for item in order)


def commands(event: dict[str, Any], file: str) -> list[str]:
    """Return the lines to copy for a verdict."""
    start = f"streamgauge verdict {shlex.quote(file)} {event['incident']}"
    return [f'{start} {what} --why "..."' for what in ("incident", "new-normal", "false-alarm", "mute --for 2d")]


def text(
    moved: Sequence[Moved], notes: Sequence[str], said: Sequence[str], segments: Where | None = None
) -> Iterator[str]:
    """Yield the lines below the alert itself."""
    for item in moved:
        yield ""
        yield from _field(item)
        for line in () if segments is None else segments.lines(item.field):
            yield from wrap(
                line, COLUMNS + BAR - 2, initial_indent="  ", subsequent_indent=" " * 8, drop_whitespace=True
            )
    yield ""
    for note in notes:
        yield from wrap(note, COLUMNS + BAR - 2)
    yield ""
    yield "Say what it is:"
    yield from (f"  {line}" for line in said)


def _field(moved: Moved) -> Iterator[str]:
    yield moved.field + (f": {moved.size}" if moved.size else "")
    yield f"  {number(int(moved.now.sum()), 'value')} {spell(moved)}"
    yield f"  against {moved.learned:,} of the reference"
    if moved.course is not None:
        yield from _course(moved.course)
    now = moved.now / max(int(moved.now.sum()), 1)
    shown = [bin for bin in range(len(now)) if max(now[bin], moved.before[bin]) >= 0.002 or bin in moved.top]
    most = max(float(now.max()), float(moved.before.max()))
    width = min(max((len(label(moved.bins, bin)) for bin in shown), default=0), 24)
    yield f"  {'':<{width}}  {'reference':<{BAR}}  {'of the change':<{BAR}}"
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
    part = course.shown()
    times, away = course.times[part], (course.values - course.expected)[part]
    yield f"  {course.name}, less what is usual at that time of the week, in sd:"
    pieces = np.array_split(np.arange(len(away)), min(COLUMNS, len(away)))
    means = [float(np.nanmean(away[piece])) if np.isfinite(away[piece]).any() else 0.0 for piece in pieces]
    yield f"  {spark(means)}  {min(means):+.2g} to {max(means):+.2g}"
    begin, end = (int(np.searchsorted(times, at)) * len(pieces) // len(away) for at in (early, late))
    yield "  " + " " * begin + "^" * max(end - begin + 1, 1) + " onset"
    yield f"  {when(int(times[0])):<{COLUMNS - 17}}{when(int(times[-1]))}"
