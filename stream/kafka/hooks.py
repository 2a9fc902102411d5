"""Every private part of Faust and aiokafka that this program touches, and the test at start-up that it is still there.

Faust hands records over one by one, at some 70 to 240 microseconds each. To hand over a thousand at a time, the consumer's thread
must take a fetch out of aiokafka before it becomes record objects. No public interface does that, so four classes of Faust are
subclassed here. Versions are pinned; `install` names what is missing when a new one has moved something.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from importlib.metadata import version
from time import monotonic
from typing import Any

import aiokafka
import faust
from aiokafka.consumer import fetcher as aiokafka_fetcher
from aiokafka.consumer.subscription_state import Assignment, SubscriptionState, TopicPartitionState
from aiokafka.errors import ConsumerStoppedError, RecordTooLargeError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from faust.transport import consumer as faust_consumer
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from packaging.version import Version

from stream.batch import RecordBatch
from stream.kafka.checksum import FetchedRecords
from stream.kafka.fetch import CHUNK_BYTES, interleave, read
from stream.kafka.inflate import LIMIT, Limit, TooLargeError, record_modules

KNOWN = {"faust-streaming": ("0.15.2", "0.16"), "aiokafka": ("0.13", "0.15")}

FETCH_WAIT_MS = 500
"""How long the broker may hold back an answer when there is nothing to read; a seek waits for it. Faust sets 1500."""

TAKE_BYTES = 16 * 2**20
"""Bytes unpacked in one go, of all partitions together; the last Kafka batch may go beyond by `LIMIT`."""

FETCHED_BYTES = 64 * 2**20
"""Bytes as they came from the brokers that may wait, of all partitions together."""

LEAST_FETCH = 256 * 2**10
"""Bytes of one partition in a fetch, however many partitions there are."""

Chunk = tuple[int, RecordBatch]
"""A batch, and how often its partition had been sought when it was fetched: a seek makes older ones stale."""


class UnknownEngine(RuntimeError):  # noqa: N818 - the name says what was met
    """Faust or aiokafka is not as this program knows it; one line that names the package, its version and what is missing."""


PATIENCE_S = 15.0
"""How long a damaged batch is fetched again before its offsets count as corrupt: a bad line may damage many attempts."""

PAUSE_S = 0.5


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread, handing out record batches. Everything here runs in that thread's own event loop."""

    consumer: Consumer

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        self._damaged: dict[TP, tuple[int, float, float]] = {}  # position, since when, next attempt
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._fetch_max_bytes = TAKE_BYTES
        return consumer

    async def _fetch_records(  # type: ignore[override]
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109 - Faust's signature
        max_records: int | None = None,
    ) -> list[Chunk]:
        if not self.consumer.flow_active:
            return []
        fetcher = consumer._fetcher
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError()
        subscriptions = fetcher._subscriptions
        with subscriptions.fetch_context():
            if subscriptions.reassignment_in_progress:
                await subscriptions.wait_for_assignment()
            chunks = self._take(consumer, active_partitions)
            if not chunks:
                await self._wait_for_fetch(fetcher, timeout)
                chunks = self._take(consumer, active_partitions)
        return chunks

    async def _wait_for_fetch(self, fetcher: Any, seconds: float | None) -> None:
        waiter = fetcher._create_fetch_waiter()
        done, _ = await asyncio.wait([waiter], timeout=seconds)
        if done:
            waiter.result()  # raises what the group coordinator could not heal, such as a missing right
        else:
            waiter.cancel()

    def _take(self, consumer: aiokafka.AIOKafkaConsumer, active: set[TP]) -> list[Chunk]:
        """Take what was fetched for active partitions, up to a bound, and move their fetch positions past it."""
        fetcher = consumer._fetcher
        share = max(FETCHED_BYTES // max(len(active), 1), LEAST_FETCH)
        fetcher._max_partition_fetch_bytes = min(consumer._max_partition_fetch_bytes, share)
        left, turn = TAKE_BYTES, max(TAKE_BYTES // max(len(fetcher._records), 1), CHUNK_BYTES)
        parts: list[list[RecordBatch]] = []
        for tp, result in list(fetcher._records.items()):
            _let_go(result)
            if tp.topic in self.consumer.silent:
                consumer.pause(tp)  # only assigned, to learn who is the judge; never read
            elif tp not in active and consumer._subscription.is_assigned(tp):
                continue
            elif isinstance(result, aiokafka_fetcher.FetchError):
                damaged = isinstance(result._error, RecordTooLargeError)
                if parts or (damaged and monotonic() - result._created < PAUSE_S):
                    continue  # first hand over what is there; the error is raised on the next call
                self._discard(fetcher, tp)
                if not damaged:
                    result.check_raise()
                # Brokers send at least one whole batch, however large: its length was damaged. The client has gone past it.
                if consumer._subscription.is_assigned(tp):
                    consumer.seek(tp, max(self._position(fetcher, tp) - 1, 0))
                continue
            elif left <= 0:
                continue
            elif result.check_assignment(tp):
                if self._rests(tp, result._assignment.state_value(tp).position):
                    continue
                part, more = self._read(result, tp, turn)
                left -= sum(batch.size for batch in part)
                if part:
                    parts.append(part)
                if more:
                    fetcher._records[tp] = fetcher._records.pop(tp)  # the others are first next time
                    continue
            self._discard(fetcher, tp)
        seeks = self.consumer.seeks
        return [(seeks[batch.topic, batch.partition], batch) for batch in interleave(parts)]

    @staticmethod
    def _position(fetcher: Any, tp: TP) -> int:
        return int(fetcher._subscriptions.subscription.assignment.state_value(tp).position)

    def _read(self, result: Any, tp: TP, budget: int) -> tuple[list[RecordBatch], bool]:
        """Return the batches of one fetch and whether some of it is left, because it unpacks to more than the budget."""
        records, state = result._partition_records, result._assignment.state_value(tp)
        end = state.highwater if state.highwater is not None else state.position
        fetched = records._records
        batches = list(
            read(
                fetched,
                tp.topic,
                tp.partition,
                state.position,
                end,
                records._check_crcs,
                budget,
                lambda position: self._once_more(tp, position),
            )
        )
        if batches:
            records.next_fetch_offset = batches[-1].next
            state.consumed_to(batches[-1].next)
        return batches, fetched.has_next()

    def _once_more(self, tp: TP, position: int) -> bool:
        """Whether a damaged batch is to be fetched again: it may have been damaged on its way, and the broker holds it whole."""
        now = monotonic()
        before, since, _ = self._damaged.get(tp, (position, now, now))
        since = since if before == position else now
        self._damaged[tp] = (position, since, now + PAUSE_S)
        return now - since < PATIENCE_S

    def _rests(self, tp: TP, position: int) -> bool:
        """Whether the next attempt at a damaged batch is not due yet."""
        damaged = self._damaged.get(tp)
        return damaged is not None and damaged[0] == position and monotonic() < damaged[2]

    @staticmethod
    def _discard(fetcher: Any, tp: TP) -> None:
        del fetcher._records[tp]
        fetcher._notify(fetcher._wait_consume_future)  # the next fetch may be sent


class Consumer(driver.Consumer):
    """Faust's consumer with one message per record batch. Topics must be created with ``acks=False``: offsets are ours.

    Attributes:
        silent: topics that are subscribed and never read.
        seeks: how often each partition was sought; written by the consumer's thread only.
    """

    def __init__(self, transport: Transport, *args: Any, **kwargs: Any) -> None:
        self.silent = transport.silent
        self.seeks: Counter[tuple[str, int]] = Counter()
        super().__init__(transport, *args, **kwargs)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    async def subscribe(self, topics: Iterable[str]) -> None:
        """Subscribe to the topics of the agents and to the silent ones."""
        await super().subscribe({*topics, *self.silent})

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, ConsumerMessage]]:  # noqa: ASYNC109
        """Yield one message for every record batch fetched."""
        chunks: Any  # Faust says: a mapping of records; here it is what the consumer's thread took
        chunks, _ = await self._wait_next_records(timeout)
        generation = self.app.consumer_generation_id
        for seek, batch in chunks or ():
            if self.should_stop or not self.flow_active or generation != self.app.consumer_generation_id:
                return  # revoked meanwhile: whoever gets the partition reads from its accepted position
            tp = TP(batch.topic, batch.partition)
            self._read_offset[tp] = None  # Faust would drop what is read again after a seek backwards
            value: Any = (seek, batch)  # Faust says bytes; our topics' schema hands on whatever it is
            yield (
                tp,
                ConsumerMessage(
                    batch.topic,
                    batch.partition,
                    batch.start,
                    monotonic(),
                    timestamp_type=0,
                    headers=None,
                    key=None,
                    value=value,
                    checksum=None,
                    serialized_key_size=0,
                    serialized_value_size=0,
                    tp=tp,
                    generation_id=generation,
                ),
            )

    async def perform_seek(self) -> None:
        """Do nothing: positions are the taps'. Going to the committed offset would undo a seek made on assignment."""

    def on_buffer_full(self, tp: TP) -> None:
        """Do nothing: the full queue blocks already, and Faust would sleep a second more when all partitions are full."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Do nothing: Faust's stall detector compares two different clocks, and the silent topic is meant to stand still."""


