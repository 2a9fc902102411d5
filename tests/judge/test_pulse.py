"""Silence of a stream whose limit is learned: when it is a page."""

from __future__ import annotations

import dataclasses

import pytest

from stream.judging.findings import Finding
from stream.judging.pulse import Pulse
from stream.ledger import Fold, Position
from stream.plan import StreamPlan

MINUTE_MS = 60_000
DAY = 1440
STREAM = StreamPlan("m.predictions", "m", "predictions", "t")


class Ledger:
    """One partition that is read to its end, on ticks of a minute."""

    def __init__(self, days: int = 0) -> None:
        self.fold = Fold()
        self.fold.time_ms = days * DAY * MINUTE_MS

    def pass_by(self, pulse: Pulse, ticks: int, records: bool, tick_ms: int = MINUTE_MS) -> list[Finding]:
        """Let minutes pass, with a record in each or with none; return what the rule on silence found."""
        found = []
        for _ in range(ticks):
            self.fold.positions["t", 0] = Position(
                0, 0, frontier={"m.predictions": (1, None)}, heard_ms=self.fold.time_ms
            )
            self.fold.time_ms += tick_ms
            pulse.stirred = records
            found += [
                finding for check, finding in pulse.tick(self.fold, tick_ms, False) if check == "volume" and finding
            ]
        return found


def silence(ledger: Ledger, pulse: Pulse) -> Finding:
    return ledger.pass_by(pulse, 30, records=False)[0]


def test_a_stream_that_was_added_today_is_a_ticket() -> None:
    """However old the ledger is, a limit that was learned in an hour deserves no page."""
    ledger, pulse = Ledger(days=400), Pulse(STREAM, "page")
    ledger.pass_by(pulse, 60, records=True)
    finding = silence(ledger, pulse)
    assert (finding.reason, finding.severity) == ("silent", "ticket")
    assert finding.text.endswith("the limit is 5 min, learned from less than 7 days of this stream")


def test_after_a_week_of_the_stream_it_is_a_page() -> None:
    """A week of this stream, counted from its first tick."""
    ledger, pulse = Ledger(days=3), Pulse(STREAM, "page")
    ledger.pass_by(pulse, 7 * DAY, records=True)
    finding = silence(ledger, pulse)
    assert (finding.severity, finding.text) == ("page", "m.predictions has sent nothing for 6 min; the limit is 5 min")


def test_a_replay_on_panes_of_an_hour_does_not_alarm_at_every_hour_without_a_record() -> None:
    """It ticks once an hour: that every hour of weeks had a record says nothing of the minutes between them."""
    ledger, pulse, hour = Ledger(), Pulse(STREAM, "page"), 60 * MINUTE_MS
    found = ledger.pass_by(pulse, 14 * 24, True, hour)
    for quiet in (1, 1, 2, 3):  # hours of four nights
        found += ledger.pass_by(pulse, quiet, False, hour)
        found += ledger.pass_by(pulse, 24 - quiet, True, hour)
    assert found == []
    (finding, *_) = ledger.pass_by(pulse, 24, False, hour)
    assert (finding.severity, finding.text) == ("page", "m.predictions has sent nothing for 10 h; the limit is 9 h")


def test_a_stated_limit_pages_from_the_first_minute() -> None:
    """Nothing is learned, so there is nothing to wait for."""
    ledger, pulse = Ledger(), Pulse(dataclasses.replace(STREAM, silence_ms=5 * MINUTE_MS), "page")
    ledger.pass_by(pulse, 2, records=True)
    finding = silence(ledger, pulse)
    assert (finding.severity, finding.text) == ("page", "m.predictions has sent nothing for 6 min; the limit is 5 min")


@pytest.mark.parametrize(("change", "severity"), [({"version": "v"}, "page"), ({"where": (("a", "b"),)}, "ticket")])
def test_an_edit_of_the_file_keeps_the_week_of_the_same_records(change: dict[str, object], severity: str) -> None:
    """Another key of the stream does not make it young again; other records do."""
    ledger, before = Ledger(), Pulse(STREAM, "page")
    ledger.pass_by(before, 7 * DAY, records=True)
    after = Pulse(dataclasses.replace(STREAM, **change), "page")  # type: ignore[arg-type]
    after.inherit(before)
    ledger.pass_by(after, 2, records=True)
    assert silence(ledger, after).severity == severity
