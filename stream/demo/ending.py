"""How the demo ends: the table injected, detected, delay; the counts; what no fault accounts for; what to do next."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from stream.commands.showing import aligned, event_page
from stream.demo.brief import brief, told
from stream.demo.live import clock
from stream.demo.report import Alert, Opened, Report


def ending(report: Report, out: Path, room: int | None = None) -> list[str]:
    """Return the account as lines.

    Args:
        out: folder with demo.json, and with what else the demo has written under ``demo/``.
        room: characters of a line; lines that are longer are told more briefly. None is any number.
    """
    return ["", *table(report, room), "", *counts(report), *others(report, room), "", *next_steps(out)]


def table(report: Report, room: int | None) -> list[str]:
    """Return the table; the column of incidents only where there is room for it, because an id that is cut finds nothing."""
    rows = [("fault", "injected", "detected", "delay", "severity", "incident")]
    for item in report.detections:
        found = item.alert
        end = (
            (clock(found.at_ms), f"{item.delay_s:.1f} s", found.event["severity"], found.incident)
            if found
            else ("MISSED", "", "", "")
        )
        rows.append((item.fault.name, clock(item.fault.start_ms), *end))
    lines = aligned(rows)
    if room is not None and max(map(len, lines)) > room:
        return aligned(row[:-1] for row in rows)
    return lines


def counts(report: Report) -> list[str]:
    """Return what decides the exit code, and the figures beside it."""
    found, first = len(report.detections) - len(report.missed), report.seconds_to_first_alert
    return [
        f"{found} of {len(report.detections)} faults detected; first alert after {'-' if first is None else f'{first:.0f} s'}",
        f"false pages: {len(report.unexplained('page'))}; unexplained tickets: {len(report.unexplained('ticket'))}",
    ]


def others(report: Report, room: int | None) -> list[str]:
    """Return the alerts that detect no fault: those that no fault accounts for, and those beside one (`stream.demo.report`)."""
    lines = []
    strays = [item for severity in ("page", "ticket", "info") for item in report.unexplained(severity)]
    if strays:
        lines += ["", "no fault accounts for:", *(_line(item, "", room) for item in strays)]
    if report.consequences:
        lines += ["", "beside a fault, on the stream or field that it broke:"]
        lines += [
            _line(item, f"   <- {item.explained_by.name}", room) for item in report.consequences if item.explained_by
        ]
    return lines


def _line(item: Opened, because: str, room: int | None) -> str:
    head, text = f"  {clock(item.alert.at_ms)}  {item.severity:6}  ", told(item.alert)
    return head + (text if room is None else brief(text, room - len(head) - len(because))) + because


def next_steps(out: Path) -> list[str]:
    """Return what somebody may want to see after the demo. Its broker is gone by then, so these are files."""
    folder = out / "demo"
    command = "streamgauge"
    if shutil.which(command) is None:
        command = os.path.relpath(Path(sys.executable).with_name(command))
    return [
        "what to do next:",
        *aligned(
            [
                ("every alert, as the one on call reads it", str(folder / "alerts.txt")),
                ("this table for a program", str(out / "demo.json")),
                ("the monitor's configuration and its log", f"{folder / 'streamgauge.yaml'}, run.log"),
                ("your own topics", 'README.md, "Watching your own model"'),
            ],
            indent="  ",
        ),
        "  the alerts topic, in a second terminal while the demo runs once more:",
        f"    {command} alerts {folder / 'streamgauge.yaml'} --follow",
    ]


def pages(alerts: Iterable[Alert]) -> str:
    """Return every event as a page, in the order of the topic."""
    return "\n".join("".join(f"{line.plain}\n" for line in event_page(alert.event)) for alert in alerts)
