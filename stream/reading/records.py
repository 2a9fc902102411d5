"""From the bytes of JSON records to Python objects, whatever they hold. `stream.reading.decoders` reads what is usual faster.

Nothing that a record contains may raise, and one bad record must not cost its neighbours: a decoder answers for every
value with the object it holds, or with a named reason. The fast path decodes a whole chunk in one ``map``; only when
that fails is every value looked at alone.

A ``NaN`` token is not a broken record. Python writes it by default, and rejecting the whole record would blind us
exactly when a feature breaks, so what orjson refuses is parsed again by the standard library, which knows such tokens.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
import orjson

Row = dict[str, Any] | msgspec.Struct | str | None
"""A decoded object, the reason why there is none, or None for a tombstone (a record without a value)."""


class Absent:
    """The type of `ABSENT`, which stands for a key that is not there: not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()

MAX_BYTES = 1 << 20
MAX_DEPTH = 64
MAX_KEYS = 10_000
MAX_NAME = 64

REASONS = (
    "empty",
    "not_utf8",
    "bom",
    "not_json",
    "not_an_object",
    "too_large",
    "too_deep",
    "too_many_keys",
    "unsupported_encoding",
    "bad_time",
    "future",
    "corrupt",
    "poison",
)
"""Why a record is rejected. ``bad_time`` and ``future`` are found when its event time is read (`stream.reading.eventtime`).
``corrupt`` and ``poison`` are not decoded at all: the batch is damaged (`stream.kafka.fetch`), or the record ended every worker
that read it (`stream.trouble`)."""

_EXACT_DIGITS = 18


def decode_json(values: list[bytes | None]) -> list[Row]:
    """Decode JSON objects: numbers beyond 64 bits are numbers, of duplicate keys the last one wins.

    >>> decode_json([b'{"a": 1}', b'{"a": NaN}', b"[1]", b"oops", None])
    [{'a': 1}, {'a': nan}, 'not_an_object', 'not_json', None]
    """
    sound = [value for value in values if value and len(value) <= MAX_BYTES]
    if len(sound) == len(values):
        try:
            rows = list(map(orjson.loads, sound))
        except orjson.JSONDecodeError:
            pass
        else:
            if _all_plain(rows, sound):
                return rows
            return [_judged(row, value) for row, value in zip(rows, sound, strict=True)]
    return [_row(value) for value in values]


def _all_plain(rows: list[Any], values: list[bytes]) -> bool:
    """Whether all rows are flat objects of few keys, seen at once: a look at each would cost a fifth of the parsing."""
    whole = b"".join(values)
    flat = whole.count(b"{") == len(rows) and b"[" not in whole
    return flat and set(map(type, rows)) == {dict} and max(map(len, rows)) <= MAX_KEYS


def printable(text: str) -> str:
    r"""Return a name fit to be shown and stored: at most 64 characters, no control characters, no lone surrogates.

    >>> printable("caf\u00e9\n\ud800")
    'café??'
    """
    if len(text) <= MAX_NAME and text.isprintable():
        return text
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_NAME])


def _row(value: bytes | None) -> Row:
    if value is None:
        return None
    if len(value) > MAX_BYTES:
        return "too_large"
    if not value.strip():
        return "empty"
    if value[0] == 0:
        return "unsupported_encoding"  # the magic byte of a schema registry: Avro, Protobuf or JSON Schema
    try:
        return _judged(orjson.loads(value), value)
    except orjson.JSONDecodeError:
        return _reparsed(value)


def _reparsed(value: bytes) -> Row:
    if value.startswith(b"\xef\xbb\xbf"):
        return "bom"
    try:
        row = json.loads(value.decode(), parse_int=_integer)
    except UnicodeDecodeError:
        return "not_utf8"
    except RecursionError:
        return "too_deep"
    except ValueError:
        return "not_json"
    return _judged(row, value)


def _integer(digits: str) -> int | float:
    """Python refuses integers of more than 4300 digits; as floats they are numbers, or infinite."""
    return int(digits) if len(digits) <= _EXACT_DIGITS else float(digits)


def _judged(row: Any, value: bytes) -> Row:
    """Return the row, or why it is not accepted."""
    if type(row) is not dict:
        return "not_an_object"
    if len(row) > MAX_KEYS:
        return "too_many_keys"
    if value.find(b"{", 1) < 0 and value.find(b"[") < 0:
        return row  # flat, which is most often the case and cheap to see
    return _bounded(row)


def _bounded(row: dict[str, Any]) -> Row:
    """Check depth and number of keys level by level: recursion would depend on the stack that is left."""
    level: list[Any] = [row]
    keys = 0
    for _ in range(MAX_DEPTH):
        keys += sum(len(node) for node in level if type(node) is dict)
        if keys > MAX_KEYS:
            return "too_many_keys"
        inner = (node.values() if type(node) is dict else node for node in level)
        level = [item for items in inner for item in items if type(item) is dict or type(item) is list]
        if not level:
            return row
    return "too_deep"
