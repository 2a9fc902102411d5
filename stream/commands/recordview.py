"""Some records of a stream as ``streamgauge check`` prints them: every part under the name that the monitor gives it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.text import Text

from stream.commands.doubts import type_of
from stream.commands.showing import aligned, duration
from stream.commands.understanding import Seen, Understood
from stream.config.errors import visible
from stream.layout import OTHER
from stream.plan import StreamPlan
from stream.reading.records import ABSENT

SHOWN = 3
MAX_FIELDS = 40
MAX_VALUE = 60
MAX_LABEL = 48
SKEW_MS = 2_000
"""Clocks of two hosts differ by this much without anybody having to know."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STYLE = {"counted": "green", "filtered": "dim", "tombstone": "dim", "late": "yellow"}


def classes(understood: Understood) -> str:
    """Return what became of the records that were looked at."""
    counts = Counter(record.what for record in understood.seen)
    return ", ".join(f"{count} {what}" for what, count in counts.most_common())


def chosen(understood: Understood) -> list[Seen]:
    """Return the three records to show, oldest first: the newest of the stream, and one that is rejected if there is any."""
    newest = understood.seen[::-1]
    rejected = [record for record in newest if record.what not in _STYLE][:1]
    good = [record for record in newest if record.what in ("counted", "late")][: SHOWN - len(rejected)]
    rest = [record for record in newest if record not in good and record not in rejected]
    picked = [*rejected, *good, *rest][:SHOWN]
    return sorted(picked, key=understood.seen.index)


def record_lines(record: Seen, plan: StreamPlan, now_ms: int, values: bool) -> Iterator[Text]:
    """Yield one record.

    Args:
        values: show values, not only their types.
    """
    title = Text(f"  record {record.partition}:{record.offset}  ")
    known = record.what in _STYLE
    yield title.append(record.what if known else f"rejected: {record.what}", _STYLE.get(record.what, "red"))
    if not record.values and record.time is None:
        return
    rows = [*_about(record, plan, now_ms, values), *_fields(record, plan, values)]
    yield from map(Text, aligned(rows, "      "))
    hidden = len(record.others) - MAX_FIELDS
    if plan.unlisted == "watch" and hidden > 0:
        yield Text(f"      and {hidden} more")
    elif plan.unlisted != "watch" and record.others:
        names = ", ".join(map(_name, list(record.others)[:MAX_FIELDS]))
        yield Text(f"      not listed ({_UNLISTED[plan.unlisted]}): {names}")


def _name(name: str) -> str:
    """Return a name for a column: a long path is shortened in its middle, or all values would stand far to the right."""
    if name == OTHER:
        return "(names that are too long, or odd)"
    half = MAX_LABEL // 2
    return visible(name if len(name) <= MAX_LABEL else f"{name[:half]}...{name[-half:]}")


_UNLISTED = {"count": "their names are counted", "ignore": "ignored"}


def _about(record: Seen, plan: StreamPlan, now_ms: int, values: bool) -> Iterator[tuple[str, str]]:
    for source, _ in plan.where:
        yield f"where {source}", _shown(record.values[source], values)
    yield "time", _time(record, plan, now_ms, values)
    version, producer = record.origin
    if plan.version is not None:
        yield "version", visible(version or _shown(record.values[plan.version], values))
    if plan.producer is not None:
        yield "producer", visible(producer or _shown(record.values[plan.producer], values))


def _time(record: Seen, plan: StreamPlan, now_ms: int, values: bool) -> str:
    if record.time is None:
        found = _shown(record.values[plan.time], values) if plan.time else "none"
        return f"none: {plan.time} is {found}, expected {plan.time_unit}"
    moment = f"{_moment(record.time)}, {_ago(now_ms - record.time)}"
    if plan.time is None:
        return f"{moment} (the record's timestamp)"
    off = record.timestamp - record.time
    where = "at" if off == 0 else f"{duration(abs(off))} {'before' if off > 0 else 'after'}"
    return f"{moment}, {where} the record's timestamp ({plan.time} in {plan.time_unit})"


def _fields(record: Seen, plan: StreamPlan, values: bool) -> Iterator[tuple[str, str]]:
    for item in plan.fields:
        name = item.name if item.source == item.name else f"{item.name} ({item.source})"
        yield _name(name), _shown(record.values[item.source], values)
        if item.as_of is not None:
            yield f"{_name(item.name)} as of", _shown(record.values[item.as_of], values)
    if plan.unlisted == "watch":
        for name, value in list(record.others.items())[:MAX_FIELDS]:
            yield _name(name), _shown(value, values)


def _shown(value: Any, values: bool) -> str:
    kind = type_of(value)
    if value is ABSENT or value is None or kind == "nested" or not values:
        return kind
    text = json.dumps(value, ensure_ascii=False)
    text = text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}... ({len(text)} characters)"
    return f"{kind:<7} {visible(text)}"


def _moment(ms: int) -> str:
    try:
        return f"{_EPOCH + timedelta(milliseconds=ms):%Y-%m-%d %H:%M:%S}.{ms % 1000:03d} UTC"
    except OverflowError:
        return "beyond the year 9999"


def _ago(ms: int) -> str:
    if ms >= 0:
        return f"{duration(ms)} ago"
    return "just now" if ms > -SKEW_MS else f"{duration(-ms)} in the future"
