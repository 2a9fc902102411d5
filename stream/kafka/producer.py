"""Writing to our own topics: every send is awaited until the brokers have acknowledged it.

One producer for the worker, ``acks=all``, no idempotence and no transactions: the ledger's rule makes duplicates and
reordering harmless, and both need rights and broker features that a monitor should not ask for.
"""

from __future__ import annotations

from aiokafka import AIOKafkaProducer
from aiokafka.structs import RecordMetadata

MAX_REQUEST = 1_000_000

Headers = list[tuple[str, bytes]]


class Producer:
    """The worker's producer. Errors of a send reach the caller, who decides whether to try again."""

    def __init__(self, brokers: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=brokers,
            acks="all",
            max_request_size=MAX_REQUEST,
            request_timeout_ms=30_000,
            linger_ms=0,
        )

    async def start(self) -> None:
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()

    async def send(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None, partition: int = 0
    ) -> int:
        """Write one record to a partition and return its offset once it is acknowledged."""
        done: RecordMetadata = await self._producer.send_and_wait(
            topic, value=value, key=key, partition=partition, headers=headers or []
        )
        return int(done.offset)
