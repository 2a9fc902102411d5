"""A TCP proxy between the workers and the broker that cuts, swallows, slows down or damages what passes.

It forwards whole frames of the Kafka protocol, so that it can damage what a checksum protects (a byte inside a record batch
of a fetch response) and nothing else: a flipped byte in an unprotected offset is not a fault that any client promises to
survive; TCP's own checksum is what stands against it.
"""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from contextlib import suppress

FETCH = 1
DELAY_S = 0.3
LIMIT = 64 << 20


class Proxy:
    """One proxy, running in a thread of its own.

    Attributes:
        mode: ``pass``, ``cut``, ``blackhole``, ``slow`` or ``flip``.
        port: where it listens, on loopback. upstream: port of the broker, set before the first connection.
        seen: what happened: connections, refused, closed, held, delayed, flipped.
    """

    def __init__(self, seed: int = 0) -> None:
        self.port = self.upstream = 0
        self.mode = "pass"
        self.seen: Counter[str] = Counter()
        self._rng = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def start(self) -> Proxy:
        """Listen."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def set(self, mode: str) -> None:
        """Change the mode; ``cut`` ends every connection and refuses new ones until another mode is set."""
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result(10)

    @property
    def connections(self) -> int:
        """How many connections of workers are open."""
        return len(self._writers) // 2

    def stop(self) -> None:
        """Close everything."""
        self.set("cut")
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._open.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(server.sockets[0].getsockname()[1])

    async def _set(self, mode: str) -> None:
        self.mode = mode
        (self._open.clear if mode == "blackhole" else self._open.set)()
        if mode == "cut":
            for writer in list(self._writers):
                self.seen["closed"] += 1
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.mode == "cut":
            self.seen["refused"] += 1
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            self.seen["broker down"] += 1
            writer.transport.abort()
            return
        self.seen["connections"] += 1
        self._writers |= {writer, back}
        asked: dict[int, int] = {}
        try:
            pumps = [self._requests(reader, back, asked), self._answers(there, writer, asked)]
            tasks = [asyncio.create_task(pump) for pump in pumps]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._writers -= {writer, back}
            for end in (writer, back):
                with suppress(OSError):
                    end.transport.abort()

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, asked: dict[int, int]) -> None:
        while True:
            frame = await _frame(source)
            asked[int.from_bytes(frame[4:8])] = int.from_bytes(frame[0:2])
            await self._forward(frame, sink)

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, asked: dict[int, int]) -> None:
        while True:
            frame = await _frame(source)
            if asked.pop(int.from_bytes(frame[0:4]), None) == FETCH and self.mode == "flip":
                frame = self._flipped(frame)
            await self._forward(frame, sink)

    async def _forward(self, frame: bytes, sink: asyncio.StreamWriter) -> None:
        if not self._open.is_set():
            self.seen["held"] += 1
            await self._open.wait()
        if self.mode == "slow":
            self.seen["delayed"] += 1
            await asyncio.sleep(DELAY_S)
        sink.write(len(frame).to_bytes(4) + frame)
        await sink.drain()

    def _flipped(self, frame: bytes) -> bytes:
        where = protected(frame)
        if where is None or self._rng.random() < 0.5:
            return frame
        at = self._rng.randrange(*where)
        self.seen["flipped"] += 1
        return frame[:at] + bytes([frame[at] ^ 1 << self._rng.randrange(8)]) + frame[at + 1 :]


def protected(frame: bytes) -> tuple[int, int] | None:
    """Return where the bytes under the checksum of the first record batch of a fetch response lie; None without a batch.

    A batch begins with base offset (8), length (4), leader epoch (4), magic 2, CRC (4); the CRC covers the rest.
    """
    for at in range(min(len(frame) - 61, 4096)):
        length = int.from_bytes(frame[at + 8 : at + 12])
        plausible = frame[at + 16] == 2 and frame[at : at + 4] == bytes(4) and 49 <= length <= len(frame) - at - 12
        if plausible and int.from_bytes(frame[at + 12 : at + 16]) < 1000:
            return at + 21, at + 12 + length
    return None


async def _frame(source: asyncio.StreamReader) -> bytes:
    size = int.from_bytes(await source.readexactly(4))
    if size > LIMIT:
        raise ValueError("not a frame of the Kafka protocol")
    return await source.readexactly(size)