class Transport(driver.Transport):
    """Kafka with record batches; ``silent`` topics are subscribed and never read."""

    Consumer = Consumer

    def __init__(self, *args: Any, silent: frozenset[str], **kwargs: Any) -> None:
        self.silent = silent
        super().__init__(*args, **kwargs)


class App(faust.App):
    """A Faust application that keeps no files: without tables its data directory would stay empty."""

    def _create_directories(self) -> None:
        pass


def in_thread(consumer: Consumer) -> tuple[asyncio.AbstractEventLoop, aiokafka.AIOKafkaConsumer]:
    """Return the event loop of the consumer's thread and aiokafka's consumer, which only that thread may touch."""
    return consumer._thread.thread_loop, consumer._thread._ensure_consumer()


def let_go(consumer: aiokafka.AIOKafkaConsumer) -> None:
    """Let go of what a consumer has fetched and nobody will read."""
    for result in consumer._fetcher._records.values():
        _let_go(result)


def _let_go(result: Any) -> None:
    # A generator that is never run refers back to its owner: without this the cycle keeps every byte that was fetched, since
    # the garbage collector is told to look rarely. A result that is no longer wanted has lost its records already.
    records = getattr(result, "_partition_records", None)
    if records is not None:
        records._records_iterator = None


def install() -> None:
    """Check versions and hooks of the installed packages, put ours in their places, and read a batch through them.

    Raises:
        UnknownEngine: one line with the package, its version, what is missing and the versions known to work.
    """
    for package, (low, high) in KNOWN.items():
        if not Version(low) <= Version(version(package)) < Version(high):
            _unknown(package, "a version between those")
    for owner, names in _HOOKS:
        for name in names:
            if not hasattr(owner, name):
                _unknown(owner.__module__.split(".")[0], f"{owner.__name__}.{name}")
    for function, names in _FIELDS:
        for name in names:
            if name not in function.__code__.co_names:
                _unknown(function.__module__.split(".")[0], f"the field {name} used in {function.__qualname__}")
    _read_one_batch()
    aiokafka_fetcher.MemoryRecords = FetchedRecords


