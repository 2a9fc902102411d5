"""What tests do to a broker beside the product: create topics, write records, read everything back. Uses no product code."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.structs import ConsumerRecord

_names = itertools.count(1)


def unique(word: str) -> str:
    """Return a name nothing else of this test session uses: topics of a session share one broker."""
    return f"{word}-{next(_names)}"


@dataclass(frozen=True)
class Row:
    """A record to write; the time stamp is in milliseconds."""

    value: bytes | None
    key: bytes | None = None
    partition: int | None = None
    timestamp: int | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


@asynccontextmanager
async def admin(address: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client."""
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def create_topic(address: str, name: str, partitions: int = 1, **config: str) -> str:
    """Create a topic and return its name; ``config`` as in ``cleanup_policy="compact"``."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    async with admin(address) as client:
        await client.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
    return name


async def delete_topic(address: str, name: str) -> None:
    """Delete a topic."""
    async with admin(address) as client:
        await client.delete_topics([name])


async def add_partitions(address: str, name: str, total: int) -> None:
    """Raise the number of partitions of a topic to ``total``."""
    async with admin(address) as client:
        await client.create_partitions({name: NewPartitions(total)})


async def delete_records(address: str, name: str, before: dict[int, int]) -> None:
    """Remove the records of each partition below an offset, as retention does."""
    from aiokafka.admin import RecordsToDelete

    async with admin(address) as client:
        await client.delete_records({TopicPartition(name, p): RecordsToDelete(o) for p, o in before.items()})


async def produce(address: str, topic: str, rows: Iterable[Row | bytes], **settings: Any) -> None:
    """Write records and wait until all are acknowledged; ``settings`` go to aiokafka's producer."""
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", **{"linger_ms": 2, **settings})
    await producer.start()
    try:
        sent = [await _send(producer, topic, row if isinstance(row, Row) else Row(row)) for row in rows]
        for acknowledged in sent:
            await acknowledged
    finally:
        await producer.stop()


async def produce_transaction(address: str, topic: str, rows: Iterable[Row | bytes], commit: bool = True) -> None:
    """Write records in one transaction, which leaves a control record behind; not on the embedded broker."""
    producer = AIOKafkaProducer(bootstrap_servers=address, transactional_id=unique("transaction"))
    await producer.start()
    try:
        await producer.begin_transaction()
        for row in rows:
            await _send(producer, topic, row if isinstance(row, Row) else Row(row))
        await (producer.commit_transaction() if commit else producer.abort_transaction())
    finally:
        await producer.stop()


async def read_all(address: str, topic: str) -> list[ConsumerRecord]:
    """Return every record of every partition from the beginning to the end as it is now, by partition and offset."""
    async with admin(address) as client:
        (described,) = await client.describe_topics([topic])
    partitions = [TopicPartition(topic, p["partition"]) for p in described["partitions"]]
    partitions.sort(key=lambda tp: int(tp.partition))
    consumer = AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, fetch_max_wait_ms=50)
    await consumer.start()
    found: dict[TopicPartition, list[ConsumerRecord]] = {tp: [] for tp in partitions}
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        behind = partitions
        while behind:
            for tp, records in (await consumer.getmany(timeout_ms=100)).items():
                found[tp] += records
            # The high watermark of the fetches, because what the embedded broker lists as the end lies too low.
            ends = {tp: consumer.highwater(tp) for tp in partitions}
            behind = [tp for tp in partitions if ends[tp] is None or await consumer.position(tp) < ends[tp]]
    finally:
        await consumer.stop()
    return [record for tp in partitions for record in found[tp]]


async def committed(address: str, group: str, topic: str, partition: int = 0) -> int | None:
    """Return the offset a group has committed; None if it has none."""
    consumer = AIOKafkaConsumer(bootstrap_servers=address, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, partition)])
        offset: int | None = await consumer.committed(TopicPartition(topic, partition))
        return offset
    finally:
        await consumer.stop()


async def _send(producer: AIOKafkaProducer, topic: str, row: Row) -> Any:
    return await producer.send(
        topic,
        row.value,
        key=row.key,
        partition=row.partition,
        timestamp_ms=row.timestamp,
        headers=list(row.headers),
    )
