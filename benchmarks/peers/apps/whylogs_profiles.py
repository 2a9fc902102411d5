"""whylogs: profiles of all columns by minute.

``rows``: every record is tracked as it comes. ``frames``: the records of a minute become one pandas frame, its way for batches.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import orjson
import pandas as pd
from meter import FEATURES, PANE_MS, Meter, arguments
from reading import batches
from whylogs.core import DatasetProfile

SKEW = 15  # minutes


def main() -> None:
    asyncio.run(profile(*arguments(), sys.argv[4]))


async def profile(brokers: str, topic: str, total: int, how: str) -> None:
    """Profile the topic; one profile per minute of event time."""
    meter = Meter(total)
    profiles: dict[int, DatasetProfile] = {}
    waiting: dict[int, list[dict[str, Any]]] = {}
    meter.begin()
    async for records in batches(brokers, topic):
        for record in records:
            event = orjson.loads(record.value)
            pane = event["ts"] // PANE_MS
            if how == "rows":
                if pane not in profiles:
                    profiles[pane] = DatasetProfile()
                profiles[pane].track(row={name: event[name] for name in FEATURES})
            else:
                waiting.setdefault(pane, []).append(event)
        if meter.add(len(records)) or how == "frames":
            close(waiting, profiles, everything=meter.seen >= meter.total)
        if meter.seen >= meter.total:
            for pane, one in sorted(profiles.items()):
                meter.window(pane * PANE_MS, counts(one))
            meter.finish()


def close(waiting: dict[int, list[dict[str, Any]]], profiles: dict[int, DatasetProfile], everything: bool) -> None:
    """Track the minutes well before the newest one: partitions are not read at the same pace."""
    newest = max(waiting, default=0)
    for pane in sorted(waiting):
        if everything or pane < newest - SKEW:
            frame = pd.DataFrame(waiting.pop(pane), columns=FEATURES)
            profiles.setdefault(pane, DatasetProfile()).track(frame)


def counts(one: DatasetProfile) -> list[tuple[int, int, float, float]]:
    """Return count, missing, smallest and largest of each feature."""
    view = one.view()
    rows = []
    for name in FEATURES:
        summary = view.get_column(name).to_summary_dict()
        n, null = summary["counts/n"], summary["counts/null"]
        rows.append((n - null, null, summary["distribution/min"], summary["distribution/max"]))
    return rows


if __name__ == "__main__":
    main()
