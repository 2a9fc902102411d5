"""What must be counted of the records in the side file, by nothing but the words of the specification."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from tests.broker.traffic import LATENESS_MS, PANE_MS, UNREADABLE, WHERE
from tests.chaos.application import FIELDS

REASONS = dict(UNREADABLE)

Classified = tuple[int, str, int | None, dict[str, Any]]
"""(offset, class or reason of rejection, pane or None, row)."""


def classify(stream: str, records: Iterable[tuple[int, bytes | None]]) -> Iterator[Classified]:
    """Say of each record of one partition, in order, in which class it is and in which pane it is counted.

    Of the first record of a partition the clock may be wrong: the second one confirms it.
    """
    frontier: int | None = None
    first: int | None = None
    for offset, value in records:
        row, reason = _read(value)
        if reason or row is None:
            pane = frontier // PANE_MS if reason and frontier is not None else None
            yield offset, reason or "tombstones", pane, {}
            continue
        if row.get("type", "") != WHERE.get(stream, ""):
            yield offset, "filtered", None, {}
            continue
        time = row["ts"]
        if isinstance(time, str):
            yield offset, "bad_time", None if frontier is None else frontier // PANE_MS, {}
            continue
        if frontier is not None and time < frontier - LATENESS_MS:
            yield offset, "late", frontier // PANE_MS, {}
        else:
            yield offset, "applied", time // PANE_MS, row
        if frontier is not None:
            frontier = max(frontier, time)
        elif first is None:
            first = time
        else:
            frontier = min(first, time)


def count(stream: str, classified: Iterable[Classified]) -> tuple[Counter[str], dict[int, Counter[Any]]]:
    """Return the records by class, and by pane what a stored pane says: applied, late, rejected and (field, type)."""
    classes: Counter[str] = Counter()
    panes: dict[int, Counter[Any]] = defaultdict(Counter)
    for _, name, pane, row in classified:
        classes[name] += 1
        if pane is None:
            continue
        panes[pane][name if name in ("applied", "late") else "rejected"] += 1
        if name == "applied":
            panes[pane].update((item, _type(row, item)) for item in FIELDS[stream])
    return classes, panes


def _read(value: bytes | None) -> tuple[dict[str, Any] | None, str]:
    """Return (row, reason why there is none); (None, "") is a tombstone."""
    if value is None:
        return None, ""
    if value in REASONS:
        return None, REASONS[value]
    row: dict[str, Any] = json.loads(value)
    return row, ""


def _type(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return "absent"
    value = row[name]
    if value is None:
        return "null"
    if isinstance(value, str):
        return "string"
    return "number" if math.isfinite(value) else "nonfinite"
