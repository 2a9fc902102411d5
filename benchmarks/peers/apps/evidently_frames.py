"""Evidently: the drift preset on one frame of all records, as an hourly job would do, against a reference frame, in pandas.

The reference is as large as a frame and made before the measurement begins: in practice it comes from training.
"""

from __future__ import annotations

import asyncio

import numpy as np
import orjson
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from meter import FEATURES, Meter, arguments
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
    events: list[dict[str, float | None]] = []
    meter.begin()
    async for records in batches(brokers, topic):
        events += [orjson.loads(record.value) for record in records]
        if meter.add(len(records)):
            snapshot = report.run(dataset(events), reference)
            meter.finish(drifted=snapshot.dict()["metrics"][0]["value"])


if __name__ == "__main__":
    asyncio.run(main())
