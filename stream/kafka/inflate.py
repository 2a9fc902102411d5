"""A bound on decompression: no Kafka batch may grow beyond a limit, whatever it claims to hold.

A broker bounds what a batch weighs on the wire, not what it unpacks to: 33 kB of zstd have become 1 GiB in a reader. aiokafka
has no limit of its own, so its four decompress functions are replaced, for every consumer of the process, by ones that stop.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Callable
from types import ModuleType

import cramjam

LIMIT = 64 * 2**20
_XERIAL = b"\x82SNAPPY\x00"
_NO_ROOM = "failed to write whole buffer"


class TooLargeError(Exception):
    """A batch unpacks to more than the limit."""


class Limit:
    """The four decompress functions of Kafka with a limit in bytes.

    >>> small = Limit(1000)
    >>> len(small.gzip(zlib.compress(bytes(1000), wbits=31)))
    1000
    >>> small.zstd(bytes(cramjam.zstd.compress(bytes(1001))))
    Traceback (most recent call last):
    ...
    stream.kafka.inflate.TooLargeError: a batch unpacks to more than 1000 bytes
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit

    def gzip(self, payload: bytes) -> bytes:
        """Unpack gzip, of one or several members."""
        out = bytearray()
        while payload:
            member = zlib.decompressobj(wbits=31)
            out += member.decompress(payload, self._fits(len(out)) + 1)
            self._fits(len(out))
            if not member.eof:
                raise EOFError("compressed data ends early")
            payload = member.unused_data
        return bytes(out)

    def snappy(self, payload: bytes) -> bytes:
        """Unpack snappy, raw or in the blocks of the Java library."""
        payload = bytes(payload)
        if not payload.startswith(_XERIAL):
            return self._snappy_block(payload, 0)
        out, at = bytearray(), 16
        while at < len(payload):
            (size,) = struct.unpack_from("!i", payload, at)
            out += self._snappy_block(payload[at + 4 : at + 4 + size], len(out))
            at += 4 + size
        return bytes(out)

    def lz4(self, payload: bytes) -> bytes:
        """Unpack an lz4 frame."""
        return self._grow(cramjam.lz4.decompress_into, bytes(payload))

    def zstd(self, payload: bytes) -> bytes:
        """Unpack zstd frames."""
        return self._grow(cramjam.zstd.decompress_into, bytes(payload))

    def _fits(self, size: int) -> int:
        if size > self.limit:
            raise TooLargeError(f"a batch unpacks to more than {self.limit} bytes")
        return self.limit - size

    def _snappy_block(self, block: bytes, before: int) -> bytes:
        # A snappy block begins with the length of its content, seven bits a byte, lowest first.
        length = shift = 0
        for byte in block[:5]:
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        self._fits(before + length)
        return bytes(cramjam.snappy.decompress_raw(block))

    def _grow(self, decompress_into: Callable[[bytes, bytearray], int], payload: bytes) -> bytes:
        # These frames need not say how much they hold, so a buffer is tried, and a larger one if it does not suffice.
        room = min(max(8 * len(payload), 2**16), self.limit)
        while True:
            out = bytearray(room)
            try:
                return bytes(memoryview(out)[: decompress_into(payload, out)])
            except cramjam.DecompressionError as error:
                if _NO_ROOM not in str(error):
                    raise
            if room == self.limit:
                self._fits(room + 1)
            room = min(8 * room, self.limit)

    def install(self) -> None:
        """Put these functions into aiokafka; a later limit replaces an earlier one."""
        for module in record_modules():
            for codec in ("gzip", "snappy", "lz4", "zstd"):
                if hasattr(module, f"{codec}_decode"):
                    setattr(module, f"{codec}_decode", getattr(self, codec))


def record_modules() -> list[ModuleType]:
    """Return the modules of aiokafka that unpack batches: of both message formats, compiled and plain."""
    names = ("_crecords.default_records", "_crecords.legacy_records", "default_records", "legacy_records")
    found = []
    for name in names:
        try:
            found.append(importlib.import_module(f"aiokafka.record.{name}"))
        except ImportError:  # the compiled ones are absent where aiokafka was built without a compiler
            continue
    return found
