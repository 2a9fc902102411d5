"""Columns of a chunk: the values of one source over many records.

Almost always a chunk was decoded to slots (`stream.reading.decoders`). Then the columns are the transposed rows, no key is
looked up, and the fields that nobody listed are found by looking at the names of the slots. Records that were decoded to
dicts are read key by key.

Sources: ``key``, ``header:name``, or a path ``a.b.c``. A key that itself contains dots wins over nested objects.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from functools import lru_cache
from typing import Any

import msgspec

from stream.batch import Headers
from stream.counts import MAX_NAMES, trim_names
from stream.layout import OTHER
from stream.reading.records import ABSENT, Absent, printable

Column = Sequence[Any]
MAX_NESTING = 4
_SCALARS = {int, float, str, bool, type(None)}
_NOT_OBJECTS = {*_SCALARS, list, Absent}


class Records:
    """Some records of one partition, in offset order, as parallel lists.

    Attributes:
        rows: the decoded objects (`column` needs objects; before sorting, a row may also be a reason or None).
        offsets, timestamps, keys, headers: as in `stream.batch.RecordBatch`.
    """

    def __init__(
        self,
        rows: list[Any],
        offsets: list[int],
        timestamps: list[int],
        keys: list[bytes | None],
        headers: list[Headers],
    ) -> None:
        self.rows = rows
        self.offsets = offsets
        self.timestamps = timestamps
        self.keys = keys
        self.headers = headers
        self._table: Table | None = None
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: Sequence[int]) -> Records:
        """Return the records at these positions; all of them is the same object, so that its columns are kept."""
        if len(index) == len(self):
            return self
        pick = [self.rows, self.offsets, self.timestamps, self.keys, self.headers]
        return Records(*([items[i] for i in index] for items in pick))

    @property
    def table(self) -> Table:
        if self._table is None:
            self._table = Table(self.rows)
        return self._table

    def all_floats(self, source: str) -> bool:
        """Return whether every value of a column is known to be a finite float, so that none need be looked at."""
        return source in self.table.floats

    def column(self, source: str) -> Column:
        """Return one value per record; `ABSENT` where there is none."""
        column = self._columns.get(source)
        if column is None:
            column = self._columns[source] = self._read(source)
        return column

    def _read(self, source: str) -> Column:
        if source == "key":
            return [ABSENT if key is None else _text(key) for key in self.keys]
        if source.startswith("header:"):
            name = source.removeprefix("header:")
            return [_header(headers, name) for headers in self.headers]
        return self.table.column(source)


class Table:
    """Objects, and their columns by path. Each is a dict, or of the one `msgspec.Struct` that the chunk was decoded to.

    Attributes:
        names: keys of the columns: those of the struct; none if every object is a dict.
        floats: those of them whose slots hold finite floats only.
    """

    def __init__(self, rows: list[Any]) -> None:
        self.rows = rows
        kinds: set[Any] = set(map(type, rows))
        self._dicts = [(i, row) for i, row in enumerate(rows) if type(row) is dict] if dict in kinds else []
        self.names: tuple[str, ...] = ()
        self.floats: frozenset[str] = frozenset()
        self._columns: dict[str, Column] = {}
        for struct in kinds - {dict}:
            self.names = struct.__struct_encode_fields__
            self.floats = frozenset(name for name in _floats(struct) if all(map(_is_finite, self._of_dicts(name))))
            self._columns = dict(zip(self.names, zip(*self._tuples(), strict=True), strict=True))
        self._below: dict[str, Table] = {}

    def _tuples(self) -> Iterable[tuple[Any, ...]]:
        if not self._dicts:
            return map(msgspec.structs.astuple, self.rows)
        return (
            tuple(row.get(name, ABSENT) for name in self.names) if type(row) is dict else msgspec.structs.astuple(row)
            for row in self.rows
        )

    def _of_dicts(self, key: str) -> list[Any]:
        return [row.get(key, ABSENT) for _, row in self._dicts]

    def column(self, path: str) -> Column:
        plain = self._plain(path)
        head, dot, rest = path.partition(".")
        if not dot or ABSENT not in plain:
            return plain
        nested = self._nested(head).column(rest)
        return [below if value is ABSENT else value for value, below in zip(plain, nested, strict=True)]

    def _nested(self, key: str) -> Table:
        table = self._below.get(key)
        if table is None:
            inner = [value if isinstance(value, dict | msgspec.Struct) else {} for value in self._plain(key)]
            table = self._below[key] = Table(inner)
        return table

    def _plain(self, key: str) -> Column:
        column = self._columns.get(key)
        if column is None:
            column = [ABSENT] * len(self.rows)
            for i, row in self._dicts:
                column[i] = row.get(key, ABSENT)
        return column

    def census(self, listed: Set[str]) -> dict[str, int]:
        """Return how often each scalar field occurs that is not listed; at most 64 names (`stream.counts.trim_names`).

        Nested objects are flattened to a depth of 4; arrays are not fields. Names that could not be read back as a
        source (control characters, too long, ``key``) are counted together under ``*``.
        """
        names: dict[str, int] = {}
        for path, count in self._leaves(listed, "", MAX_NESTING):
            name = path if _is_source(path) else OTHER
            names[name] = names.get(name, 0) + count
            if len(names) > 4 * MAX_NAMES:
                trim_names(names)
        trim_names(names)
        return names

    def _leaves(self, listed: Set[str], prefix: str, depth: int) -> Iterator[tuple[str, int]]:
        """Yield the scalars that are not listed: by column, and one by one where a dict has keys of its own."""
        for key in self.names:
            if prefix + key in listed:
                continue
            types = Counter(map(type, self._columns[key]))
            scalars = sum(types[kind] for kind in _SCALARS)
            if scalars:
                yield prefix + key, scalars
            if types.keys() - _NOT_OBJECTS and depth > 1 and "." not in key:
                yield from self._nested(key)._leaves(listed, f"{prefix}{key}.", depth - 1)
        for _, row in self._dicts:
            yield from _own_leaves(row, row.keys() - set(self.names), listed, prefix, depth)


def _own_leaves(
    row: dict[str, Any], keys: Set[str], listed: Set[str], prefix: str, depth: int
) -> Iterator[tuple[str, int]]:
    for key in keys:
        if prefix + key in listed:
            continue
        value = row[key]
        if type(value) in _SCALARS:
            yield prefix + key, 1
        elif type(value) is dict and depth > 1 and "." not in key:
            yield from _own_leaves(value, value.keys(), listed, f"{prefix}{key}.", depth - 1)


@lru_cache(maxsize=64)
def _floats(struct: type[msgspec.Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(struct) if field.type is float)


def _is_finite(value: Any) -> bool:
    return type(value) is float and math.isfinite(value)


def _is_source(name: str) -> bool:
    return name == printable(name) and name not in ("", "key", OTHER) and not name.startswith("header:")


def _text(raw: bytes) -> Any:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ABSENT


def _header(headers: Headers, name: str) -> Any:
    """Return the last header of that name as text."""
    for key, raw in reversed(headers):
        if key == name:
            return None if raw is None else _text(raw)
    return ABSENT
