"""The batched consumer inside Faust, on Apache Kafka: what a tap may rely on."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition

from stream.batch import RecordBatch
from stream.kafka import hooks
from stream.kafka.checksum import FetchedRecords
from stream.kafka.source import Input, Partition
from stream.kafka.transport import BrokerUnavailable, make_app, reach
from tests.brokers import admin
from tests.brokers.admin import Row, unique
from tests.brokers.kafka import Kafka, free_port

pytestmark = pytest.mark.kafka


class Seen:
    """What a worker was told."""

    def __init__(self) -> None:
        self.batches: list[RecordBatch] = []
        self.assigned: list[tuple[set[Partition], bool]] = []
        self.revoked: list[set[Partition]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_batch(self, batch: RecordBatch) -> None:
        await self.gate.wait()
        self.batches.append(batch)

    async def on_assigned(self, partitions: set[Partition], judge: bool) -> None:
        self.assigned.append((partitions, judge))

    async def on_revoked(self, partitions: set[Partition]) -> None:
        self.revoked.append(partitions)

    def of(self, partition: int) -> list[RecordBatch]:
        """Return the batches of one partition."""
        return [batch for batch in self.batches if batch.partition == partition]

    def values(self) -> list[bytes | None]:
        """Return all values."""
        return [value for batch in self.batches for value in batch.values]


async def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def worker(address: str, topics: list[str], ledger: str, **settings: Any) -> AsyncIterator[tuple[Input, Seen]]:
    """Run one worker with partitions assigned; its group is its own unless named."""
    seen = Seen()
    group = settings.pop("group", None) or unique("group")
    source = make_app(
        *(group, [address], topics, ledger, seen.on_batch, seen.on_assigned, seen.on_revoked),
        **{"session_timeout": 4.0, "heartbeat": 0.5, "rebalance_timeout": 5.0, **settings},
    )
    await source.app.start()
    try:
        await until(lambda: seen.assigned)
        yield source, seen
    finally:
        await source.app.stop()
        await source.close()


@asynccontextmanager
async def topic_and_ledger(address: str, partitions: int = 1, **config: str) -> AsyncIterator[tuple[str, str]]:
    """Create an input topic and a ledger topic."""
    topic, ledger = unique("input"), unique("ledger")
    await admin.create_topic(address, topic, partitions, **config)
    await admin.create_topic(address, ledger)
    yield topic, ledger


def on_kafka(test: Callable[[str], Coroutine[Any, Any, None]]) -> Callable[[Kafka], None]:
    """Run a coroutine with the broker's address as a test."""

    def run(kafka: Kafka) -> None:
        asyncio.run(test(kafka.address))

    run.__doc__, run.__name__ = test.__doc__, test.__name__
    return run


def assert_tiles(batches: list[RecordBatch], start: int, end: int) -> None:
    """Assert that batches cover [start, end) without a gap or an overlap."""
    assert [batch.start for batch in batches] == [start, *[batch.next for batch in batches[:-1]]]
    assert batches[-1].next == end


@on_kafka
async def test_batches_tile_each_partition_and_take_turns(address: str) -> None:
    """Every record comes once, in order, with its columns; no partition waits for another to be read through."""
    async with topic_and_ledger(address, 3) as (topic, ledger):
        rows = [Row(b"%d" % n, b"k%d" % n, n % 3, 5000 + n, (("h", b"%d" % n),)) for n in range(9000)]
        await admin.produce(address, topic, rows)
        async with worker(address, [topic], ledger) as (_, seen):
            await until(lambda: len(seen.values()) >= 9000)
        for partition in range(3):
            found, written = seen.of(partition), rows[partition::3]
            assert_tiles(found, 0, 3000)
            assert [v for batch in found for v in batch.values] == [row.value for row in written]
            assert [k for batch in found for k in batch.keys] == [row.key for row in written]
            assert [t for batch in found for t in batch.timestamps] == [row.timestamp for row in written]
            assert [h for batch in found for h in batch.headers] == [row.headers for row in written]
            assert {batch.end for batch in found} == {3000}
        # 3 partitions of 3 MB would come one after the other; the furthest ahead is at most one turn ahead.
        turns = [seen.batches.index(seen.of(partition)[0]) for partition in range(3)]
        assert max(turns) <= 3


