"""Reading one of our own topics: one partition, from an offset, in order, to its end.

A plain consumer without a group: positions in our topics are never committed, they are part of what is stored there.
``auto_offset_reset`` is ``none`` so that retention is noticed and not jumped over.
"""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

Record = tuple[int, bytes | None, bytes | None]
"""(offset, key, value)."""


class TruncatedError(Exception):
    """Retention deleted records of our own topic before they were read."""

    def __init__(self, topic: str, offset: int, begin: int) -> None:
        super().__init__(f"{topic}: offset {offset} is gone, the topic begins at {begin}")
        self.begin = begin


class Tail:
    """A reader of partition 0 of one topic."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.topic = topic
        self._tp = TopicPartition(topic, 0)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=brokers,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 << 20,
        )

    async def start(self) -> int:
        """Connect, go to the beginning of the topic and return its offset."""
        await self._consumer.start()
        self._consumer.assign([self._tp])
        begin = await self.begin()
        self.go_to(begin)
        return begin

    def go_to(self, offset: int) -> None:
        """Read on from an offset."""
        self._consumer.seek(self._tp, offset)

    async def stop(self) -> None:
        await self._consumer.stop()

    async def begin(self) -> int:
        return int((await self._consumer.beginning_offsets([self._tp]))[self._tp])

    async def end(self) -> int:
        return int((await self._consumer.end_offsets([self._tp]))[self._tp])

    async def since(self, time_ms: int) -> int:
        """Return the offset of the first record written at a time or later, the end where there is none."""
        found = (await self._consumer.offsets_for_times({self._tp: max(time_ms, 0)}))[self._tp]
        return await self.end() if found is None else int(found.offset)

    async def position(self) -> int:
        return int(await self._consumer.position(self._tp))

    async def read(self, timeout_ms: int = 200) -> list[Record]:
        """Return the next records, none when there are none within the time-out.

        Raises:
            TruncatedError: retention overtook this reader.
        """
        try:
            batches = await self._consumer.getmany(self._tp, timeout_ms=timeout_ms)
        except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
            raise TruncatedError(self.topic, -1, await self.begin()) from error
        return [(r.offset, r.key, r.value) for records in batches.values() for r in records]

    async def read_to_end(self) -> list[Record]:
        """Return every record up to the end of the topic as it is now."""
        end = await self.end()
        records: list[Record] = []
        while await self.position() < end:
            records += await self.read()
        return records
