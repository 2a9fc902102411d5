"""Every line "Time" of the fault table that a tap or the judge decides: future, late, wrong units, replays, clocks that step.

The rule of the frontier itself is in ``tests/tap/test_frontier.py``, reading of times in ``tests/records/test_eventtime.py``,
idle partitions in ``tests/judge/test_watermark.py``, a clock that steps for real in ``tests/chaos``.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.hostile.monitor import BEGIN, Monitor, plan

HOUR, DAY = 3_600_000, 86_400_000
NOW = BEGIN + HOUR // 2
LATENESS = 10_000
LAST_PANE = NOW // 60_000 - 1


def value(time: Any, **more: Any) -> bytes:
    return json.dumps({"a": 1.5, "ts": time, **more}).encode()


def monitor_of(unit: str = "ms") -> Monitor:
    """Return a monitor that has seen ten seconds of records up to now."""
    monitor = Monitor(plan("a", time="ts", time_unit=unit, lateness_ms=LATENESS), NOW)
    scale = {"s": 0.001, "ms": 1, "us": 1_000, "ns": 1_000_000}.get(unit, 1)
    monitor.feed([value((NOW - 10_000 + i * 100) * scale) for i in range(100)])
    monitor.cut()
    monitor.classes.clear()
    return monitor


TIMES: dict[str, tuple[Any, str]] = {
    "just within what is allowed ahead": (NOW + HOUR, "applied"),
    "a millisecond more": (NOW + HOUR + 1, "future"),
    "a day ahead": (NOW + DAY, "future"),
    "the year 3000": (32_503_680_000_000, "future"),
    "beyond year 9999": (10**18, "future"),
    "2^63": (2**63, "future"),
    "0": (0, "late"),
    "negative": (-1, "late"),
    "before year 1": (-(10**17), "bad_time"),
    "in seconds": (NOW // 1000, "late"),
    "in microseconds": (NOW * 1_000, "future"),
    "in nanoseconds": (NOW * 1_000_000, "future"),
    "as text": (str(NOW), "bad_time"),
    "RFC 3339": ("2026-01-05T00:30:00Z", "bad_time"),
    "null": (None, "bad_time"),
    "a boolean": (True, "bad_time"),
    "NaN": (float("nan"), "bad_time"),
    "infinite": (float("inf"), "bad_time"),
    "an object": ({}, "bad_time"),
    "a second behind": (NOW - 1_100, "applied"),
    "behind by the lateness": (NOW - 100 - LATENESS, "applied"),
    "a millisecond later than that": (NOW - 101 - LATENESS, "late"),
    "an hour behind": (NOW - HOUR, "late"),
    "a day behind": (NOW - DAY, "late"),
}


@pytest.mark.parametrize("trap", TIMES)
def test_an_event_time_has_one_class_and_one_wrong_clock_changes_nothing_else(trap: str) -> None:
    time, expected = TIMES[trap]
    monitor = monitor_of()
    monitor.feed([value(NOW), value(time), value(NOW)] if expected == "future" else [value(time), value(NOW)])
    found = monitor.counted()
    good = 2 if expected == "future" else 1
    assert found == ({"applied": good + 1} if expected == "applied" else {"applied": good, expected: 1})
    assert monitor.judge.fold.positions["t", 0].frontier["m.features"][0] is not None


def test_a_producer_that_changes_its_unit_is_seen_and_not_guessed() -> None:
    """From ms to us: every record is ``future``; back again: all is as before."""
    monitor = monitor_of()
    monitor.feed([value((NOW + i) * 1_000) for i in range(100)])
    monitor.feed([value(NOW + i) for i in range(100)])
    assert monitor.counted() == {"future": 100, "applied": 100}


def test_units_mixed_record_by_record() -> None:
    monitor = monitor_of()
    monitor.feed([value(time) for i in range(50) for time in (NOW + i, NOW * 1_000, NOW * 1_000_000, NOW // 1_000)])
    assert monitor.counted() == {"applied": 50, "future": 100, "late": 50}


def test_a_clock_an_hour_ahead_moves_the_frontier_only_if_two_agree() -> None:
    """One record of the future is applied in its own pane; two in a row move the frontier, and then what follows is late and
    counted (`tests/judge/test_attacks.py` says how it is told).
    """
    alone, agreed = monitor_of(), monitor_of()
    ahead = value(NOW + HOUR)
    alone.feed([ahead, value(NOW), ahead, value(NOW)])
    agreed.feed([ahead, ahead, value(NOW), value(NOW)])
    assert alone.counted() == {"applied": 4}
    assert agreed.counted() == {"applied": 2, "late": 2}


@pytest.mark.parametrize("seconds", [1, 9, 60, 3_600, 86_400])
def test_out_of_order_by(seconds: int) -> None:
    """Within the lateness it costs nothing; beyond, the record is counted as late and mixed into no pane."""
    monitor = monitor_of()
    monitor.feed([value(NOW - 100 - seconds * 1_000)] * 7)
    within = seconds * 1_000 <= LATENESS
    assert monitor.counted() == ({"applied": 7} if within else {"late": 7})
    assert monitor.panes[LAST_PANE].applied == (107 if within else 100)
    assert set(monitor.panes) == {LAST_PANE}


@pytest.mark.parametrize("times", [2, 1_000])
def test_duplicates_are_records(times: int) -> None:
    """What was sent twice is counted twice: the monitor watches what the model gets."""
    monitor = monitor_of()
    monitor.feed([value(NOW)] * times)
    assert monitor.counted() == {"applied": times}


def test_a_day_that_is_replayed_into_the_topic_is_late() -> None:
    """No closed pane is opened again and no frontier falls."""
    monitor = monitor_of()
    frontier = monitor.judge.fold.positions["t", 0].frontier
    for hour in range(24):
        monitor.feed([value(NOW - DAY + hour * HOUR + i * 3_000) for i in range(1_000)])
    assert monitor.counted() == {"late": 24_000}
    assert monitor.judge.fold.positions["t", 0].frontier == frontier
    assert set(monitor.panes) == {LAST_PANE}, "late records are counted in the pane of the frontier"


@pytest.mark.parametrize("step", [-HOUR, DAY], ids=["back an hour", "forward a day"])
def test_a_step_of_the_wall_clock_rejects_nothing_that_is_not_ahead_of_it(step: int) -> None:
    """The clock decides about ``future`` only: back an hour, records up to ``max_future`` ahead of it still count."""
    monitor = monitor_of()
    monitor.now_ms += step
    monitor.feed([value(NOW)] * 10)
    monitor.now_ms -= step
    monitor.feed([value(NOW)] * 10)
    assert monitor.counted() == {"applied": 20}


@pytest.mark.parametrize("unit", ["rfc3339"])
def test_leap_seconds_and_daylight_saving_are_no_jumps(unit: str) -> None:
    """Times carry their offset, so the hour that is there twice is two hours; 23:59:60 is the second after 23:59:59."""
    stamps = [
        "2026-10-25T02:59:59+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-12-31T23:59:59Z",
        "2026-12-31T23:59:60Z",
        "2027-01-01T00:00:00Z",
    ]
    monitor = Monitor(plan("a", time="ts", time_unit=unit, lateness_ms=LATENESS), 1_798_761_600_000)
    monitor.feed([value(stamp) for stamp in stamps for _ in range(2)])
    assert monitor.counted() == {"applied": 10}


def test_a_record_without_a_timestamp_has_no_time() -> None:
    """Message format 0 has none; the columns say -1."""
    monitor = Monitor(plan("a"), NOW)
    monitor.feed([b'{"a": 1}'] * 3, [-1, NOW, -1])
    assert monitor.counted() == {"bad_time": 2, "applied": 1}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("begin", ["0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"])
def test_the_zero_time_of_other_languages_ends_no_judge(begin: str, zone: str) -> None:
    """As the first records of a stream they are counted; the panes they fill lie at the edge of every calendar."""
    watched = replace(plan("a", time="ts", time_unit="rfc3339", lateness_ms=LATENESS), timezone=zone, pane_ms=420_000)
    monitor = Monitor(watched, NOW)
    monitor.feed([json.dumps({"a": i, "ts": begin}).encode() for i in range(40)])
    monitor.tick(1_000)
    monitor.feed([json.dumps({"a": i, "ts": "2026-01-05T00:30:00Z"}).encode() for i in range(40)])
    for _ in range(40):
        monitor.tick(1_000)
    assert monitor.outputs["panes"] > 0, "a pane was closed and judged"