@on_kafka
async def test_transaction_markers_lie_inside_the_ranges(address: str) -> None:
    """Control records have offsets and no record: ranges cover them, so that position and end can meet."""
    async with topic_and_ledger(address) as (topic, ledger):
        await admin.produce_transaction(address, topic, [b"a", b"b"])
        await admin.produce_transaction(address, topic, [b"c"])
        async with worker(address, [topic], ledger) as (source, seen):
            await until(lambda: seen.batches and seen.batches[-1].next == 5)
            assert_tiles(seen.batches, 0, 5)
            assert seen.values() == [b"a", b"b", b"c"]
            assert await source.begin_end((topic, 0)) == (0, 5)
            await source.seek((topic, 0), 4)  # the last marker alone
            await until(lambda: seen.batches[-1].start == 4)
            assert (seen.batches[-1].next, seen.batches[-1].values) == (5, [])


@on_kafka
async def test_seek_back_brings_the_records_again(address: str) -> None:
    """Faust drops what it believes to have read; after a seek nothing is dropped, and nothing from before it comes."""
    async with topic_and_ledger(address) as (topic, ledger):
        await admin.produce(address, topic, [b"%d" % n for n in range(6000)], max_batch_size=1 << 14)
        async with worker(address, [topic], ledger, fetch_bytes=1 << 14) as (source, seen):
            for offset in (3, 4000, 0, 5999, 17):
                assert await source.seek((topic, 0), offset)
                seen.batches.clear()  # nothing may be on its way any more
                await until(lambda: seen.batches and seen.batches[-1].next == 6000)
                assert_tiles(seen.batches, offset, 6000)
                assert seen.values() == [b"%d" % n for n in range(offset, 6000)]


@on_kafka
async def test_thousands_of_seeks_while_records_flow(address: str) -> None:
    """A seek from another thread than the consumer's crashes aiokafka within seconds; ours runs in that thread."""
    async with topic_and_ledger(address, 2) as (topic, ledger):
        await admin.produce(address, topic, [Row(b"%d" % n, None, n % 2) for n in range(4000)])
        async with worker(address, [topic], ledger) as (source, seen):
            for n in range(1500):
                assert await source.seek((topic, n % 2), n % 2000)
            await asyncio.gather(source.seek((topic, 0), 1), source.seek((topic, 1), 1))
            seen.batches.clear()
            await until(lambda: len(seen.values()) >= 3998)
            assert_tiles(seen.of(0), 1, 2000)
            assert_tiles(seen.of(1), 1, 2000)


@on_kafka
async def test_what_arrives_after_a_pause_is_fetched_again(address: str) -> None:
    """A fetch that was under way at the pause brings records that aiokafka throws away: no gap, and no end of the worker."""
    async with topic_and_ledger(address) as (topic, ledger):
        await admin.produce(address, topic, [b"%d" % n for n in range(10)])
        async with worker(address, [topic], ledger) as (source, seen):
            await until(lambda: seen.batches and seen.batches[-1].next == 10)
            for n in range(2, 5):
                await asyncio.sleep(0.1)  # the consumer waits at the broker for more
                await source.pause((topic, 0))
                await admin.produce(address, topic, [b"%d" % i for i in range(10)])
                await asyncio.sleep(0.7)
                await source.resume((topic, 0))
                await until(lambda n=n: seen.batches[-1].next == 10 * n)
            assert_tiles(seen.batches, 0, 40)


@on_kafka
async def test_a_length_damaged_on_its_way_is_fetched_again(address: str) -> None:
    """The client takes a batch that seems longer than the fetch for one that can never be had, and skips an offset."""
    cut = [True, True]
    whole = FetchedRecords.has_next
    async with topic_and_ledger(address) as (topic, ledger), worker(address, [topic], ledger) as (_, seen):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(FetchedRecords, "has_next", lambda self: not (cut and cut.pop()) and whole(self))
            await admin.produce(address, topic, [b"%d" % n for n in range(10)])
            await until(lambda: seen.batches and seen.batches[-1].next == 10)
        assert not cut
        assert_tiles(seen.batches, 0, 10)


