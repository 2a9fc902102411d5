"""The two processes that `benchmarks.throughput` compares; each prints one line of JSON when it has read everything.

Both read the same topic from the beginning, with checksums, in one process. CPU time is that of the whole process (aiokafka under
Faust runs in a second thread) from the moment it may read its first record until the last one is done.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.app import spare_the_collector
from stream.clock import Clocks
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.worker import Worker

PARTITIONS = 4
REFERENCE_S = 60.0


async def bare(brokers: str, topic: str, total: int, decode: bool) -> dict[str, float]:
    """Read with ``getmany`` and, if asked, ``orjson.loads`` every value."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    seen = 0
    cpu, wall = time.process_time(), time.perf_counter()
    while seen < total:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            seen += len(records)
            if decode:
                for record in records:
                    orjson.loads(record.value)
    figures = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "records": seen}
    await consumer.stop()
    return figures


async def streamgauge(file: str, total: int, wait_for_reference: bool) -> dict[str, float]:
    """Run one worker, judge included, until the ledger has accepted every record."""
    spare_the_collector()  # as the command `run` does
    settings = load(Path(file))
    clocks = Clocks(time.monotonic, time.time)
    brokers = ",".join(settings.kafka.brokers)
    worker = Worker(compile_plan(settings), brokers, settings.key.secret, settings.start == "earliest", clocks)
    task = asyncio.create_task(worker.run())
    figures: dict[str, float] = {}
    while not any(lane.tap for lane in worker.tapping.lanes.values()) and not task.done():  # noqa: ASYNC110 - a measurement polls
        await asyncio.sleep(0.005)
    cpu, wall = time.process_time(), time.perf_counter()
    before = _accepted(worker)
    while _accepted(worker) < total and not task.done():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    figures = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "records": total - before}
    while wait_for_reference and "reference" not in worker.ledger.fold.in_force and not task.done():
        await asyncio.sleep(0.1)
        if time.perf_counter() - wall > REFERENCE_S:
            break
    worker.stop()
    await task
    figures["reference"] = float("reference" in worker.ledger.fold.in_force)
    return figures


def _accepted(worker: Worker) -> int:
    return sum(position.next for position in worker.ledger.fold.positions.values())


def main(arguments: list[str]) -> None:
    kind, *rest = arguments
    figures: Any
    if kind in ("streamgauge", "learn"):
        figures = asyncio.run(streamgauge(rest[0], int(rest[1]), wait_for_reference=kind == "learn"))
    else:
        figures = asyncio.run(bare(rest[0], rest[1], int(rest[2]), decode=kind == "decode"))
    print(json.dumps(figures))


if __name__ == "__main__":
    main(sys.argv[1:])
