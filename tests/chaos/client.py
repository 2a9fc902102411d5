"""An independent client: everything the oracle reads or alters on the broker goes through librdkafka, not through ours."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewPartitions, NewTopic

WAIT_S = 30.0


@dataclass(frozen=True)
class Record:
    """A record as it was read."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes] = field(default_factory=dict)


def consumer(address: str) -> Consumer:
    """A reader without a group: partitions are assigned by hand, nothing is committed."""
    return Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "chaos-verifier",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "check.crcs": True,
            "fetch.wait.max.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "log_level": 0,
        }
    )


def record(message: Message) -> Record:
    """Return a message as a `Record`."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    headers = {name: value for name, value in dict(message.headers() or {}).items() if isinstance(value, bytes)}
    return Record(partition, offset, message.timestamp()[1], message.key(), message.value(), headers)


def read_all(address: str, topic: str) -> list[Record]:
    """Return every record of a topic by partition and offset."""
    reader = consumer(address)
    try:
        partitions = sorted(reader.list_topics(topic, timeout=WAIT_S).topics[topic].partitions)
        reader.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
        found: list[Record] = []
        open_ends = set(partitions)
        deadline = time.monotonic() + 2 * WAIT_S
        while open_ends:
            assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
            for message in reader.consume(1000, 0.2):
                error = message.error()
                if error is None:
                    found.append(record(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_ends.discard(message.partition())
        return sorted(found, key=lambda item: (item.partition, item.offset))
    finally:
        reader.close()


class Admin:
    """What an operator does to the cluster."""

    def __init__(self, address: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": address, "log_level": 0})

    def create(self, topic: str, partitions: int) -> None:
        """Create a topic; one that was deleted a moment ago may still be on its way out."""
        _again(lambda: _done(self._admin.create_topics([NewTopic(topic, partitions, 1)], operation_timeout=WAIT_S)))

    def delete(self, topic: str) -> None:
        """Delete a topic and wait until it is gone."""
        _done(self._admin.delete_topics([topic], operation_timeout=WAIT_S))
        deadline = time.monotonic() + WAIT_S
        while topic in self._admin.list_topics(timeout=WAIT_S).topics:
            assert time.monotonic() < deadline, f"{topic} is still there"
            time.sleep(0.1)

    def partitions(self, topic: str) -> int:
        """Return how many partitions a topic has."""
        return len(self._admin.list_topics(topic, timeout=WAIT_S).topics[topic].partitions)

    def add_partitions(self, topic: str, total: int) -> None:
        """Raise the number of partitions to ``total``."""
        _done(self._admin.create_partitions([NewPartitions(topic, total)], operation_timeout=WAIT_S))

    def delete_records(self, topic: str, before: dict[int, int]) -> None:
        """Remove the records below an offset of each partition, as retention does."""
        _done(self._admin.delete_records([TopicPartition(topic, p, offset) for p, offset in before.items()]))

    def set(self, topic: str, name: str, value: str) -> None:
        """Set one setting of a topic."""
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        _done(
            self._admin.incremental_alter_configs(
                [ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])]
            )
        )

    def members(self, group: str) -> int:
        """Return how many members a group has."""
        return len(self._admin.describe_consumer_groups([group])[group].result(WAIT_S).members)

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """Return what a group has committed."""
        wanted = ConsumerGroupTopicPartitions(group)
        found = self._admin.list_consumer_group_offsets([wanted])[group].result(WAIT_S)
        return {(item.topic, item.partition): item.offset for item in found.topic_partitions}

    def commit(self, group: str, offsets: dict[tuple[str, int], int]) -> None:
        """Commit in the name of a group without members, as ``kafka-consumer-groups --reset-offsets`` does."""
        wanted = ConsumerGroupTopicPartitions(group, [TopicPartition(*key, at) for key, at in offsets.items()])
        self._admin.alter_consumer_group_offsets([wanted])[group].result(WAIT_S)


def _done(futures: dict[Any, Any]) -> None:
    for future in futures.values():
        future.result(WAIT_S)


def _again(attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            return attempt()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)
