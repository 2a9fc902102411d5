"""Durations as people write them: ``500ms``, ``10s``, ``5m``, ``2h``, ``1d``; inside the program they are whole
milliseconds.

A bare number is refused. Kafka's own settings count milliseconds, Prometheus counts seconds, and a reader of
``lateness: 10`` cannot know which was meant; one letter more settles it.
"""

from __future__ import annotations

import re

UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
PATTERN = r"^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$"
_DURATION = re.compile(PATTERN)


def parse_duration(text: str) -> int:
    """Return a duration in milliseconds.

    Raises:
        ValueError: not a whole number followed by one unit.

    >>> parse_duration("90m")
    5400000
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text!r}")
    return int(match[1]) * UNITS[match[2]]


def format_duration(milliseconds: int) -> str:
    """Return a duration in the largest unit that expresses it as a whole number.

    >>> format_duration(5_400_000), format_duration(86_400_000), format_duration(0)
    ('90m', '1d', '0s')
    """
    if milliseconds == 0:
        return "0s"
    unit = next(unit for unit in reversed(UNITS) if milliseconds % UNITS[unit] == 0)
    return f"{milliseconds // UNITS[unit]}{unit}"
