"""What terminal and page draw alike of a baseline: a field's values along its own axis, and the sentences about the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.baselines import Pattern, Portrait, Summary
from stream.commands.arming import promise
from stream.commands.showing import number
from stream.judging.describe import percent
from stream.judging.moved import label
from stream.layout import TOP, UNSEEN, Bins

BLOCKS = "▁▂▃▄▅▆▇█"
DAYS = ("Mon-Fri", "Sat", "Sun")
"""Kinds of days, as `detectors.calendar` groups them."""


DECADES = 2.0
"""An axis that spans more powers of ten is logarithmic, where all of it is above 0."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a number along an axis: share of each column. ticks: values at its beginning, middle and end."""

    shares: NDArray[np.float64]
    ticks: tuple[float, float, float]
    outside: float
    log: bool


def along(bins: Bins, shares: NDArray[np.float64], columns: int) -> Values:
    """Spread the shares of bins of nearly equal mass over an axis, or the drawing would be flat whatever the field is.

    The axis ends at the 0.001 and 0.999 quantiles: a single wild value must not press all others into one column.
    """
    edges, total = bins.edges, np.cumsum(shares) / shares.sum()
    low, high = (edges[1], edges[-2]) if len(edges) > 3 else (edges[0], edges[-1])
    log = bool(low > 0 and high > low * 10**DECADES)
    places = np.log(np.maximum(edges, low / 2)) if log else edges
    begin, end = np.interp((low, high), edges, places)
    up_to = np.interp(np.linspace(begin, end, columns + 1), places, total[: len(edges)])
    middle = np.sqrt(low * high) if log else (low + high) / 2
    outside = max(float(1 - (up_to[-1] - up_to[0])), 0.0)
    return Values(np.diff(up_to), (float(low), float(middle), float(high)), outside, log)


def mix(bins: Bins, shares: NDArray[np.float64]) -> list[tuple[str, float]]:
    """Return (label, share) of each value that has a bin, the most frequent first; the buckets of rarer ones are one."""
    if bins.kind == "bool":
        return [(label(bins, bin), float(shares[bin])) for bin in (0, 1)]
    single = range(min(len(bins.known), TOP))
    found = sorted(((label(bins, bin), float(shares[bin])) for bin in single), key=lambda item: -item[1])
    rest = [("all others", float(shares[TOP:UNSEEN].sum()))] if len(bins.known) > TOP else []
    return found + rest


def spark(values: Iterable[float], low: float | None = None) -> str:
    """Return numbers as block characters.

    Args:
        low: what stands at the foot; the smallest by default.

    >>> spark([0, 1, 2, 4], 0), spark([5, 5])
    ('▁▃▅█', '▁▁')
    """
    numbers = np.array(list(values), np.float64)
    foot = float(numbers.min()) if low is None else low
    height = float(numbers.max()) - foot
    if not height > 0:
        return BLOCKS[0] * len(numbers)
    return "".join(BLOCKS[min(int(step), 7)] for step in (numbers - foot) / height * 8)


def said(field: Portrait, pattern: Pattern) -> str:
    """Return the name of a series for people; that of a single value is the number of its bin."""
    if not pattern.name.isdigit():
        return pattern.name
    return f"share of {f'bin {int(pattern.name) + 1}' if field.bins is None else label(field.bins, int(pattern.name))}"


def kind(field: Portrait) -> str:
    """Return what a field is, in a word."""
    if field.bins is not None:
        return field.bins.kind
    return "no bins" if field.bin_id is None else "bins unknown"


def limits(values: Sequence[float]) -> str:
    """Return the limits of a field in a few words.

    >>> limits([]), limits([11.21, 14.8]), limits([3.0, 3.0])
    ('no limit yet', 'limits 11.2 to 14.8', 'limit 3')
    """
    if not values:
        return "no limit yet"
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return f"limit {low}" if low == high else f"limits {low} to {high}"


def whole(summary: Summary, per_week: float) -> Iterator[str]:
    """Yield what can be said of all streams together.

    Args:
        per_week: false alarms that the configuration allows, where the reference does not say.
    """
    told = summary.told
    until, allowed = str(told.get("until", "")), float(told.get("false_alarms", per_week))
    weeks: Any = told.get("weeks", 0)
    kept = promise(summary.status, until, allowed)
    begun = "" if kept.startswith(summary.status) else f"{summary.status}: "
    yield f"{begun}{kept}" + (f", over {number(weeks, 'week')}" if weeks else "")
    if not summary.day:
        yield f"the first reference, before any night; false-alarm budget from the first whole day on: {allowed:.3g} a week"
        return
    left_out = ", ".join(told.get("left_out", ()))
    yield f"learned for {summary.day}: {number(told.get('days', 0), 'whole day')} taught; left out: {left_out or 'no day'}"
    yield f"limits that weeks have confirmed: {told.get('series', 0):,}; provisional, for want of days: {told.get('young', 0):,}"
    yield "A limit is how strong the evidence of a change must be before drift is told;"
    yield "the higher it is, the later. sd: the standard deviation of the field."


def usual(field: Portrait) -> str:
    """Return the largest shares of a field that has no axis, as a sentence."""
    if field.bins is None or field.shares is None:
        return ""
    return ", ".join(f"{name} {percent(share)}" for name, share in mix(field.bins, field.shares))
