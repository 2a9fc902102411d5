"""A stock Faust application: a table that counts events per key, all settings as they come, automatic acknowledgement."""

from __future__ import annotations

import os

import faust

app = faust.App(
    "stock",
    broker=f"kafka://{os.environ['STOCK_BROKER']}",
    store="memory://",
    topic_partitions=4,
    web_enabled=False,
    broker_session_timeout=6,
    broker_heartbeat_interval=2,
    broker_rebalance_timeout=15,
)
events = app.topic("stock-events", key_type=bytes, value_type=bytes, value_serializer="raw", key_serializer="raw")
counts = app.Table("counts", default=int, partitions=4)


@app.agent(events)
async def count(stream: faust.StreamT) -> None:  # type: ignore[type-arg]
    """Count."""
    async for key, _ in stream.items():  # noqa: PERF102 - a stream is no dict
        counts[key.decode()] += 1
