"""Weeks of coarse panes made from a seed, as a night reads them: hours of Gaussian fields, one of which may be moved.

Counts are drawn by hour and field from a generator of their own, so that changing some leaves all others as they were.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from stream.codec import digest
from stream.gathering import Kept
from stream.layout import BINS, Bins, Section
from stream.learn import basis, numeric_edges
from stream.plan import Field
from stream.recalibrate import EPOCH, Night

STREAM = "m.features"
HOUR = 3_600_000
MONDAY = date(2026, 1, 5).toordinal()
N = 200
"""Values of a field in an hour."""

NONE = np.empty(0, np.int64)
GAUSS = Bins(
    "number", numeric_edges(*np.unique(np.random.default_rng(0).normal(size=20_000), return_counts=True)), NONE, NONE
)

Counts = NDArray[np.int64]


def chances(mean: float = 0.0, sd: float = 1.0) -> NDArray[np.float64]:
    """Return the probability of each bin for a normal field."""
    p = np.diff(ndtr((GAUSS.edges - mean) / sd), prepend=0.0, append=1.0)
    return np.pad(p, (0, BINS - len(p)))


def hours(days: int, name: str, mean: float = 0.0, sd: float = 1.0, seed: int = 1, n: int = N) -> Counts:
    """Return int64[24 * days, 36], the bins of a field."""
    key = [seed, *name.encode(), round(1000 * mean) % 9973, round(1000 * sd)]
    return np.random.default_rng(key).multinomial(n, chances(mean, sd), 24 * days).astype(np.int64)


def section(*names: str) -> Section:
    return Section(STREAM, tuple(Field(name, name) for name in names), (GAUSS,) * len(names), True, (), (), 1)


def hour_of(day: int) -> int:
    """Return the index of the first hour of a day (UTC)."""
    return (day - EPOCH) * 24


def panes(
    fields: dict[str, Counts], first: int = MONDAY, skip: int = 0, gone: dict[str, Counts] | None = None
) -> list[Kept]:
    """Return the hours of some fields from a day on; an hour in which a field has no values does not name it.

    Args:
        gone: records without a value, by hour; none for a field that is not named.
    """
    begin, length = hour_of(first), max(map(len, fields.values()))
    kept = []
    for hour in range(skip, length):
        own = {name: counts[hour] for name, counts in fields.items() if hour < len(counts) and counts[hour].any()}
        bins = np.array(list(own.values()), np.int32).reshape(-1, BINS)
        without = [0 if gone is None or name not in gone else int(gone[name][hour]) for name in own]
        presence = np.array([bins.sum(axis=1), without], np.int32).T
        kept.append(Kept(STREAM, begin + hour, list(own), [GAUSS.id] * len(own), bins, presence))
    return kept


def reference(*names: str, known: bool = True) -> dict[str, Any]:
    """Return the first reference of some fields."""
    shares = np.tile(basis(np.round(10**6 * chances()).astype(np.int64)[None]), (len(names), 1))
    return {
        "fields": list(names),
        "bins": [GAUSS.id] * len(names),
        "values": np.full(len(names), 10**6),
        "shares": shares if known else np.full_like(shares, np.nan),
        "farthest": np.full(len(names), 0.05 if known else np.nan),
    }


def lesson(day: int, *names: str, **changes: Any) -> dict[str, Any]:
    """Return what a night is told on a day for one stream."""
    usual = {
        "day": day,
        "timezone": "UTC",
        "holidays": [],
        "coarse_ms": HOUR,
        "false_alarms": 1.0,
        "weights": {STREAM: 1.0},
        "sections": {STREAM: section(*names).to_dict()},
        "reference": {STREAM: reference(*names)},
        "excluded": {STREAM: []},
        "restarts": {STREAM: {}},
    }
    return {**usual, **changes}


def learned(told: dict[str, Any], kept: Iterable[Kept]) -> dict[str, Any]:
    """Return the reference that a night learns."""
    night = Night(told)
    for pane in kept:
        night.add(pane)
    return night.reference()


def same(one: Any, other: Any) -> bool:
    """Return whether two trees are equal to the bit."""
    return digest(one) == digest(other)


def limits(tree: dict[str, Any]) -> dict[str, float]:
    """Return the limit of each series of the stream."""
    normal = tree[STREAM]["normal"]
    return dict(zip(normal["series"], normal["limit"].tolist(), strict=True))


def part(tree: dict[str, Any], *fields: str) -> dict[str, Any]:
    """Return what is normal for some fields, with their limits."""
    normal = tree[STREAM]["normal"]
    columns = [k for k, name in enumerate(normal["series"]) if name.rpartition("/")[0] in fields]
    return {name: normal[name][..., columns] for name in normal if name != "series"}
