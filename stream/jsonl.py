"""The lines of a file to replay: records as JSON, one on a line.

A line holds one record value, or an envelope ``{"key": ..., "timestamp": ms, "headers": {...}, "value": {...}}``. Without an
envelope the event time stands in for the timestamp.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from stream.config.errors import spoken
from stream.plan import StreamPlan
from stream.reading.eventtime import BAD, milliseconds

MAX_TIMESTAMP = 253_402_300_799_999
"""The end of the year 9999."""
MAX_LINE = 1 << 24
"""Bytes; more without an end of line is no file of JSON lines, and would have to be held in memory."""
_ENVELOPE = {"key", "timestamp", "headers", "value"}
_KCAT = {"topic", "partition", "offset", "payload"}
"""Keys of what ``kcat -J`` prints, besides others."""


class BadLineError(ValueError):
    """A line is something around a record that cannot be understood: there is nothing to reject and count."""


@dataclass(slots=True)
class Line:
    """One record of a file.

    Attributes:
        timestamp: of the record (ms). when: where it stands in time; its timestamp, unless that is a lone one far ahead.
        size: length of its line in bytes.
    """

    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    size: int
    when: int = 0


def read_lines(path: Path, streams: tuple[StreamPlan, ...]) -> Iterator[Line]:
    """Yield the records of a JSONL file; a line that is not JSON is a record that cannot be read.

    Raises:
        BadLineError: an envelope has no value, or a key, a timestamp or headers of another kind; a line is too long; with
            file and line.
    """
    timed = next((stream for stream in streams if stream.time is not None), None)
    last = 0
    with path.open("rb") as lines:
        for number, raw in enumerate(iter(lambda: lines.readline(MAX_LINE), b""), 1):
            if len(raw) == MAX_LINE:
                raise BadLineError(
                    f"{spoken(path)}:{number}: longer than {MAX_LINE >> 20} MB: not a file with one JSON on a line"
                )
            text = raw.rstrip(b"\r\n")
            if text:
                try:
                    line = _line(text, timed, last, len(raw))
                except BadLineError as error:
                    raise BadLineError(f"{spoken(path)}:{number}: {error}") from None
                last = max(last, line.timestamp)
                yield line


def _line(text: bytes, timed: StreamPlan | None, last: int, size: int) -> Line:
    dumps: Callable[[Any], bytes] = orjson.dumps
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        tree, dumps = _lenient(text), _with_nan
    if not isinstance(tree, dict) or not _is_envelope(tree):
        return Line(event_time(tree, timed, last), None, text, (), size)
    if "value" not in tree:
        raise BadLineError(
            "an envelope without 'value'. A tombstone is \"value\": null; a record of just these fields needs an envelope"
        )
    key, value, headers = tree.get("key"), tree["value"], tree.get("headers") or {}
    stamp = tree.get("timestamp")
    if key is not None and not isinstance(key, str):
        raise BadLineError("'key' of an envelope must be a text or null")
    if stamp is not None and (type(stamp) is not int or not 0 <= stamp <= MAX_TIMESTAMP):
        raise BadLineError("'timestamp' of an envelope must be milliseconds since 1970, a whole number")
    if not isinstance(headers, dict) or not all(item is None or isinstance(item, str) for item in headers.values()):
        raise BadLineError("'headers' of an envelope must be a mapping of texts")
    body = None if value is None else _bytes(value) if isinstance(value, str) else dumps(value)
    return Line(
        event_time(value, timed, last) if stamp is None else stamp,
        None if key is None else _bytes(key),
        body,
        tuple((name, None if item is None else _bytes(item)) for name, item in headers.items()),
        size,
    )


def _lenient(text: bytes) -> Any:
    """Return what a line holds that orjson refuses, None when it is no JSON. A ``NaN`` is one (`stream.reading.records`)."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _with_nan(value: Any) -> bytes:
    return json.dumps(value).encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _is_envelope(tree: dict[str, Any]) -> bool:
    """Tell an envelope from the value of a record, which may have fields of these names.

    Raises:
        BadLineError: it is another program's envelope.
    """
    if tree.keys() >= _KCAT:
        raise BadLineError(
            "this is what kcat -J prints; streamgauge replay --help has a line of jq that makes envelopes of it"
        )
    return len(tree) >= 2 and tree.keys() <= _ENVELOPE and ("value" in tree or tree.keys() >= {"timestamp", "key"})


def event_time(tree: Any, timed: StreamPlan | None, last: int) -> int:
    """Return the event time of a record (ms), ``last`` when it has none. A key with dots wins, as in `stream.reading.columns`."""
    if timed is None or timed.time is None or not isinstance(tree, dict):
        return last
    node: Any = tree
    for part in [timed.time] if timed.time in tree else timed.time.split("."):
        node = node.get(part) if isinstance(node, dict) else None
    found = int(milliseconds([node], timed.time_unit)[0])
    return last if found == BAD else found
