"""Columns of a chunk: the values of one source over many records.

Almost always all records of a chunk have the same keys in the same order. Then one comparison of key tuples per record
buys everything else: the columns are the transposed values, no key is looked up, and the fields that nobody listed are
found by looking at one tuple. Any other chunk is read key by key.

Sources: ``key``, ``header:name``, or a path ``a.b.c``. A key that itself contains dots wins over nested objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

from stream.batch import Headers
from stream.counts import MAX_NAMES, trim_names
from stream.layout import OTHER
from stream.reading.records import printable

Column = Sequence[Any]
MAX_NESTING = 4
_NESTED = {dict, list}


class Absent:
    """The type of `ABSENT`, which stands for a key that is not there: not the same as null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


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
    """Objects, and their columns by path."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self._columns: dict[str, Column] | None = None
        self._below: dict[str, Table] = {}
        shape = tuple(rows[0]) if rows else ()
        self.uniform = all(map(shape.__eq__, map(tuple, rows)))
        self.shape = shape

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
            table = self._below[key] = Table([value if type(value) is dict else {} for value in self._plain(key)])
        return table

    def _plain(self, key: str) -> Column:
        if not self.uniform:
            return [row.get(key, ABSENT) for row in self.rows]
        if self._columns is None:
            self._columns = dict(zip(self.shape, zip(*map(dict.values, self.rows), strict=True), strict=True))
        column = self._columns.get(key)
        return [ABSENT] * len(self.rows) if column is None else column

    def census(self, listed: Set[str]) -> dict[str, int]:
        """Return how often each scalar field occurs that is not listed; at most 64 names (`stream.counts.trim_names`).

        Nested objects are flattened to a depth of 4; arrays are not fields. Names that could not be read back as a
        source (control characters, too long, ``key``) are counted together under ``*``.
        """
        names: dict[str, int] = {}
        for path, count in _leaves(self, listed, "", MAX_NESTING):
            name = path if _is_source(path) else OTHER
            names[name] = names.get(name, 0) + count
            if len(names) > 4 * MAX_NAMES:
                trim_names(names)
        trim_names(names)
        return names


def _leaves(table: Table, listed: Set[str], prefix: str, depth: int) -> Iterator[tuple[str, int]]:
    for keys, part in _unlisted(table, listed, prefix):
        for key in keys:
            column = part._plain(key)
            types = set(map(type, column))
            scalars = len(column) if types.isdisjoint(_NESTED) else sum(type(value) not in _NESTED for value in column)
            if scalars:
                yield prefix + key, scalars
            if dict in types and depth > 1 and "." not in key:
                yield from _leaves(part._nested(key), listed, f"{prefix}{key}.", depth - 1)


def _unlisted(table: Table, listed: Set[str], prefix: str) -> Iterator[tuple[Iterable[str], Table]]:
    """Return the keys that are not listed, and the rows that have just these.

    Rows are split by such keys, so that the work is bounded by the number of values, whatever the keys are.
    """
    if table.uniform:
        yield [key for key in table.shape if prefix + key not in listed], table
        return
    every = set().union(*table.rows)
    named = {key for key in every if prefix + key in listed}
    if len(named) == len(every):
        return
    parts: dict[frozenset[str], list[dict[str, Any]]] = {}
    for row in table.rows:
        parts.setdefault(frozenset(row.keys() - named), []).append(row)
    for keys, rows in parts.items():
        yield keys, Table(rows)


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
