"""A topic that is not there: which of those on the cluster was probably meant."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from stream.config.errors import did_you_mean
from stream.exits import NO_INPUT, Refusal

PATIENCE_S = 10


@contextmanager
def meant(brokers: str, topics: Sequence[str]) -> Iterator[None]:
    """Add to the refusal of what stands inside which topics were probably meant instead of missing ones.

    Raises:
        Refusal: that of the inside. The cluster is asked for its names only then: a good file costs nothing.
    """
    try:
        yield
    except Refusal as refusal:
        if refusal.code != NO_INPUT:
            raise
        names = asyncio.run(_names(brokers))
        near = [did_you_mean(topic, names) for topic in topics if topic not in names]
        if not any(near):
            raise
        raise Refusal(f"{refusal}; did you mean {', '.join(name for name in near if name)}?", refusal.code) from None


async def _names(brokers: str) -> set[str]:
    """Return the topics that may be seen, without Kafka's own; none when nobody answers: a hint is no reason to fail."""
    client = AIOKafkaAdminClient(bootstrap_servers=brokers, request_timeout_ms=PATIENCE_S * 1000)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await client.start()
            return {name for name in await client.list_topics() if not name.startswith("__")}
    except (KafkaError, OSError, TimeoutError):
        return set()
    finally:
        await client.close()
