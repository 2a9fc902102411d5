"""Where a tap starts: what the ledger and the broker say of its partition (`stream.cursor.start` decides)."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass

from stream.codec import pack
from stream.cursor import start
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.producer import Producer
from stream.kafka.source import Input
from stream.ledger import Anchor, Key, Position, open_header

log = logging.getLogger(__name__)

CONFIRM_S = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Attributes: position: accepted in the ledger. start: where reading begins; what lies between the two is lost. end: of what
    the broker has.
    """

    position: Position
    start: int
    end: int


class Places:
    """Finds places, and opens partitions of which the ledger knows nothing, or whose topic was recreated."""

    def __init__(self, topic: str, from_earliest: bool, producer: Producer, ledger: LedgerTail) -> None:
        self._topic = topic
        self._from_earliest = from_earliest
        self._producer = producer
        self._ledger = ledger

    async def find(self, source: Input, key: Key, added: bool) -> Place | None:
        """Return where a partition goes on. The ledger is read to its end first.

        Args:
            added: the partition came after its topic was first watched: what it holds is no history.

        Returns:
            None after an ``open`` was written: another worker's may have been first, so ask again.
        """
        await self._ledger.reach_end()
        position = self._ledger.fold.positions.get(key)
        begin, end = await source.begin_end(key)
        first = begin if self._from_earliest or added else end
        todo = start(position, begin, end, first, await anchored(source, key, position, begin, end))
        if todo.action == "reopen":
            log.warning("%s/%d: the topic seems to be another one; asking again", *key)
            begin, end = await source.begin_end(key, pause=CONFIRM_S)
            todo = start(position, begin, end, first, await anchored(source, key, position, begin, end))
        if todo.action in ("open", "reopen"):
            before = await record_at(source, key, todo.offset - 1) if todo.offset > begin else None
            frame = pack(open_header(key, todo.incarnation, todo.offset, end, before))
            await self._producer.send(self._topic, f"{key[0]}/{key[1]}".encode(), frame)
            return None
        assert position is not None, "only an unknown partition is opened"
        return Place(position, todo.offset, end)


async def anchored(source: Input, key: Key, position: Position | None, begin: int, end: int) -> Anchor | None:
    """Return the record that now stands where the last covered one stood."""
    if position is None or position.anchor is None or not begin <= position.anchor[0] < end:
        return None
    return await record_at(source, key, position.anchor[0])


async def record_at(source: Input, key: Key, offset: int) -> Anchor | None:
    """Return what recognises the record at an offset; None when there is none."""
    found = await source.read_one(key, offset)
    return None if found is None else (offset, found[0], zlib.crc32(found[2] or b"", zlib.crc32(found[1] or b"")))