@on_kafka
async def test_seek_on_a_lost_partition_is_refused(address: str) -> None:
    """A rebalance may take a partition before its tap seeks it: that is no error."""
    async with topic_and_ledger(address) as (topic, ledger), worker(address, [topic], ledger) as (source, _):
        assert not await source.seek((topic, 7), 0)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_compressed_topics_are_read(kafka: Kafka, codec: str) -> None:
    """All codecs of Kafka, through the bounded decompression."""

    async def test(address: str) -> None:
        async with topic_and_ledger(address) as (topic, ledger):
            values = [b'{"amount": %d, "country": "DE"}' % n for n in range(3000)]
            await admin.produce(address, topic, values, compression_type=codec)
            async with worker(address, [topic], ledger) as (_, seen):
                await until(lambda: len(seen.values()) >= 3000)
            assert seen.values() == values

    asyncio.run(test(kafka.address))


@on_kafka
async def test_committed_offsets_follow_the_caller_alone(address: str) -> None:
    """Reading commits nothing: committed offsets are what the taps say, and the ledger's partition has none."""
    async with topic_and_ledger(address, 2) as (topic, ledger):
        await admin.produce(address, topic, [Row(b"x", None, n % 2) for n in range(200)])
        await admin.produce(address, ledger, [b"x"] * 10)
        group = unique("group")
        async with worker(address, [topic], ledger, group=group) as (source, seen):
            await until(lambda: len(seen.values()) >= 200)
            assert await source.commit_accepted({(topic, 0): 42, (topic, 9): 1})
        assert await admin.committed(address, group, topic, 0) == 42
        assert await admin.committed(address, group, topic, 1) is None
        assert await admin.committed(address, group, ledger, 0) is None
        assert {batch.topic for batch in seen.batches} == {topic}


@on_kafka
async def test_retention_shows_as_a_batch_that_starts_too_high(address: str) -> None:
    """Reading goes on at the first retained record, and the gap can be seen and asked for."""
    async with topic_and_ledger(address) as (topic, ledger):
        await admin.produce(address, topic, [b"%d" % n for n in range(100)])
        await admin.delete_records(address, topic, {0: 60})
        async with worker(address, [topic], ledger) as (source, seen):
            assert await source.begin_end((topic, 0), pause=0.1) == (60, 100)
            assert await source.seek((topic, 0), 10)
            seen.batches.clear()
            await until(lambda: seen.batches)
            assert_tiles(seen.batches, 60, 100)


@on_kafka
async def test_what_was_fetched_and_is_not_read_is_let_go(address: str) -> None:
    """A look at one record fetches all behind it; none of that may wait for the garbage collector, which looks rarely."""

    def held() -> int:
        return sum(isinstance(item, FetchedRecords) for item in gc.get_objects())

    async with topic_and_ledger(address, 1) as (topic, ledger):
        await admin.produce(address, topic, [Row(b"%d" % n, b"k", 0, 7000 + n) for n in range(200)])
        async with worker(address, [topic], ledger) as (source, seen):
            await until(lambda: len(seen.values()) == 200)
            gc.collect()
            gc.disable()
            try:
                before = held()
                for offset in range(30):
                    assert await source.read_one((topic, 0), offset) is not None
                assert held() <= before + 4  # what the group's own consumer and the last look may hold at this moment
            finally:
                gc.enable()


@on_kafka
async def test_one_record_is_read_beside_the_group(address: str) -> None:
    """The anchor: the record at an offset, or None when retention took it, nobody wrote it, or it is no record."""
    async with topic_and_ledger(address, 2) as (topic, ledger):
        await admin.produce(address, topic, [Row(b"%d" % n, b"k", 1, 7000 + n) for n in range(100)])
        await admin.produce_transaction(address, topic, [Row(b"last", None, 1)])
        await admin.delete_records(address, topic, {1: 5})
        async with worker(address, [topic], ledger) as (source, seen):
            assert await source.read_one((topic, 1), 6) == (7006, b"k", b"6")
            assert await source.read_one((topic, 1), 4) is None
            assert await source.read_one((topic, 1), 102) is None  # the end
            assert await source.read_one((topic, 1), 500) is None
            assert await source.read_one((topic, 1), 101) is None  # the marker
            await until(lambda: seen.of(1) and seen.of(1)[-1].next == 102)
            assert_tiles(seen.of(1), seen.of(1)[0].start, 102)


