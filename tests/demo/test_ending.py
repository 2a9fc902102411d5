"""The end of the demo: the table, the counts, the alerts beside it, and where to go from there, in any width."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stream import exits
from stream.cli import main
from stream.demo.ending import ending, pages
from stream.demo.faults import Fault, schedule
from stream.demo.report import Alert, judge, rfc3339

START = 1_700_000_000_000
FAULTS = schedule(1, START)
OUT = Path("build")


def _alert(fault: Fault, incident: str, says: str, check: str = "") -> Alert:
    finding = {"check": check or fault.check, "subject": fault.subject, "reason": fault.reason or "any", "holds": True}
    event: dict[str, Any] = {
        "incident": incident,
        "status": "firing",
        "severity": "ticket",
        "detectedAt": rfc3339(fault.start_ms),
        "labels": {"stream": fault.stream, "model": "delays"},
        "annotations": {
            "summary": f"delays: {says}, since 2026-01-01 00:00:00 UTC",
            "description": "It began.\nFirst: look.",
        },
        "evidence": {"findings": [{**finding, "since": rfc3339(fault.start_ms)}], "kcat": ["kcat -C -t t -o 7"]},
    }
    return Alert(fault.start_ms + 2500, event)


FIELD = next(fault for fault in FAULTS if fault.name == "feature missing")
FOUND = [_alert(fault, f"4c91276e046430f7-{at:013}", fault.says) for at, fault in enumerate(FAULTS)]
STRAY = replace(
    _alert(FAULTS[0], "stray", "wind_speed has no usable value in 6.2 % of 438 records; the limit is 5 % (null 27)"),
    at_ms=START - 5000,
)
MORE = _alert(
    FIELD,
    "more",
    "temp is distributed differently: distance 86.61 over 423 values; the limit is 35.80; "
    "share of [60.97, 62.03): 0.16 % -> 23 %",
    check="drift",
)
REPORT = judge(FAULTS, [STRAY, *FOUND[1:], MORE], START - 10_000)


def test_the_counts_and_every_alert_without_a_fault_are_named() -> None:
    text = "\n".join(ending(REPORT, OUT))
    assert text.count("MISSED") == 1
    assert "6 of 7 faults detected; first alert after" in text
    assert "false pages: 0; unexplained tickets: 1" in text
    assert "no fault accounts for:\n" in text
    assert "ticket  wind_speed has no usable value in 6.2 % of 438 records; the limit is 5 % (null 27)\n" in text
    assert "share of [60.97, 62.03): 0.16 % -> 23 %   <- feature missing\n" in text


def test_without_a_stray_alert_there_is_no_list_of_them() -> None:
    text = "\n".join(ending(judge(FAULTS, FOUND, START), OUT))
    assert "no fault accounts for" not in text
    assert "beside a fault" not in text
    assert "MISSED" not in text


@pytest.mark.parametrize("room", [80, 120])
def test_no_line_is_wider_than_the_terminal_and_no_id_is_cut(room: int) -> None:
    lines = ending(REPORT, OUT, room)
    assert max(map(len, lines)) <= room
    text = "\n".join(lines)
    assert ("incident" in lines[1]) is (room == 120)
    assert text.count("4c91276e046430f7") == text.count("4c91276e046430f7-0000") == (6 if room == 120 else 0)
    assert "wind_speed has no usable value in 6.2 %" in text
    assert "distance 86.61" in text
    assert "<- feature missing" in text


def test_what_to_do_next_names_files_of_the_output_folder_and_a_command_that_exists() -> None:
    lines = ending(REPORT, Path("elsewhere"))
    text = "\n".join(lines[lines.index("what to do next:") :])
    for name in ("demo.json", "demo/alerts.txt", "demo/streamgauge.yaml"):
        assert f"elsewhere/{name}" in text
    command = lines[-1].partition("streamgauge ")[2].split()
    assert command == ["alerts", "elsewhere/demo/streamgauge.yaml", "--follow"]
    assert main(command) == exits.NO_INPUT, "understood, but there is no such file"
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = text.partition('README.md, "')[2].partition('"')[0]
    assert f"\n## {section}\n" in readme


def test_the_pages_are_what_the_one_on_call_reads() -> None:
    first, second = pages(FOUND[:2]).split("\n\n")
    assert first.splitlines()[1:] == [
        "    It began.",
        "    First: look.",
        "    Look: kcat -C -t t -o 7",
        "    Incident: 4c91276e046430f7-0000000000000",
    ]
    assert second.endswith("-0000000000001\n")
