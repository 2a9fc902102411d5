"""Baselines: what a reference says is normal, and how two of them differ. Pure; what people see is in `stream.commands`.

A reference knows the bins of its fields by their ids only. Their edges and names stand in a layout, so whoever asks brings the
bins that are known; a field whose bins nobody has any more is told without its units.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.layout import Bins, Layout

BUDGET = "budget"
"""The one key of a reference that is no stream: what people are told of the false-alarm budget."""

LEARNED = "learned"
"""In the budget of a reference that came back into force: the day for which it was learned."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What is usual for a series. name: its contrast. mean: float[3, 48] by kind of day and half-hour. limit: inf: none."""

    name: str
    mean: NDArray[np.floating[Any]]
    limit: float


@dataclass(frozen=True, slots=True)
class Portrait:
    """One field.

    Attributes:
        bin_id: None where it has no bins. bins: None where they are not known.
        shares: float64[36]; None where there were too few values to compare with.
        patterns: its series, empty before the first whole day.
    """

    name: str
    bin_id: str | None
    bins: Bins | None
    values: int
    shares: NDArray[np.float64] | None
    patterns: tuple[Pattern, ...]

    @property
    def limits(self) -> list[float]:
        """Return those that are set."""
        return [pattern.limit for pattern in self.patterns if np.isfinite(pattern.limit)]

    @property
    def location(self) -> Pattern | None:
        """Return the series that says how high the field is; of a field without an order its first share."""
        named = [pattern for pattern in self.patterns if pattern.name == "location"]
        return next(iter(named or self.patterns), None)


@dataclass(frozen=True, slots=True)
class Stream:
    """Attributes: status: ``learning``, ``provisional`` or ``calibrated``. until: date on which that ends, or empty."""

    name: str
    status: str
    until: str
    fields: tuple[Portrait, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """Attributes: told: of the budget; empty before the first night. streams: by name."""

    told: Mapping[str, Any]
    streams: tuple[Stream, ...]

    @property
    def status(self) -> str:
        return str(self.told.get("status", "learning"))

    @property
    def day(self) -> str:
        """Return the date for which it was learned, empty before the first night."""
        return iso(self.told.get(LEARNED, self.told.get("day", 0)))

    def fields(self) -> Iterator[tuple[Stream, Portrait]]:
        return ((stream, field) for stream in self.streams for field in stream.fields)


def iso(day: int) -> str:
    """Return the ordinal of a day as a date; nothing for 0.

    >>> iso(738838), iso(0)
    ('2023-11-14', '')
    """
    return date.fromordinal(day).isoformat() if day > 0 else ""


def is_reference(tree: Any) -> bool:
    """Return whether a blob is a reference; the others are layouts."""
    if not isinstance(tree, dict):
        return False
    streams = [item for name, item in tree.items() if name != BUDGET]
    return bool(streams) and all(
        isinstance(item, dict) and {"fields", "bins", "values", "shares"} <= item.keys() for item in streams
    )


def bins_of(layouts: Iterable[Layout]) -> dict[str, Bins]:
    """Return all bins of some layouts by their ids."""
    sections = (section for layout in layouts for section in layout.sections.values())
    return {bins.id: bins for section in sections for bins in section.bins if bins is not None}


def summary(reference: Mapping[str, Any], known: Mapping[str, Bins]) -> Summary:
    """Return what a reference says.

    Args:
        known: bins by id, as far as they are known.
    """
    streams = (stream_of(name, tree, known) for name, tree in sorted(reference.items()) if name != BUDGET)
    return Summary(reference.get(BUDGET, {}), tuple(streams))


def stream_of(name: str, tree: Mapping[str, Any], known: Mapping[str, Bins]) -> Stream:
    patterns: dict[str, list[Pattern]] = {}
    normal = tree.get("normal") or {"series": []}
    for column, series in enumerate(normal["series"]):
        field, _, contrast = series.rpartition("/")
        pattern = Pattern(contrast, normal["mean"][..., column], float(normal["limit"][column]))
        patterns.setdefault(field, []).append(pattern)
    fields = []
    for row, (field, bin_id) in enumerate(zip(tree["fields"], tree["bins"], strict=True)):
        shares = tree["shares"][row]
        usable = shares if bin_id is not None and np.isfinite(shares).all() else None
        own = tuple(patterns.get(field, ()))
        fields.append(Portrait(field, bin_id, known.get(bin_id or ""), int(tree["values"][row]), usable, own))
    return Stream(name, str(tree.get("status", "learning")), str(tree.get("until", "")), tuple(fields))
