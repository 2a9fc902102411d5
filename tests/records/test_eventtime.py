"""Event times: what is read, to the millisecond, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.reading.eventtime import BAD, milliseconds

YEAR_10000 = 253_402_300_800_000


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("2026-11-24T11:00:00Z", "rfc3339", 1_795_518_000_000),
        ("2026-11-24T12:00:00.25+01:00", "rfc3339", 1_795_518_000_250),
        ("2026-11-24t11:00:00.123456789z", "rfc3339", 1_795_518_000_123),
        ("2026-11-24 11:00:00-00:00", "rfc3339", 1_795_518_000_000),
        ("2016-12-31T23:59:60Z", "rfc3339", 1_483_228_800_000),
        (1_795_518_000, "s", 1_795_518_000_000),
        (1_795_518_000.123, "s", 1_795_518_000_123),
        (1_795_518_000_123, "ms", 1_795_518_000_123),
        (1_795_518_000_123.9, "ms", 1_795_518_000_123),
        (1_795_518_000_123_999, "us", 1_795_518_000_123),
        (1_795_518_000_123_999_999, "ns", 1_795_518_000_123),
        (-1, "ms", -1),
        (2**63, "ms", YEAR_10000),
        (1e20, "s", YEAR_10000),
    ],
)
def test_times_are_read_to_the_millisecond(value: object, unit: str, expected: int) -> None:
    """A time beyond year 9999 stays a time, as far in the future as can be said."""
    assert milliseconds([value], unit).tolist() == [expected]


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("2026-11-24T11:00:00", "rfc3339"),
        ("2026-11-24", "rfc3339"),
        ("20261124T110000Z", "rfc3339"),
        ("2026-02-30T11:00:00Z", "rfc3339"),
        ("2026-11-24T11:00:00+25:00", "rfc3339"),
        ("2026-11-24T11:00:00Z\n", "rfc3339"),
        (1_795_518_000_000, "rfc3339"),
        ("1795518000000", "ms"),
        (True, "ms"),
        (None, "ms"),
        ({}, "ms"),
        (float("nan"), "s"),
        (float("inf"), "s"),
        (-(2**63), "ms"),
        (-(10**17), "ms"),
        (10**31, "ms"),
    ],
)
def test_unusable_times_are_refused(value: object, unit: str) -> None:
    """Text without an offset could mean 24 different times."""
    assert milliseconds([value], unit).tolist() == [BAD]


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_what_datetime_writes_is_read_back(naive: datetime, minutes: int) -> None:
    stamp = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    exact = (stamp - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert milliseconds([stamp.isoformat()], "rfc3339").tolist() == [exact]


@given(
    st.lists(st.integers() | st.floats() | st.text() | st.none() | st.booleans()),
    st.sampled_from(["rfc3339", "s", "ms", "us", "ns"]),
)
def test_nothing_raises_and_neighbours_do_not_matter(values: list[object], unit: str) -> None:
    assert milliseconds(values, unit).tolist() == [milliseconds([value], unit).tolist()[0] for value in values]
