"""The processes that are compared; each prints one line of JSON when it has read everything.

All read the same topic from the beginning, with checksums. CPU time is that of the whole process with all its threads (aiokafka
under Faust and librdkafka have their own), from the moment it may read its first record until the last one is done.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import confluent_kafka
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from benchmarks.cluster import PARTITIONS
from benchmarks.process import descriptors, resident_mb
from stream.app import spare_the_collector
from stream.batch import RecordBatch
from stream.clock import Clocks
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.worker import Worker

FETCH_BYTES = 4 << 20
CONSUME = 10_000
SAMPLES = 200


class Stopwatch:
    """CPU and wall time since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.perf_counter()

    def read(self, records: int) -> dict[str, Any]:
        return {
            "cpu_s": time.process_time() - self._cpu,
            "wall_s": time.perf_counter() - self._wall,
            "records": records,
        }


async def bare(brokers: str, topic: str, total: int, decode: bool) -> dict[str, Any]:
    """Read with ``getmany`` and, if asked, ``orjson.loads`` every value."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=FETCH_BYTES,
        check_crcs=True,
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    seen = 0
    watch = Stopwatch()
    while seen < total:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            seen += len(records)
            if decode:
                for record in records:
                    orjson.loads(record.value)
    figures = watch.read(seen)
    await consumer.stop()
    return figures


def confluent(brokers: str, topic: str, total: int) -> dict[str, Any]:
    """Read with confluent-kafka's ``consume``, the fastest client for Python there is, and ``orjson.loads`` every value."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": f"limit-{os.getpid()}",
            "enable.auto.commit": False,
            "check.crcs": True,
            "fetch.message.max.bytes": FETCH_BYTES,
            "queued.max.messages.kbytes": 65_536,
        }
    )
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    seen = 0
    watch = Stopwatch()
    while seen < total:
        for message in consumer.consume(CONSUME, 1.0):
            value = message.value()
            if message.error() is None and value is not None:
                orjson.loads(value)
                seen += 1
    figures = watch.read(seen)
    consumer.close()
    return figures


class Measured:
    """One worker, judge included, until the ledger has accepted every record. To be made inside a running event loop.

    Args:
        lanes: measure only once this worker has so many partitions and the word is given on standard input; what is fetched
            until then is passed over, and afterwards every tap goes back to its first record. 0: start at once.
    """

    def __init__(self, file: str, total: int, lanes: int) -> None:
        spare_the_collector()  # as the command `run` does
        settings = load(Path(file))
        clocks = Clocks(time.monotonic, time.time)
        brokers = ",".join(settings.kafka.brokers)
        self.worker = Worker(compile_plan(settings), brokers, settings.key.secret, settings.start == "earliest", clocks)
        self.total = total
        self.lanes = lanes
        self.open = lanes == 0
        self.samples: list[tuple[int, float, int]] = []
        self._count = self.worker.tapping.on_batch
        self.worker.tapping.on_batch = self._gate  # type: ignore[method-assign]

    async def run(self) -> dict[str, Any]:
        task = asyncio.create_task(self.worker.run())
        while not self._placed() and not task.done():  # noqa: ASYNC110 - a measurement polls
            await asyncio.sleep(0.005)
        if self.lanes:
            print("ready", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            self.open = True
            for key in list(self.worker.tapping.lanes):
                self.worker.tapping.doubt(key)
        watch = Stopwatch()
        while not self._done() and not task.done():
            self._sample()
            await asyncio.sleep(0.02)
        figures = watch.read(self._accepted())
        fold = self.worker.ledger.fold
        figures |= {"reference": "reference" in fold.in_force, "samples": self.samples}
        self.worker.stop()
        await task
        return figures

    async def _gate(self, batch: RecordBatch) -> None:
        if self.open:
            await self._count(batch)

    def _placed(self) -> bool:
        lanes = self.worker.tapping.lanes.values()
        with_taps = sum(lane.tap is not None for lane in lanes)
        return with_taps == len(lanes) == self.lanes if self.lanes else with_taps > 0

    def _accepted(self) -> int:
        return sum(position.next for position in self.worker.ledger.fold.positions.values())

    def _done(self) -> bool:
        host, ledger = self.worker.host, self.worker.ledger
        return self._accepted() >= self.total and (host is None or host.judge.fold.offset >= ledger.fold.offset)

    def _sample(self) -> None:
        accepted = self._accepted()
        if accepted >= len(self.samples) * self.total // SAMPLES:
            self.samples.append((accepted, resident_mb(), descriptors()))


async def streamgauge(file: str, total: int, lanes: int) -> dict[str, Any]:
    """Measure one worker."""
    return await Measured(file, total, lanes).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("getmany", "bare", "confluent", "streamgauge"))
    parser.add_argument("where", help="the brokers, or the configuration file of streamgauge")
    parser.add_argument("total", type=int)
    parser.add_argument("--topic", default="")
    parser.add_argument("--lanes", type=int, default=0)
    a = parser.parse_args()
    if a.kind == "streamgauge":
        figures = asyncio.run(streamgauge(a.where, a.total, a.lanes))
    elif a.kind == "confluent":
        figures = confluent(a.where, a.topic, a.total)
    else:
        figures = asyncio.run(bare(a.where, a.topic, a.total, decode=a.kind == "bare"))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
