"""A bound on decompression: no Kafka batch may grow beyond a limit, whatever it claims to hold.

A broker bounds what a batch weighs on the wire, not what it unpacks to: 33 kB of zstd have become 1 GiB in a reader. aiokafka
has no limit of its own, so its four decompress functions are replaced, for every consumer of the process, by ones that stop.

Headers are a bomb of their own: an empty one is two bytes, and seventy once it is a Python object. 600 bytes of zstd have become
700 MB that way, so the headers of a large batch are counted before anything is made of them.
"""

from __future__ import annotations

import importlib
import struct
import threading
import zlib
from collections.abc import Callable
from types import ModuleType

import cramjam

LIMIT = 64 * 2**20
MOST_HEADERS = 500_000
"""In one batch."""

_SMALL = 4 * 2**20  # too small for headers that matter, as most batches are: to count them costs some 5 us per record
_here = threading.local()
_XERIAL = b"\x82SNAPPY\x00"
_NO_ROOM = "failed to write whole buffer"


class TooLargeError(Exception):
    """A batch unpacks to more than a limit."""


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
            return bytes(self._snappy_block(payload, 0))
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

    def _snappy_block(self, block: bytes, before: int) -> bytearray:
        # A snappy block begins with the length of its content, seven bits a byte, lowest first.
        length = shift = 0
        for byte in block[:5]:
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        self._fits(before + length)
        out = bytearray(length)
        cramjam.snappy.decompress_raw_into(block, out)
        return out

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
            checked = (
                few_headers if module.__name__.endswith("default_records") else bytes
            )  # older formats have no headers
            for codec in ("gzip", "snappy", "lz4", "zstd"):
                if hasattr(module, f"{codec}_decode"):
                    setattr(module, f"{codec}_decode", _both(getattr(self, codec), checked))


def few_headers(records: bytes) -> bytes:
    """Return the unpacked records of a batch as they are, if they have few headers.

    Raises:
        TooLargeError: they have more than `MOST_HEADERS`.
        IndexError, ValueError: they are damaged.
    """
    if len(records) <= _SMALL:
        return records
    at = found = 0
    while at < len(records):
        size, at = _number(records, at)
        after = at + size
        _, at = _number(records, at + 1)  # timestamp, behind a byte of attributes
        _, at = _number(records, at)  # offset
        for _ in ("key", "value"):
            size, at = _number(records, at)
            at += max(size, 0)
        count, at = _number(records, at)
        found += max(count, 0)
        if found > MOST_HEADERS:
            raise TooLargeError(f"a batch has more than {MOST_HEADERS} headers")
        if after < at:
            break  # damaged, and the parser gets no further than here
        at = after
    return records


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of the record format (zigzag, seven bits a byte, lowest first) and where it ends."""
    byte = data[at]
    number, shift = byte & 0x7F, 7
    while byte > 0x7F:
        if shift > 63:
            raise ValueError("a number of more than ten bytes")
        at += 1
        byte = data[at]
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at + 1


def _both(unpack: Callable[[bytes], bytes], check: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def run(payload: bytes) -> bytes:
        data = check(unpack(payload))
        _here.unpacked = unpacked() + len(data)
        return data

    return run


def unpacked() -> int:
    """Return how many bytes were unpacked in this thread so far: what a batch was on the wire says nothing of its size."""
    return getattr(_here, "unpacked", 0)


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