@on_kafka
async def test_paused_partition_keeps_still(address: str) -> None:
    """A tap too far ahead stops one partition; the others go on, and nothing is lost on resuming."""
    async with topic_and_ledger(address, 2) as (topic, ledger), worker(address, [topic], ledger) as (source, seen):
        await source.pause((topic, 0))
        await admin.produce(address, topic, [Row(b"%d" % n, None, n % 2) for n in range(1000)])
        await until(lambda: seen.of(1) and seen.of(1)[-1].next == 500)
        assert seen.of(0) == []
        await source.resume((topic, 0))
        await until(lambda: seen.of(0) and seen.of(0)[-1].next == 500)
        assert_tiles(seen.of(0), 0, 500)


@on_kafka
async def test_slow_handler_holds_the_fetch_back(address: str) -> None:
    """Queues are bounded in batches: a handler that stands still does not fill the memory with the topic."""
    async with topic_and_ledger(address) as (topic, ledger):
        await admin.produce(address, topic, [bytes(1000)] * 20_000, max_batch_size=1 << 16)
        async with worker(address, [topic], ledger, fetch_bytes=1 << 17) as (source, seen):
            seen.gate.clear()
            await source.seek((topic, 0), 0)
            seen.batches.clear()
            await asyncio.sleep(1.5)
            loop, consumer = hooks.in_thread(source.consumer)
            fetched = asyncio.run_coroutine_threadsafe(consumer.position(TopicPartition(topic, 0)), loop)
            assert await asyncio.wrap_future(fetched) < 5000
            seen.gate.set()
            await until(lambda: seen.batches and seen.batches[-1].next == 20_000)
            assert_tiles(seen.batches, seen.batches[0].start, 20_000)


def test_fetch_larger_than_the_memory_bound_comes_in_portions(kafka: Kafka, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was fetched and would unpack to too much stays packed until there is room."""
    monkeypatch.setattr("stream.kafka.hooks.LIMIT", 100_000)

    async def test(address: str) -> None:
        async with topic_and_ledger(address) as (topic, ledger):
            await admin.produce(address, topic, [bytes(1000)] * 5000, compression_type="zstd")
            async with worker(address, [topic], ledger) as (_, seen):
                await until(lambda: seen.batches and seen.batches[-1].next == 5000)
            assert_tiles(seen.batches, 0, 5000)
            assert len(seen.values()) == 5000

    asyncio.run(test(kafka.address))


@on_kafka
async def test_added_partition_is_noticed(address: str) -> None:
    """Partitions added to a topic are read from their beginning, without a restart."""
    async with (
        topic_and_ledger(address) as (topic, ledger),
        worker(address, [topic], ledger, metadata_max_age=1.0) as (_, seen),
    ):
        await admin.add_partitions(address, topic, 3)
        await admin.produce(address, topic, [Row(b"%d" % n, None, n % 3) for n in range(30)])
        await until(lambda: len(seen.values()) >= 30)
        assert seen.assigned[-1] == ({(topic, 0), (topic, 1), (topic, 2)}, True)
        assert seen.revoked == [{(topic, 0)}]
        assert_tiles(seen.of(2), 0, 10)


@on_kafka
async def test_error_in_a_handler_ends_the_application(address: str) -> None:
    """Stock Faust logs it and goes on with the next message; a batch that failed must not be passed over."""
    async with topic_and_ledger(address) as (topic, ledger):
        await admin.produce(address, topic, [b"x"])
        handled = []

        async def fail(batch: RecordBatch) -> None:
            handled.append(batch)
            raise ValueError("a bug")

        async def nothing(*_: Any) -> None:
            """Nothing to do on a rebalance."""

        source = make_app(unique("group"), [address], [topic], ledger, fail, nothing, nothing)
        await source.app.start()
        await until(lambda: source.app.crashed)
        assert isinstance(source.app.crash_reason, ValueError)
        await admin.produce(address, topic, [b"y"])
        await asyncio.sleep(0.5)
        assert len(handled) == 1
        await source.app.stop()


def test_no_broker_is_said_at_once() -> None:
    """One clear error, so that the caller can try again."""
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(BrokerUnavailable, match=f"no Kafka broker answers at {address}"):
        asyncio.run(reach([address], 2.0))
