"""Where a moment stands in the week: time of day and kind of day, in the time zone of those who use the model.

People make the traffic, so it follows their clock: an hour counter over UTC would be an hour wrong for half the year. Saturdays
and Sundays have a group each, and a declared holiday counts as a Sunday.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

SLOTS = 48
"""Half-hours of a day."""
GROUPS = 3
"""Monday to Friday, Saturday, Sunday with holidays."""


FIRST_S, LAST_S = -62_135_510_400, 253_402_214_400
"""One day inside of the years 1 to 9999: what lies outside is taken for that day, in any time zone."""


def group(day: date, holidays: Collection[date] = ()) -> int:
    """Return the group of a day, 0 to 2."""
    return 2 if day in holidays else max(0, day.weekday() - 4)


def place(time_ms: int, zone: str = "UTC", holidays: Collection[date] = ()) -> tuple[int, int, int]:
    """Return (day, group, slot): proleptic ordinal of the local day, its group (0 to 2) and the half-hour (0 to 47).

    Raises:
        zoneinfo.ZoneInfoNotFoundError: there is no such time zone.

    >>> place(1_700_000_000_000, "Europe/Berlin")  # Tuesday, 23:13 in Berlin
    (738838, 0, 46)
    """
    seconds = min(max(time_ms // 1000, FIRST_S), LAST_S)
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(ZoneInfo(zone))
    day = local.date()
    return day.toordinal(), group(day, holidays), 2 * local.hour + local.minute // 30
