"""Event times: RFC 3339 text, or a number since 1970 UTC in a stated unit, as integer milliseconds.

Guessing the unit from the size of a number was rejected: the day a producer switches from ms to us must be seen (its
records become ``future``), not guessed away. RFC 3339 text without an offset is refused for the same reason.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

BAD = np.iinfo(np.int64).min
"""Stands for an unusable time in arrays."""

_MIN_MS = -62_135_596_800_000  # year 1
_MAX_MS = 253_402_300_800_000  # year 10000; every later time is as far in the future as this one
_PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:)(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def milliseconds(values: Sequence[Any], unit: str) -> NDArray[np.int64]:
    """Return int64[n]: each value as milliseconds since 1970 UTC, `BAD` where it is none.

    Args:
        values: JSON values.
        unit: ``rfc3339``, ``s``, ``ms``, ``us`` or ``ns``.

    >>> milliseconds(["1970-01-01T00:00:01.5Z", "1970-01-01T01:00:00+01:00"], "rfc3339").tolist()
    [1500, 0]
    >>> milliseconds([1.5, 2], "s").tolist()
    [1500, 2000]
    """
    if unit == "ms" and set(map(type, values)) == {int}:
        try:
            times = np.fromiter(values, np.int64, len(values))
        except OverflowError:
            pass
        else:
            return np.where(times < _MIN_MS, BAD, np.minimum(times, _MAX_MS))
    read = _of_text if unit == "rfc3339" else _of_number
    return np.fromiter((read(value, unit) for value in values), np.int64, len(values))


def _of_number(value: Any, unit: str) -> int:
    if type(value) not in (int, float) or not abs(value) < 1e30:  # also refuses NaN
        return BAD
    ms = round(value * 1000) if unit == "s" else int(value // _PER_MS[unit])
    return BAD if ms < _MIN_MS else min(ms, _MAX_MS)


def _of_text(value: Any, unit: str) -> int:
    found = _RFC3339.fullmatch(value) if type(value) is str else None
    if found is None:
        return BAD
    date, minute, second, fraction, offset = found.groups()
    leap = second == "60"  # RFC 3339 allows leap seconds, datetime does not
    text = f"{date}T{minute}{'59' if leap else second}{fraction or ''}{offset.upper()}"
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except (ValueError, OverflowError):
        return BAD
    return since // timedelta(milliseconds=1) + 1000 * leap
