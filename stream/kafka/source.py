"""What a tap needs of the consumer: seek, ask for offsets, pause, read one record, commit as a courtesy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import faust
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, IllegalStateError, KafkaError, OffsetOutOfRangeError

from stream.kafka import hooks

Partition = tuple[str, int]
"""Topic and number."""

T = TypeVar("T")


class Input:
    """The consumer side of a worker. Made by `stream.kafka.transport.make_app`; usable while the application runs.

    Attributes:
        app: the Faust application. assigned: input partitions of this worker. judge: whether the ledger's partition is its own.
    """

    def __init__(self, app: faust.App, brokers: Sequence[str]) -> None:
        self.app = app
        self.assigned: set[Partition] = set()
        self.judge = False
        self._brokers = list(brokers)
        self._reader: AIOKafkaConsumer | None = None
        self._reading = asyncio.Lock()

    @property
    def consumer(self) -> hooks.Consumer:
        """Faust's consumer, as subclassed."""
        return cast(hooks.Consumer, self.app.consumer)

    async def seek(self, partition: Partition, offset: int) -> bool:
        """Move the fetch position; return False when the partition was taken away meanwhile.

        Once this returned, no batch fetched before it reaches the handler.
        """

        async def seek() -> bool:
            try:
                consumer.seek(TopicPartition(*partition), offset)
            except IllegalStateError:
                return False
            seeks[partition] += 1
            return True

        seeks = self.consumer.seeks
        loop, consumer = hooks.in_thread(self.consumer)
        return await self._call(loop, seek(), 30)

    async def begin_end(self, partition: Partition, pause: float = 0.0) -> tuple[int, int]:
        """Return the first retained offset and the end offset (high watermark), as the partition's leader says now.

        Args:
            pause: ask again after so many seconds and take the larger of each. Brokers have been seen to answer zero for a
                moment; whoever would conclude from a small end that a topic was recreated asks twice.

        Raises:
            KafkaError, TimeoutError: the leader cannot be asked.
        """

        async def ask() -> tuple[int, int]:
            return (await consumer.beginning_offsets([tp]))[tp], (await consumer.end_offsets([tp]))[tp]

        tp = TopicPartition(*partition)
        loop, consumer = hooks.in_thread(self.consumer)
        begin, end = await self._call(loop, ask(), 60)
        if pause:
            await asyncio.sleep(pause)
            again = await self._call(loop, ask(), 60)
            begin, end = max(begin, again[0]), max(end, again[1])
        return begin, await self._high_watermark(tp, end)

    async def _high_watermark(self, tp: TopicPartition, listed: int) -> int:
        # What brokers list as the end is not always the end: the embedded one gives the first offset of the last batch, plus
        # one. The answer to a fetch says the truth on every broker.
        async with self._read(tp, listed) as reader:
            for _ in range(500):
                if (found := reader.highwater(tp)) is not None:
                    return max(listed, int(found))
                await asyncio.sleep(0.01)
        return listed

    async def pause(self, partition: Partition) -> None:
        """Stop fetching a partition until `resume`, or until the next assignment. What is queued still comes."""
        await self._switch(partition, "pause")

    async def resume(self, partition: Partition) -> None:
        """Fetch a paused partition again."""
        await self._switch(partition, "resume")

    async def commit_accepted(self, offsets: Mapping[Partition, int]) -> bool:
        """Commit offsets for people and lag tools; return whether it worked.

        A courtesy: nothing reads them back, so a failure (a rebalance, no coordinator for now) is no error.
        """

        async def commit() -> bool:
            with suppress(KafkaError):
                await asyncio.wait_for(consumer.commit(wanted), 5)
                return True
            return False

        wanted = {
            TopicPartition(*partition): offset for partition, offset in offsets.items() if partition in self.assigned
        }
        loop, consumer = hooks.in_thread(self.consumer)
        try:
            return bool(wanted) and await self._call(loop, commit(), 10)
        except TimeoutError:
            return False

    async def read_one(self, partition: Partition, offset: int) -> tuple[int, bytes | None, bytes | None] | None:
        """Read one record through a consumer of its own, without touching the group's position.

        Returns:
            Timestamp (ms), key and value; None when no record stands at this offset: removed, not yet written, a control
            record, or in a batch that cannot be unpacked.

        Raises:
            TimeoutError: no answer within 10 s, so nobody knows.
        """
        tp = TopicPartition(*partition)
        async with self._read(tp, offset) as reader, asyncio.timeout(10):
            while True:
                try:
                    found = await reader.getmany(tp, timeout_ms=100, max_records=1)
                except (OffsetOutOfRangeError, CorruptRecordException):
                    return None
                except KafkaError:  # no leader for the moment, or no connection
                    await asyncio.sleep(0.1)
                    continue
                except Exception:  # whatever the parsers and codecs raise over damaged bytes, or a bomb
                    return None
                if found:
                    (record,) = found[tp]
                    return (record.timestamp, record.key, record.value) if record.offset == offset else None
                end = reader.highwater(tp)
                if await reader.position(tp) > offset or (end is not None and end <= offset):
                    return None

    @asynccontextmanager
    async def _read(self, tp: TopicPartition, offset: int) -> AsyncIterator[AIOKafkaConsumer]:
        # A consumer of its own: the group's is in another thread, and its position is in use.
        async with self._reading:
            if self._reader is None:
                reader = AIOKafkaConsumer(
                    bootstrap_servers=self._brokers,
                    auto_offset_reset="none",
                    enable_auto_commit=False,
                    fetch_max_wait_ms=10,
                )
                await reader.start()
                self._reader = reader
            reader = self._reader
            reader.assign([tp])
            reader.seek(tp, offset)
            try:
                yield reader
            finally:
                hooks.let_go(reader)
                reader.unsubscribe()  # also when `close` came in between

    async def close(self) -> None:
        """Close the consumer that `read_one` and `begin_end` share."""
        if self._reader is not None:
            reader, self._reader = self._reader, None
            await reader.stop()

    async def _switch(self, partition: Partition, method: str) -> None:
        async def switch() -> None:
            with suppress(IllegalStateError):
                getattr(consumer, method)(TopicPartition(*partition))

        loop, consumer = hooks.in_thread(self.consumer)
        await self._call(loop, switch(), 30)

    async def _call(self, loop: asyncio.AbstractEventLoop, call: Coroutine[Any, Any, T], seconds: float) -> T:
        # aiokafka belongs to the consumer's thread: a seek from here crashes it in the middle of a fetch. Not through Faust's
        # own queue of calls, which has two workers, one of them always waiting for records, and never answers once stopped.
        return await asyncio.wait_for(asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call, loop)), seconds)
