"""Sends the flights: history as fast as the broker takes it, then each record when its time comes.

Whole batches are built here, one per partition, instead of `AIOKafkaProducer.send` per record: history is 400,000 records
and `send` costs 25 µs each. One batch of a partition is in flight at a time, so the order of event time is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any
from zlib import crc32

import orjson
from aiokafka import AIOKafkaProducer

from stream.demo.faults import Fault, through
from stream.demo.timeline import TOPICS, Clock, Record, Timeline

BATCH_BYTES = 512 * 1024
CHUNK = 5000
"""Records that are encoded before the event loop gets its turn: about 20 ms."""
BEAT = 0.05
"""Seconds between two rounds of the live part."""


def wall_ms() -> int:
    return time.time_ns() // 1_000_000


class Producer:
    """Sends one timeline, up to ``sent_ms``, and breaks it where ``faults`` say so.

    Attributes:
        faults: may be set while the producer runs; they apply to what was not sent yet.
        sent: records per topic so far. sent_ms: every record before this event time has been acknowledged.
    """

    def __init__(self, brokers: str, timeline: Timeline, now: Callable[[], int] = wall_ms) -> None:
        self.faults: tuple[Fault, ...] = ()
        self.sent = dict.fromkeys(TOPICS, 0)
        self.sent_ms = timeline.begin_ms
        self._timeline = timeline
        self._now = now
        self._kafka = AIOKafkaProducer(bootstrap_servers=brokers, max_batch_size=BATCH_BYTES, acks="all")
        self._partitions: dict[str, int] = {}

    @property
    def clock(self) -> Clock:
        """The clock of the timeline."""
        return self._timeline.clock

    async def __aenter__(self) -> Producer:
        await self._kafka.start()
        for topic in TOPICS:
            self._partitions[topic] = len(await self._kafka.partitions_for(topic))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._kafka.stop()

    async def preload(self) -> None:
        """Send history until the present is less than a second away."""
        while (now := self._now()) - self.sent_ms > 1000:
            await self._send_until(now)

    async def live(self) -> None:
        """Send every record at its event time, for ever. Cancel it to stop."""
        while True:
            await self._send_until(self._now())
            await asyncio.sleep(BEAT)

    async def _send_until(self, end_ms: int) -> None:
        start_ms, faults = self.sent_ms, self.faults
        streams = {topic: self._timeline.between(topic, start_ms, end_ms) for topic in TOPICS}
        await asyncio.gather(*(self._send(topic, through(faults, records)) for topic, records in streams.items()))
        self.sent_ms = end_ms

    async def _send(self, topic: str, records: Iterator[Record]) -> None:
        while chunk := list(islice(records, CHUNK)):
            for partition, batch in self._batches(topic, chunk):
                await (await self._kafka.send_batch(batch, topic, partition=partition))
            self.sent[topic] += len(chunk)

    def _batches(self, topic: str, records: Iterable[Record]) -> Iterator[tuple[int, Any]]:
        """Encode records into batches of at most `BATCH_BYTES`; a flight always goes to the same partition."""
        open_batches: dict[int, Any] = {}
        for record in records:
            key = record.key.encode()
            partition = crc32(key) % self._partitions[topic]
            value = record.value if isinstance(record.value, bytes) else orjson.dumps(record.value)
            batch = open_batches.get(partition) or self._kafka.create_batch()
            if batch.append(key=key, value=value, timestamp=record.timestamp_ms) is None:
                yield partition, batch
                batch = self._kafka.create_batch()
                batch.append(key=key, value=value, timestamp=record.timestamp_ms)
            open_batches[partition] = batch
        yield from open_batches.items()
