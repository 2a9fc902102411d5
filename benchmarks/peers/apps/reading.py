"""How the peers read that bring no consumer of their own: as the bare loop does."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

PARTITIONS = 4


async def batches(brokers: str, topic: str) -> AsyncIterator[list[ConsumerRecord[bytes, bytes]]]:
    """Yield lists of records of one partition, from the beginning."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    while True:
        for records in (await consumer.getmany(timeout_ms=1000)).values():
            yield records
