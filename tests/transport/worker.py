"""A worker in a process of its own, so that it can be killed: says on standard output what happens to it, one JSON per line.

Its position is the group's committed offset: enough to see partitions move. (The product's taps go by the ledger.)
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from stream.batch import RecordBatch
from stream.kafka.source import Partition
from stream.kafka.transport import make_app


def say(kind: str, **details: Any) -> None:
    """Write one event."""
    print(json.dumps({"kind": kind, **details}), flush=True)


async def work(address: str, group: str, topic: str, ledger: str) -> None:
    """Run until killed."""

    async def on_batch(batch: RecordBatch) -> None:
        say("batch", partition=batch.partition, start=batch.start, next=batch.next)
        await source.commit_accepted({(batch.topic, batch.partition): batch.next})

    async def on_assigned(partitions: set[Partition], judge: bool) -> None:
        say("assigned", partitions=sorted(number for _, number in partitions), judge=judge)

    async def on_revoked(partitions: set[Partition]) -> None:
        say("revoked", partitions=sorted(number for _, number in partitions))

    source = make_app(
        *(group, [address], [topic], ledger, on_batch, on_assigned, on_revoked),
        session_timeout=2.0,
        heartbeat=0.5,
        rebalance_timeout=4.0,
    )
    await source.app.start()
    await source.app.wait_until_stopped()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:]))
