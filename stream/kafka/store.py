"""The ``state`` topic: content-addressed blobs (layouts, references), positions and checkpoints. Compacted, one partition.

A blob is written and acknowledged before the note that brings it into force, so a reader of the note finds it here, at
worst a moment later. `stream.parts` says under which keys, and when they are removed.
"""

from __future__ import annotations

import asyncio
from typing import Any

from stream.codec import digest, pack, unpack
from stream.kafka.producer import Producer
from stream.kafka.tail import Tail
from stream.parts import BLOB, blob_key, join, names, split

LOOKS = 300
LOOK_S = 0.1
FRESH_S = 600.0
"""A put of one's own is not repeated for so long: a proposal is made again every 10 s until it is in force."""


class MissingBlobError(Exception):
    """Something is in force in the ledger and its blob is not in the state topic."""


class Store:
    """The state topic as one worker sees it. ``records`` is the compacted view: newest value by key."""

    def __init__(self, brokers: str, topic: str, producer: Producer) -> None:
        self.topic = topic
        self.records: dict[str, bytes] = {}
        self._trees: dict[str, Any] = {}
        self._put: dict[str, float] = {}
        self._tail = Tail(brokers, topic)
        self._producer = producer
        self._reading = asyncio.Lock()

    async def start(self) -> None:
        await self._tail.start()
        self._take(await self._tail.read_to_end())

    async def stop(self) -> None:
        await self._tail.stop()

    async def refresh(self) -> None:
        """Read what was written since, by whomever. One reader at a time: two would take records in the wrong order."""
        async with self._reading:
            end = await self._tail.end()
            while await self._tail.position() < end:
                self._take(await self._tail.read())

    async def put_blob(self, tree: Any, offset: int) -> str:
        """Store a tree under its content address and return the address; its ``adopt`` note must be written right after.

        It is written although it may be there: what is there may just be on its way out (`stream.parts`).

        Args:
            offset: ledger offset of the next record, as this worker knows it.
        """
        name, now = digest(tree), asyncio.get_running_loop().time()
        if now - self._put.get(name, -FRESH_S) >= FRESH_S:
            for key, part in split(blob_key(name, offset), pack({"kind": "blob"}, tree)).items():
                await self._producer.send(self.topic, key.encode(), part)
            self._put = {name: now}
        return name

    async def blob(self, name: str) -> Any:
        """Return the tree stored under a content address.

        Raises:
            MissingBlobError: it did not appear within 30 s.
        """
        for _ in range(LOOKS):
            if name in self._trees:
                return self._trees[name]
            frames = (join(put, self.records) for put in names(f"{BLOB}{name}/", self.records))
            frame = next((frame for frame in frames if frame is not None), None)
            if frame is not None:
                self._trees[name] = unpack(frame)[1]
                continue
            await asyncio.sleep(LOOK_S)
            await self.refresh()
        raise MissingBlobError(f"{self.topic}: blob {name} is in force but not stored")

    def known(self, name: str) -> Any:
        """Return a tree that `blob` has fetched just now."""
        return self._trees[name]

    def _take(self, records: list[tuple[int, bytes | None, bytes | None]]) -> None:
        for _, key, value in records:
            if key is None:
                continue
            name = key.decode()
            if value is not None:
                self.records[name] = value
                continue
            self.records.pop(name, None)
            if name.startswith(BLOB):
                self._trees.pop(name.split("/")[1], None)
