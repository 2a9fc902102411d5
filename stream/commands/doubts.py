"""What looks wrong about how some records were understood: sentences for ``streamgauge check``.

A doubt is never an error: the records seen may be unusual ones. Each names the key of the configuration it is about.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from stream.commands.showing import duration
from stream.commands.understanding import Seen, Understood, sources
from stream.config.errors import suggestion
from stream.layout import OTHER
from stream.plan import Field, StreamPlan
from stream.reading.eventtime import BAD, milliseconds
from stream.reading.records import ABSENT

UNITS = ("rfc3339", "s", "ms", "us", "ns")
FAR_MS = 86_400_000
"""An event time this far from the record's timestamp is doubted."""
NEAR_MS = 3_600_000
"""Another unit is proposed when it brings the times this near."""

_TYPES = {"number": "number", "category": "string", "bool": "bool"}


def type_of(value: Any) -> str:
    """Return the JSON type of a value, in the words of `stream.counts.TYPES`.

    >>> [type_of(value) for value in (ABSENT, None, True, 12, "12", [], float("nan"))]
    ['absent', 'null', 'bool', 'number', 'string', 'nested', 'nonfinite']
    """
    if value is ABSENT:
        return "absent"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "string"
    if isinstance(value, int | float):
        return "number" if abs(value) < float("inf") else "nonfinite"
    return "nested"


def doubts(understood: Understood) -> Iterator[str]:
    """Yield what looks wrong about one stream."""
    plan, total = understood.plan, len(understood.seen)
    at = f"models.{plan.model}.{plan.role}"
    yield from (f"{at}: {text}" for text in _rejected(understood, total))
    ours = understood.ours
    if not ours and any(record.what == "filtered" for record in understood.seen):
        yield from (f"{at}.{text}" for text in _selects_nothing(understood))
    if not ours:
        return
    yield from (f"{at}.{text}" for text in _absent(understood, ours))
    yield from (f"{at}.{text}" for text in _times(plan, ours))
    for item in plan.fields:
        key = sources(plan).get(item.source, item.name)
        yield from (f"{at}.{key}: {text}" for text in _values(item, [record.values[item.source] for record in ours]))


def _rejected(understood: Understood, total: int) -> Iterator[str]:
    known = ("counted", "late", "filtered", "tombstone")
    reasons = Counter(record.what for record in understood.seen if record.what not in known)
    if reasons:
        listed = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
        yield f"{sum(reasons.values())} of {total} records are rejected ({listed})"


def _selects_nothing(understood: Understood) -> Iterator[str]:
    records = [record for record in understood.seen if record.values]
    for source, wanted in understood.plan.where:
        found = [record.values[source] for record in records]
        if not any(value == wanted and type(value) is type(wanted) for value in found):
            absent = all(value is ABSENT for value in found)
            why = f"no record has {source!r}" if absent else "other values or types are there"
            hint = _meant(source, understood) if absent else ""
            yield f"where.{source}: selects none of {len(records)} records: {why}{hint}"


def _absent(understood: Understood, ours: list[Seen]) -> Iterator[str]:
    for source, key in sources(understood.plan).items():
        if all(record.values[source] is ABSENT for record in ours):
            yield f"{key}: {source!r} occurs in none of {len(ours)} records{_meant(source, understood)}"


def _meant(source: str, understood: Understood) -> str:
    """Return a hint at the observed source that was probably meant: one spelled alike, or one that ends alike."""
    observed = [path for path in understood.paths if path != OTHER]
    last = source.rpartition(".")[2]
    ends = [path for path in observed if path.rpartition(".")[2] == last]
    hint = suggestion(source, observed) or (f"did you mean {ends[0]!r}?" if ends else "")
    return f"; {hint}" if hint else ""


def _times(plan: StreamPlan, ours: list[Seen]) -> Iterator[str]:
    if plan.time is None:
        return
    stamps = np.array([record.timestamp for record in ours])
    values = [record.values[plan.time] for record in ours]
    if all(value is ABSENT for value in values):
        return
    off = _distance(values, plan.time_unit, stamps)
    if off is not None and off < FAR_MS:
        return
    better = {unit: far for unit in UNITS if (far := _distance(values, unit, stamps)) is not None and far < NEAR_MS}
    hint = f"; did you mean unit: {min(better, key=lambda unit: better[unit])}?" if better else ""
    if off is None:
        yield f"time: {plan.time!r} is no time in the unit {plan.time_unit}{hint}"
    else:
        yield f"time: event times are {duration(off)} away from the records' timestamps{hint}"


def _distance(values: list[Any], unit: str, stamps: Any) -> float | None:
    """Return the median distance in ms between times in this unit and timestamps; None when they are no such times."""
    times = milliseconds(values, unit)
    usable = times != BAD
    return float(np.median(np.abs(times[usable] - stamps[usable]))) if usable.mean() >= 0.5 else None


def _values(item: Field, values: list[Any]) -> Iterator[str]:
    present = [value for value in values if value is not ABSENT and value is not None]
    wanted = _TYPES.get(item.kind or "")
    wrong = Counter(kind for kind in map(type_of, present) if wanted is not None and kind not in (wanted, "nonfinite"))
    if wrong:
        kinds = ", ".join(f"{kind} {count}" for kind, count in wrong.most_common())
        yield f"stated as {item.kind}, but of {len(present)} values some are of another type ({kinds})"
    if item.range is not None:
        numbers = [value for value in present if type_of(value) == "number"]
        outside = sum(not item.range[0] <= value <= item.range[1] for value in numbers)
        if outside:
            yield f"{outside} of {len(numbers)} numbers lie outside [{item.range[0]:g}, {item.range[1]:g}]"
    if item.as_of is None and present and all(type_of(value) == "nested" for value in present):
        yield f"{item.source!r} holds objects or lists: a field is one number, text or true/false"