_HOOKS: tuple[tuple[type, tuple[str, ...]], ...] = (
    (driver.AIOKafkaConsumerThread, ("_fetch_records", "_create_worker_consumer", "_ensure_consumer")),
    (
        driver.Consumer,
        ("_new_consumer_thread", "subscribe", "getmany", "perform_seek", "on_buffer_full", "verify_event_path"),
    ),
    (faust_consumer.Consumer, ("_wait_next_records",)),
    (faust.App, ("_create_directories",)),
    (aiokafka_fetcher.Fetcher, ("_create_fetch_waiter", "_notify")),
    (aiokafka_fetcher.FetchError, ("check_raise",)),
    (aiokafka_fetcher.FetchResult, ("check_assignment",)),
    (SubscriptionState, ("reassignment_in_progress", "wait_for_assignment", "fetch_context", "is_assigned")),
    (Assignment, ("state_value",)),
    (TopicPartitionState, ("position", "consumed_to")),
)
_FIELDS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (aiokafka.AIOKafkaConsumer.__init__, ("_subscription", "_closed")),
    (
        aiokafka.AIOKafkaConsumer.start,
        ("_fetcher", "_fetch_max_wait_ms", "_fetch_max_bytes", "_max_partition_fetch_bytes"),
    ),
    (
        aiokafka_fetcher.Fetcher.__init__,
        ("_records", "_subscriptions", "_wait_consume_future", "_closed", "_max_partition_fetch_bytes"),
    ),
    (aiokafka_fetcher.Fetcher._proc_fetch_request, ("MemoryRecords",)),
    (aiokafka_fetcher.FetchResult.__init__, ("_partition_records", "_assignment")),
    (aiokafka_fetcher.FetchError.__init__, ("_error", "_created")),
    (
        aiokafka_fetcher.PartitionRecords.__init__,
        ("_records", "_records_iterator", "next_fetch_offset", "_check_crcs"),
    ),
    (TopicPartitionState.__init__, ("highwater",)),
    (faust_consumer.Consumer.__init__, ("_read_offset",)),
)


def _read_one_batch() -> None:
    for codec, name in ((0, "plain"), (1, "gzip"), (2, "snappy"), (3, "lz4"), (4, "zstd")):
        builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 10_000)
        builder.append(0, 7, b"key", bytes(2000), [("header", b"value")])
        data = bytes(builder.build())
        (batch,) = read(FetchedRecords(data), "topic", 0, 0, 1, True, LIMIT)
        row = (batch.offsets, batch.timestamps, batch.keys, batch.values, batch.headers)
        if row != ([0], [7], [b"key"], [bytes(2000)], [(("header", b"value"),)]):
            _unknown("aiokafka", f"a {name} batch of one record that reads as expected")
    if not any(hasattr(module, "zstd_decode") for module in record_modules()):
        _unknown("aiokafka", "zstd_decode in aiokafka.record")
    try:
        Limit(1000).install()
        (batch,) = read(FetchedRecords(data), "topic", 0, 0, 1, True, LIMIT)
    finally:
        Limit().install()
    if batch.unreadable != "too_large":
        _unknown("aiokafka", f"a place to bound decompression ({TooLargeError.__name__} was not raised)")


def _unknown(package: str, what: str) -> None:
    name = "faust-streaming" if package == "faust" else package
    known = " and ".join(f"{known} >={low},<{high}" for known, (low, high) in KNOWN.items())
    raise UnknownEngine(f"{name} {version(name)} lacks {what}; this program works with {known}")
