"""The rows of a Parquet file to replay: each is a record, its columns are the fields of a JSON object.

What JSON does not have is cast by Arrow before a row becomes Python objects, since ``datetime`` cannot hold every timestamp:

* a timestamp: as the stream states its times (`_TIMES`), milliseconds where it states nothing; one without a zone is UTC;
* a date, a time of day: text; a duration: milliseconds; a decimal: the nearest double; a map: an object; bytes: text, with
  replacements for what is not UTF-8.

A null is ``null`` and never an absent field: every row has every column. A ``NaN`` stays one, as in a line of JSON
(`stream.reading.records`). A row has no key and no headers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from stream.config.errors import spoken, visible
from stream.jsonl import BadLineError, Line, event_time
from stream.plan import StreamPlan
from stream.reading.eventtime import BAD, milliseconds

ROWS = 1000
"""Rows that are held as Python objects at a time."""
_BUFFER = 1 << 18
"""Bytes read ahead of each column. Without it, or with pyarrow's own way to read ahead, a whole row group is held in memory."""
_MAGIC = b"PAR1"
_TIMESTAMP = "timestamp"
_TIMES = {"rfc3339": ("ms", "string")} | {unit: (unit, "int64") for unit in ("s", "ms", "us", "ns")}
"""Unit of a stream's times -> resolution and type of a timestamp in the record."""
_SHOWN = 6


def is_parquet(path: Path) -> bool:
    """Tell by the first bytes, not by the name. A pipe is none: looking at its first bytes would take them away."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def read_rows(path: Path, streams: tuple[StreamPlan, ...]) -> Iterator[Line]:
    """Yield the rows of a Parquet file, a batch at a time.

    The time of a record is the event time of its stream, else what the column ``timestamp`` says (a Parquet timestamp, or
    milliseconds), else the latest time before it.

    Raises:
        BadLineError: pyarrow is not installed, the file is damaged, or no column is a time.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - optional, and slow to import
        import pyarrow.parquet as pq  # noqa: PLC0415
    except ImportError:
        raise BadLineError(f"{spoken(path)}: Parquet needs pyarrow: pip install pyarrow") from None
    timed = next((stream for stream in streams if stream.time is not None), None)
    last, read, size = 0, 0, path.stat().st_size
    try:
        with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
            stamped = _is_stamped(pa, path, file.schema_arrow, timed)
            for batch in file.iter_batches(ROWS):
                stamps = _stamps(pa, batch) if stamped else [BAD] * len(batch)
                rows = _as_json(pa, batch, timed.time_unit if timed else "ms").to_pylist(maps_as_pydicts="lossy")
                for stamp, row in zip(stamps, rows, strict=True):
                    when = event_time(row, timed, last if stamp == BAD else stamp)
                    last = max(last, when)
                    before, read = size * read // file.metadata.num_rows, read + 1
                    yield Line(when, None, _written(row), (), size * read // file.metadata.num_rows - before)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        found = visible(str(error).strip().partition("\n")[0])
        raise BadLineError(f"{spoken(path)}: expected a whole Parquet file, found: {found}") from None


def _is_stamped(pa: Any, path: Path, schema: Any, timed: StreamPlan | None) -> bool:
    """Return whether the column ``timestamp`` is a time.

    Raises:
        BadLineError: it is none, and the event time of the stream is no column either.
    """
    kind = schema.field(_TIMESTAMP).type if _TIMESTAMP in schema.names else None
    if kind is not None and (pa.types.is_timestamp(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return True
    source = timed.time if timed is not None else None
    if source is not None and {source, source.partition(".")[0]} & set(schema.names):
        return False
    wanted = f"{_TIMESTAMP} (ms, or a Parquet timestamp)"
    wanted = f"a column {wanted}" if source is None else f"the event time {source}, or a column {wanted}"
    names = ", ".join(schema.names[:_SHOWN]) + ", …" * (len(schema.names) > _SHOWN)
    found = f"the columns {names}" if kind is None else f"{_TIMESTAMP} as {kind}"
    raise BadLineError(f"{spoken(path)}: no time: expected {wanted}, found {visible(found)}")


def _stamps(pa: Any, batch: Any) -> list[int]:
    column = batch.column(_TIMESTAMP)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ms", "UTC"), safe=False).cast(pa.int64())
    stamps: list[int] = milliseconds(column.to_pylist(), "ms").tolist()
    return stamps


def _as_json(pa: Any, batch: Any, unit: str) -> Any:
    """Return the batch with types that JSON has. Two casts: a number of a timestamp is in the resolution it has by then."""
    resolution, final = _TIMES[unit]

    def resolved(kind: Any) -> Any:
        if pa.types.is_timestamp(kind):
            return pa.timestamp(resolution, "UTC")
        if pa.types.is_duration(kind):
            return pa.duration("ms")
        return resolved(kind.value_type) if pa.types.is_dictionary(kind) else kind

    def plain(kind: Any) -> Any:
        if pa.types.is_timestamp(kind):
            return pa.type_for_alias(final)
        if pa.types.is_date(kind) or pa.types.is_time(kind):
            return pa.string()
        if pa.types.is_decimal(kind):
            return pa.float64()
        return pa.int64() if pa.types.is_duration(kind) else kind

    for leaf in (resolved, plain):
        fields = [field.with_type(_mapped(pa, field.type, leaf)) for field in batch.schema]
        batch = batch.cast(pa.schema(fields), safe=False)
    return batch


def _mapped(pa: Any, kind: Any, leaf: Callable[[Any], Any]) -> Any:
    """Return a type with its leaves replaced; the keys of a map become text."""
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_mapped(pa, field.type, leaf)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(pa.string(), kind.item_field.with_type(_mapped(pa, kind.item_type, leaf)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(kind.value_field.with_type(_mapped(pa, kind.value_type, leaf)))
    return leaf(kind)


def _written(row: dict[str, Any]) -> bytes:
    """Return a row as JSON. orjson is three times faster, but its ``null`` may stand for a ``NaN``: then it is written again."""
    value = orjson.dumps(row, default=_text)
    return json.dumps(row, default=_text).encode() if b"null" in value else value


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
