"""How a command of an operator writes into the ledger: read it to its end, write one record, and see whether it was accepted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.codec import pack
from stream.exits import GONE, Refusal
from stream.kafka.cluster import denied, unreachable
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.kafka.tail import TruncatedError
from stream.ledger import Fold
from stream.publishing import newest_fold

Result = TypeVar("Result")


class Writer:
    """A ledger that was read to its end."""

    def __init__(self, topic: str, producer: Producer, ledger: LedgerTail) -> None:
        self._topic, self._producer, self._ledger = topic, producer, ledger
        self._accepted: set[int] = set()
        ledger.listeners.append(lambda offset, _: self._accepted.add(offset))

    @property
    def fold(self) -> Fold:
        return self._ledger.fold

    async def write(self, key: bytes, header: dict[str, Any]) -> bool:
        """Write a record and read it back; return whether the ledger took it."""
        written = await self._producer.send(self._topic, key, pack(header))
        await self._ledger.read_on()
        return written in self._accepted


@asynccontextmanager
async def writer(brokers: str, app: str) -> AsyncIterator[Writer]:
    """Give the ledger of an application.

    Raises:
        Refusal: what is stored does not reach to where the ledger begins.
    """
    producer = Producer(brokers)
    store, ledger = Store(brokers, f"{app}.state", producer), LedgerTail(brokers, f"{app}.ledger")
    found = Writer(f"{app}.ledger", producer, ledger)
    try:
        await producer.start()
        await store.start()
        await ledger.start(newest_fold(store.records))
        if ledger.fold.lost:
            raise Refusal(f"the ledger of {app} is gone behind what is stored: start a worker first, it goes on", GONE)
        yield found
    finally:
        for part in (ledger, store, producer):
            await part.stop()


def run(brokers: str, work: Coroutine[Any, Any, Result]) -> Result:
    """Do something with the cluster; return what it returns.

    Raises:
        Refusal: what went wrong there, in one line.
    """
    try:
        return asyncio.run(work)
    except TopicAuthorizationFailedError as error:
        raise denied(error, "READ or WRITE") from None
    except TruncatedError as error:
        raise Refusal(str(error), GONE) from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(brokers, error) from None
