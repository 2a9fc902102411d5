"""The ``state`` topic: content-addressed blobs (layouts, references), positions and checkpoints. Compacted, one partition.

A blob is written and acknowledged before the note that brings it into force, so a reader of the note finds it here, at
worst a moment later. What exceeds one record is stored in parts; the number of parts stands in their keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from stream.codec import digest, pack, unpack
from stream.kafka.producer import Producer
from stream.kafka.tail import Tail

PART = 800_000
WAIT_S = 30.0


class MissingBlobError(Exception):
    """Something is in force in the ledger and its blob is not in the state topic."""


class Store:
    """The state topic as one worker sees it. ``records`` is the compacted view: newest value by key."""

    def __init__(self, brokers: str, topic: str, producer: Producer) -> None:
        self.topic = topic
        self.records: dict[str, bytes] = {}
        self._trees: dict[str, Any] = {}
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

    async def put(self, records: Mapping[str, bytes | None]) -> None:
        """Write records and await their acknowledgement."""
        for key, value in records.items():
            await self._producer.send(self.topic, key.encode(), value)

    async def put_blob(self, tree: Any) -> str:
        """Store a tree under its content address, unless it is there; return the address."""
        name = digest(tree)
        if name not in self._trees and join(f"blob/{name}", self.records) is None:
            await self.put(split(f"blob/{name}", pack({"kind": "blob"}, tree)))
        self._trees[name] = tree
        return name

    async def blob(self, name: str) -> Any:
        """Return the tree stored under a content address.

        Raises:
            MissingBlobError: it did not appear within 30 s.
        """
        deadline = asyncio.get_running_loop().time() + WAIT_S
        while name not in self._trees:
            frame = join(f"blob/{name}", self.records)
            if frame is not None:
                self._trees[name] = unpack(frame)[1]
                break
            if asyncio.get_running_loop().time() > deadline:
                raise MissingBlobError(f"{self.topic}: blob {name} is in force but not stored")
            await asyncio.sleep(0.1)
            await self.refresh()
        return self._trees[name]

    def known(self, name: str) -> Any:
        """Return a tree that `blob` has fetched before."""
        return self._trees[name]

    def _take(self, records: list[tuple[int, bytes | None, bytes | None]]) -> None:
        for _, key, value in records:
            if key is None:
                continue
            if value is None:
                self.records.pop(key.decode(), None)
            else:
                self.records[key.decode()] = value


def split(name: str, frame: bytes) -> dict[str, bytes]:
    """Return the records that hold a frame of any size.

    >>> sorted(split("blob/1", b"x" * 1_000_000))
    ['blob/1/0of2', 'blob/1/1of2']
    """
    parts = [frame[at : at + PART] for at in range(0, len(frame), PART)] or [b""]
    return {f"{name}/{i}of{len(parts)}": part for i, part in enumerate(parts)}


def join(name: str, records: Mapping[str, bytes]) -> bytes | None:
    """Return the frame that `split` took apart, None while a part is missing."""
    for key in records:
        if key.startswith(f"{name}/0of"):
            count = int(key.rpartition("of")[2])
            parts = [records.get(f"{name}/{i}of{count}") for i in range(count)]
            if all(part is not None for part in parts):
                return b"".join(part for part in parts if part is not None)
    return None
