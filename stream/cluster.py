"""What the cluster says before anything runs: are brokers there, do the topics exist, may we read them.

Every refusal is one line with the exit code of ``sysexits.h`` that a supervisor can act on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from stream.batch import RecordBatch

NO_INPUT, UNAVAILABLE, NO_PERMISSION = 66, 69, 77
"""Exit codes: a topic is missing; no broker answers; a right is missing."""

OURS: dict[str, dict[str, str]] = {
    "ledger": {"cleanup.policy": "delete", "retention.ms": str(7 * 86_400_000)},
    "panes": {"cleanup.policy": "delete", "retention.ms": str(400 * 86_400_000)},
    "state": {"cleanup.policy": "compact", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"},
    "alerts": {"cleanup.policy": "delete", "retention.ms": str(90 * 86_400_000)},
    "alerts.state": {"cleanup.policy": "compact", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"},
    "dead-letter": {"cleanup.policy": "delete", "retention.ms": str(7 * 86_400_000)},
}
"""Our topics by suffix, with their settings. Each has one partition: what is in it has one order."""


class ClusterError(Exception):
    """The cluster is not as the configuration needs it. ``code`` is the exit code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


async def describe(brokers: str, topics: Iterable[str]) -> dict[str, int]:
    """Return the partition count of each topic that exists.

    Raises:
        ClusterError: no broker answers, or a topic may not be described.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=10_000)
    try:
        await asyncio.wait_for(admin.start(), 15)
        found = await admin.describe_topics(list(topics))
    except (KafkaError, OSError, TimeoutError) as error:
        raise ClusterError(
            f"kafka.brokers: no broker answers at {brokers} ({type(error).__name__})", UNAVAILABLE
        ) from None
    finally:
        await admin.close()
    counts = {}
    for topic in found:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise ClusterError(f"topic {topic['topic']}: no right to DESCRIBE it", NO_PERMISSION)
        if topic["error_code"] == 0:
            counts[topic["topic"]] = len(topic["partitions"])
    return counts


async def require(brokers: str, topics: Sequence[str]) -> dict[str, int]:
    """Return the partition counts of topics that must all exist.

    Raises:
        ClusterError: as `describe`, or a topic is missing.
    """
    counts = await describe(brokers, topics)
    missing = [topic for topic in topics if topic not in counts]
    if missing:
        raise ClusterError(f"topic {', '.join(missing)}: does not exist on {brokers}", NO_INPUT)
    return counts


def ours(app: str) -> list[str]:
    return [f"{app}.{suffix}" for suffix in OURS]


async def require_ours(brokers: str, app: str) -> None:
    """Check that our own topics exist, with one partition each.

    Raises:
        ClusterError: one is missing or has another number of partitions.
    """
    counts = await describe(brokers, ours(app))
    missing = [topic for topic in ours(app) if topic not in counts]
    if missing:
        raise ClusterError(
            f"our topics {', '.join(missing)} do not exist: run `streamgauge topics --create` or let your operator create them",
            NO_INPUT,
        )
    wrong = [topic for topic, count in counts.items() if count != 1]
    if wrong:
        raise ClusterError(f"our topics {', '.join(wrong)} must have exactly 1 partition", NO_INPUT)


async def create_ours(brokers: str, app: str, replication: int) -> list[str]:
    """Create those of our topics that are missing; return their names.

    Raises:
        ClusterError: no broker answers, or a creation is refused.
    """
    existing = await describe(brokers, ours(app))
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=15_000)
    created = []
    try:
        await admin.start()
        for suffix, settings in OURS.items():
            name = f"{app}.{suffix}"
            if name in existing:
                continue
            topic = NewTopic(name, 1, replication, topic_configs=settings)
            answer = await admin.create_topics([topic], timeout_ms=10_000)
            code = answer.topic_errors[0][1]
            if code not in (0, TopicAlreadyExistsError.errno):
                raise ClusterError(
                    f"topic {name}: the cluster refuses to create it ({for_code(code).__name__})", NO_PERMISSION
                )
            created.append(name)
    except (KafkaError, OSError) as error:
        raise ClusterError(f"topics cannot be created: {error}", UNAVAILABLE) from None
    finally:
        await admin.close()
    return created


async def sample(brokers: str, topic: str, partitions: int, count: int) -> list[RecordBatch]:
    """Return up to ``count`` of the newest records of a topic, which also proves the right to read it.

    Raises:
        ClusterError: no right to read.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(tps)
        ends = await consumer.end_offsets(tps)
        begins = await consumer.beginning_offsets(tps)
        batches = []
        for tp in tps:
            consumer.seek(tp, max(begins[tp], ends[tp] - count))
            consumer.pause(*(other for other in tps if other != tp))
            consumer.resume(tp)
            if ends[tp] == begins[tp] and batches:
                continue
            found = (await consumer.getmany(tp, timeout_ms=2_000, max_records=count)).get(tp, [])
            if found:
                batches.append(_batch(tp, found, ends[tp]))
        return batches
    except (TopicAuthorizationFailedError, GroupAuthorizationFailedError):
        raise ClusterError(f"topic {topic}: no right to READ it", NO_PERMISSION) from None
    except (KafkaError, OSError) as error:
        raise ClusterError(f"topic {topic}: cannot be read ({type(error).__name__})", UNAVAILABLE) from None
    finally:
        await consumer.stop()


def _batch(tp: TopicPartition, found: list, end: int) -> RecordBatch:  # type: ignore[type-arg]
    return RecordBatch(
        tp.topic,
        tp.partition,
        found[0].offset,
        found[-1].offset + 1,
        end,
        [record.offset for record in found],
        [record.timestamp for record in found],
        [record.key for record in found],
        [record.value for record in found],
        [tuple(record.headers) for record in found],
    )
