"""Encoding of everything we store: one versioned, checksummed frame with a header that is readable alone.

A frame is ``magic | format version | header length | crc32 of the rest | header | body``. The header is JSON: what routes
or accepts a record must be readable without decoding its counts. The body is a tree of numbers, strings, lists and numpy
arrays, written as a JSON skeleton followed by the raw bytes of its arrays, compressed with zstd.

Pickle was rejected (whoever may write our topics could run code in us), msgpack too: it has no arrays and would be one
more dependency. Arrays of integers are stored in the narrowest type that holds them; their width is not part of their
meaning, so readers get int64 back. NaN and infinities survive: floats are stored as raw IEEE 754.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Any

import cramjam
import numpy as np
import orjson

MAGIC = b"SGA"
FORMAT = 5
_PREFIX = struct.Struct("<3sBII")
_MAX_BODY = 256 << 20
ARRAY = "$a"
"""Mark of an array in the skeleton. Keys of ours that begin with a dollar get a second one."""

_NARROW = (np.int8, np.int16, np.int32)


class FormatError(ValueError):
    """Something that is not a frame, or a damaged one."""


class UnknownFormatError(FormatError):
    """A frame of a format this release does not know. It is left untouched, and the worker stops."""


def pack(header: dict[str, Any], body: Any = None) -> bytes:
    """Return one frame. ``header`` must be plain JSON; ``body`` may hold numpy arrays anywhere.

    >>> unpack(pack({"kind": "tick"}, {"x": np.array([1, 2])}))[1]["x"].tolist()
    [1, 2]
    """
    head = orjson.dumps(header)
    tail = b"" if body is None else bytes(cramjam.zstd.compress(_dump(body), level=3))
    crc = zlib.crc32(tail, zlib.crc32(head))
    return _PREFIX.pack(MAGIC, FORMAT, len(head), crc) + head + tail


def read_header(frame: bytes) -> dict[str, Any]:
    """Return the header of a frame after checking its checksum.

    Raises:
        FormatError: not a frame, or damaged.
        UnknownFormatError: written in a format this release does not know.
    """
    return _split(frame)[0]


def unpack(frame: bytes) -> tuple[dict[str, Any], Any]:
    """Return (header, body) of a frame; the body is None when there is none.

    Raises:
        FormatError: as `read_header`.
    """
    header, tail = _split(frame)
    if not tail:
        return header, None
    try:
        raw = bytes(cramjam.zstd.decompress(tail))
    except cramjam.DecompressionError as error:
        raise FormatError(f"body cannot be decompressed: {error}") from None
    return header, _load(raw)


def digest(value: Any) -> str:
    """Return the content address of a tree: 16 hexadecimal digits of BLAKE2b over its uncompressed form."""
    return hashlib.blake2b(_dump(value), digest_size=8).hexdigest()


def _split(frame: bytes) -> tuple[dict[str, Any], bytes]:
    if len(frame) < _PREFIX.size:
        raise FormatError(f"frame of {len(frame)} bytes, expected at least {_PREFIX.size}")
    magic, version, head_length, crc = _PREFIX.unpack_from(frame)
    if magic != MAGIC:
        raise FormatError(f"frame starts with {magic!r}, expected {MAGIC!r}")
    if version != FORMAT:
        raise UnknownFormatError(f"frame of format {version}, this release reads {FORMAT}; it was left untouched")
    rest = frame[_PREFIX.size :]
    if zlib.crc32(rest) != crc:
        raise FormatError("checksum does not match: the frame is damaged")
    header: dict[str, Any] = orjson.loads(rest[:head_length])
    return header, rest[head_length:]


def _dump(body: Any) -> bytes:
    arrays: list[bytes] = []
    skeleton = orjson.dumps(_lower(body, arrays), option=orjson.OPT_SORT_KEYS)
    return struct.pack("<I", len(skeleton)) + skeleton + b"".join(arrays)


def _lower(node: Any, arrays: list[bytes]) -> Any:
    if isinstance(node, np.ndarray):
        array = np.ascontiguousarray(_narrowest(node))
        arrays.append(array.tobytes())
        return {ARRAY: [array.dtype.str, list(array.shape)]}
    if isinstance(node, dict):
        return {_escaped(str(key)): _lower(node[key], arrays) for key in sorted(node)}
    if isinstance(node, list | tuple):
        return [_lower(item, arrays) for item in node]
    if isinstance(node, np.generic):
        return node.item()
    return node


def _escaped(key: str) -> str:
    """Return a key that cannot be taken for the mark of an array: keys are names from other people's records."""
    return f"${key}" if key.startswith("$") else key


def _narrowest(array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "i" or array.size == 0:
        return array
    low, high = int(array.min()), int(array.max())
    for kind in _NARROW:
        bounds = np.iinfo(kind)
        if bounds.min <= low and high <= bounds.max:
            return array.astype(kind)
    return array


def _load(raw: bytes) -> Any:
    if len(raw) < 4 or len(raw) > _MAX_BODY:
        raise FormatError(f"body of {len(raw)} bytes")
    (length,) = struct.unpack_from("<I", raw)
    try:
        skeleton = orjson.loads(raw[4 : 4 + length])
    except orjson.JSONDecodeError as error:
        raise FormatError(f"body skeleton: {error}") from None
    body, end = _raise(skeleton, raw, 4 + length)
    if end != len(raw):
        raise FormatError(f"body has {len(raw) - end} bytes too many")
    return body


def _raise(node: Any, raw: bytes, at: int) -> tuple[Any, int]:
    if isinstance(node, dict):
        if ARRAY in node:
            return _array(node[ARRAY], raw, at)
        tree: dict[str, Any] = {}
        for key in node:
            tree[key[1:] if key.startswith("$") else key], at = _raise(node[key], raw, at)
        return tree, at
    if isinstance(node, list):
        items = []
        for item in node:
            value, at = _raise(item, raw, at)
            items.append(value)
        return items, at
    return node, at


def _array(description: Any, raw: bytes, at: int) -> tuple[np.ndarray, int]:
    try:
        kind, shape = description
        dtype = np.dtype(kind)
    except (TypeError, ValueError) as error:
        raise FormatError(f"array described as {type(description).__name__}: {error}") from None
    if dtype.kind not in "iufb":
        raise FormatError(f"array of type {kind!r}, expected numbers")
    count = int(np.prod(shape, dtype=np.int64))
    end = at + count * dtype.itemsize
    if count < 0 or end > len(raw):
        raise FormatError("array reaches beyond the end of the body")
    array = np.frombuffer(raw, dtype, count, at).reshape(shape)
    wide = np.int64 if dtype.kind == "i" else dtype
    return array.astype(wide), end
