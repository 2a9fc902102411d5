"""What the cluster says before anything runs: are brokers there, do the topics exist, may we see them; and our own topics.

Every refusal is one line with an exit code that a supervisor can act on (`stream.exits`). Nothing here creates a topic
unless it is told to: a question about a topic that does not exist forbids the broker to create it, which aiokafka's own
admin client does not (a mistyped name would become an empty topic on most development clusters).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.metadata import MetadataRequest

from stream.exits import NO_INPUT, NO_PERMISSION, UNAVAILABLE, Refusal

_DAY_MS = 86_400_000
_COMPACT = {"cleanup.policy": "compact", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"}

OURS: dict[str, dict[str, str]] = {
    "ledger": {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)},
    "panes": {"cleanup.policy": "delete", "retention.ms": str(400 * _DAY_MS)},
    "state": _COMPACT,
    "alerts": {"cleanup.policy": "delete", "retention.ms": str(90 * _DAY_MS)},
    "alerts.state": _COMPACT,
    "dead-letter": {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)},
}
"""Our topics by suffix, with their settings. Each has one partition: what is in it has one order. They are the names of
`stream.plan.OWN_TOPICS` that this release uses."""

MAX_REPLICATION = 3
FETCH_S = 0.5
"""How long fetches may take that are only to show whether they are allowed; a refusal comes at once."""


class ClusterError(Refusal):
    """The cluster is not as the configuration needs it. ``code`` is the exit code."""


async def describe(brokers: str, topics: Iterable[str]) -> dict[str, int]:
    """Return the partition count of each topic that exists.

    Raises:
        ClusterError: no broker answers, or a topic may not be described.
    """
    metadata = await _metadata(brokers, list(topics))
    counts = {}
    for topic in metadata["topics"]:
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            raise ClusterError(f"topic {topic['topic']}: no right to DESCRIBE it", NO_PERMISSION)
        if topic["error_code"] == 0:
            counts[topic["topic"]] = len(topic["partitions"])
    return counts


async def _metadata(brokers: str, topics: list[str]) -> Any:
    client = AIOKafkaClient(bootstrap_servers=brokers, request_timeout_ms=10_000)
    try:
        await asyncio.wait_for(client.bootstrap(), 15)
        request = MetadataRequest(topics, allow_auto_topic_creation=False)
        return (await client.send(client.get_random_node(), request)).to_object()
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await client.close()


def unreachable(brokers: str, error: Exception) -> ClusterError:
    return ClusterError(f"kafka.brokers: no broker answers at {brokers} ({type(error).__name__})", UNAVAILABLE)


async def require(brokers: str, topics: Sequence[str]) -> dict[str, int]:
    """Return the partition counts of input topics, which must all exist and be readable.

    Raises:
        ClusterError: as `describe`; a topic is missing, or there is no right to read it.
    """
    counts = await describe(brokers, topics)
    missing = [topic for topic in topics if topic not in counts]
    if missing:
        verb = "does" if len(missing) == 1 else "do"
        raise ClusterError(f"topic {', '.join(missing)}: {verb} not exist on {brokers}", NO_INPUT)
    await _prove_readable(brokers, topics)
    return counts


async def _prove_readable(brokers: str, topics: Sequence[str]) -> None:
    """Fetch from the end of each topic: nothing but a fetch shows whether reading is allowed."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, group_id=None, enable_auto_commit=False, fetch_max_wait_ms=100
    )
    try:
        await consumer.start()
        consumer.assign([TopicPartition(topic, 0) for topic in topics])
        await consumer.seek_to_end()
        deadline = asyncio.get_running_loop().time() + FETCH_S
        while asyncio.get_running_loop().time() < deadline:
            await consumer.getmany(timeout_ms=100)
    except TopicAuthorizationFailedError as error:
        raise denied(error) from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await consumer.stop()


def denied(error: TopicAuthorizationFailedError, right: str = "READ") -> ClusterError:
    """Return the refusal for aiokafka's error, which names the topic, or a set of topics."""
    named = error.args[0] if error.args else "?"
    topics = [named] if isinstance(named, str) else sorted(named)
    return ClusterError(f"topic {', '.join(topics)}: no right to {right} it", NO_PERMISSION)


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
        said = (
            f"our topic {missing[0]} does not exist"
            if len(missing) == 1
            else f"our topics {', '.join(missing)} do not exist"
        )
        raise ClusterError(
            f"{said}: run `streamgauge topics --create` or let your operator create what is missing", NO_INPUT
        )
    wrong = [f"{topic} has {count}" for topic, count in counts.items() if count != 1]
    if wrong:
        raise ClusterError(f"each of our topics must have exactly 1 partition; {', '.join(wrong)}", NO_INPUT)


async def create_ours(brokers: str, app: str, replication: int | None = None) -> list[str]:
    """Create those of our topics that are missing; return their names.

    Args:
        replication: copies of each; None means one on each broker, at most 3.

    Raises:
        ClusterError: no broker answers, or a creation is refused.
    """
    existing = await describe(brokers, ours(app))
    missing = [suffix for suffix in OURS if f"{app}.{suffix}" not in existing]
    if not missing:
        return []
    copies = replication or min(MAX_REPLICATION, len((await _metadata(brokers, []))["brokers"]))
    async with _admin(brokers) as admin:
        for suffix in missing:
            await _create(admin, NewTopic(f"{app}.{suffix}", 1, copies, topic_configs=OURS[suffix]))
    return [f"{app}.{suffix}" for suffix in missing]


async def settings(brokers: str, topics: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the settings of topics that exist, by name; of those that may be seen: it takes the right to DESCRIBE_CONFIGS.

    Raises:
        ClusterError: no broker answers.
    """
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in topics]
    async with _admin(brokers) as admin:
        try:
            answers = await admin.describe_configs(asked) if asked else []
        except KafkaError:  # a cluster that does not know the question
            return {}
    rows = [row for answer in answers for row in answer.resources]
    return {row[3]: {item[0]: item[1] for item in row[4]} for row in rows if row[0] == 0 and row[4]}


async def _create(admin: AIOKafkaAdminClient, topic: NewTopic) -> None:
    answer = await admin.create_topics([topic], timeout_ms=10_000)
    code, *message = answer.topic_errors[0][1:]
    if code in (0, TopicAlreadyExistsError.errno):
        return
    error = for_code(code)
    denied = "Authorization" in error.__name__
    said = f": {message[0]}" if message and message[0] else ""
    raise ClusterError(
        f"topic {topic.name}: the cluster refuses to create it ({error.__name__}{said})",
        NO_PERMISSION if denied else UNAVAILABLE,
    )


@asynccontextmanager
async def _admin(brokers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=15_000)
    try:
        await asyncio.wait_for(admin.start(), 15)
        yield admin
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await admin.close()
