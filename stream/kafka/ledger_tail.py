"""The ledger as one worker reads it: a tail that folds headers, and lets tasks wait until something has been read back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from stream.codec import FormatError, UnknownFormatError, read_header
from stream.kafka.patience import patiently
from stream.kafka.tail import Tail, TruncatedError
from stream.ledger import Fold

log = logging.getLogger(__name__)


class LedgerTail:
    """Attributes: fold: of everything read so far. Listeners are called with (offset, header) of accepted records."""

    def __init__(self, brokers: str, topic: str) -> None:
        self.fold = Fold()
        self.listeners: list[Callable[[int, dict[str, Any]], None]] = []
        self._tail = Tail(brokers, topic)
        self._read = asyncio.Condition()

    async def start(self, known: dict[str, Any] | None) -> None:
        """Start from the newest fold that is stored (`stream.publishing.newest_fold`) and fold to the end of the ledger.

        Where the ledger begins beyond it the fold may still be lost after that (`stream.ledger.Fold.cut`).

        Raises:
            TruncatedError: nothing is stored, and the ledger does not begin at its beginning.
        """
        if known is not None:
            self.fold = Fold.restore(known)
        begin = await self._tail.start()
        if known is None and begin > 0:
            raise TruncatedError(self._tail.topic, 0, begin)
        self.fold.cut(begin)
        self._tail.go_to(self.fold.offset)
        await self.read_on()

    async def read_on(self) -> None:
        """Fold to the end of the ledger as it is now; only before `run`."""
        self._apply(await self._tail.read_to_end())

    async def stop(self) -> None:
        await self._tail.stop()

    async def run(self) -> None:
        """Fold for ever.

        Raises:
            TruncatedError: retention overtook this tail, so what it would go on from is not what is in the ledger.
            UnknownFormatError: another release writes here.
        """
        while True:
            records = await patiently(f"read {self._tail.topic}", self._tail.read)
            if records:
                self._apply(records)
                async with self._read:
                    self._read.notify_all()

    async def reach(self, offset: int) -> None:
        """Wait until every record below a ledger offset is folded."""
        async with self._read:
            await self._read.wait_for(lambda: self.fold.offset >= offset)

    async def reach_end(self) -> None:
        """Wait until everything that is in the ledger now is folded."""
        await self.reach(await self._tail.end())

    def _apply(self, records: list[tuple[int, bytes | None, bytes | None]]) -> None:
        for offset, _, frame in records:
            try:
                header = read_header(frame or b"")
            except UnknownFormatError:
                raise
            except FormatError as error:
                log.warning("ledger offset %d is not ours and was skipped: %s", offset, error)
                self.fold.offset = offset + 1
                continue
            if self.fold.apply(offset, header):
                for listener in self.listeners:
                    listener(offset, header)
        if records:
            self.fold.offset = max(self.fold.offset, records[-1][0] + 1)
