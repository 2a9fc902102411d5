"""Evidently: the drift preset on frames of one hour of event time, against a reference frame, in pandas.

The reference is as large as a frame and made before the measurement begins: in practice it comes from training.
"""

from __future__ import annotations

import asyncio

import numpy as np
import orjson
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from meter import FEATURES, HOUR_MS, Meter, arguments
from reading import batches

DEFINITION = DataDefinition(numerical_columns=FEATURES)


def dataset(columns: dict[str, np.ndarray] | list[dict[str, float | None]]) -> Dataset:
    """Return a dataset of the features."""
    return Dataset.from_pandas(pd.DataFrame(columns, columns=FEATURES), data_definition=DEFINITION)


async def main() -> None:
    brokers, topic, total = arguments()
    rng = np.random.default_rng(1)
    reference = dataset({name: rng.lognormal(0, 1, total) for name in FEATURES})
    report = Report([DataDriftPreset()])
    meter = Meter(total)
    frames: dict[int, list[dict[str, float | None]]] = {}
    drifted = []
    meter.begin()
    async for records in batches(brokers, topic):
        for record in records:
            event = orjson.loads(record.value)
            frames.setdefault(event["ts"] // HOUR_MS, []).append(event)
        if meter.add(len(records)):
            for _, events in sorted(frames.items()):
                snapshot = report.run(dataset(events), reference)
                drifted.append(snapshot.dict()["metrics"][0]["value"])
            meter.finish(drifted=drifted)


if __name__ == "__main__":
    asyncio.run(main())
