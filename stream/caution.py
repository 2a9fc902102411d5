"""Reading carefully what may end the process (`stream.trouble`): announce in the ledger, read a little, read back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from stream.batch import RecordBatch
from stream.codec import pack
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.producer import Producer
from stream.ledger import Key
from stream.tap import Tap
from stream.trouble import Trouble, start_header

ANNOUNCE_S = 10.0


class Caution:
    """The announcements of one worker."""

    def __init__(self, topic: str, producer: Producer, ledger: LedgerTail) -> None:
        self._topic = topic
        self._by = secrets.token_hex(4)
        self._producer = producer
        self._ledger = ledger
        self._one = asyncio.Lock()

    def wanted(self, key: Key, tap: Tap) -> bool:
        """Whether a tap must read a partition carefully from where it stands."""
        trouble = self._known(key)
        return trouble is not None and tap.cursor.next < trouble.until

    async def announce(self, key: Key, tap: Tap) -> Trouble | None:
        """Say that the records from a tap's position on are about to be decoded; return what the ledger makes of it.

        Raises:
            KafkaError, OSError, TimeoutError: the ledger takes no notes at present.
        """
        header = start_header(key, tap.cursor.incarnation, tap.cursor.next, self._by)
        async with asyncio.timeout(ANNOUNCE_S):
            offset = await self._producer.send(self._topic, b"start", pack(header))
            await self._ledger.reach(offset + 1)
        return self._known(key)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Read carefully in one partition of this worker at a time: of two, each could be blamed for the death of the other."""
        async with self._one:
            yield

    def _known(self, key: Key) -> Trouble | None:
        position = self._ledger.fold.positions.get(key)
        return None if position is None else position.trouble


def next_bite(batch: RecordBatch, at: int, trouble: Trouble | None) -> RecordBatch:
    """Return the part of a chunk that a tap at an offset may read before it reads back; a poisoned offset is refused unread.

    Nothing before the offset is part of it: what was set aside there must not be decoded after all.
    """
    if trouble is None or trouble.at != at or not trouble.reach:
        return batch
    if not trouble.poison:
        return batch.part(at, min(at + trouble.reach, batch.next))
    return RecordBatch(batch.topic, batch.partition, at, at + 1, batch.end, [], [], [], [], [], unreadable="poison")
