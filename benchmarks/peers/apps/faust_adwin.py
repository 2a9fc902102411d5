"""A stock Faust agent with one river ADWIN per feature, updated with every event.

Settings as they come: JSON topic, automatic acknowledgement, offsets committed. ``faust_adwin.py ... empty`` leaves the detectors
out, to show what Faust itself costs.
"""

from __future__ import annotations

import sys
import tempfile
import time

import faust
from meter import FEATURES, Meter, arguments
from river.drift import ADWIN

brokers, topic_name, total = arguments()
empty = sys.argv[4] == "empty"
meter = Meter(total)
app = faust.App(
    f"peer-faust-{time.time_ns()}",
    broker=f"kafka://{brokers}",
    store="memory://",
    topic_partitions=4,
    web_enabled=False,
    datadir=tempfile.mkdtemp(),
)
events = app.topic(topic_name, value_serializer="json", key_serializer="raw")
detectors = {name: ADWIN() for name in FEATURES}


@app.agent(events)
async def watch(stream: faust.StreamT) -> None:  # type: ignore[type-arg]
    """Feed every value to its detector."""
    drifts = 0
    async for event in stream:
        if not empty:
            for name, detector in detectors.items():
                value = event[name]
                if value is not None:
                    detector.update(value)
                    drifts += detector.drift_detected
        if meter.add():
            meter.finish(drifts=drifts)


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "-l", "warn", "--without-web"]
    app.main()
