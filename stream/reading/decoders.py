"""Decoders: one class per format, behind one table, `DECODERS`. What a decoder remembers changes its speed, never its results.

The records of a topic have nearly all the same keys. So the JSON decoder learns them from the records it meets and has msgspec
decode the next chunk into slots (`msgspec.Struct`) instead of dicts: no key is created, hashed or stored, which halves the
price of a record. It takes a record only if it finds nothing but known keys with scalars, arrays of scalars and known objects in
them. Whatever else a record holds (a new key, ``NaN``, an integer of more than 64 bits, broken text) sends that one record
to `stream.reading.records.decode_json`, which decides alone what is read and what is rejected, and why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec

from stream.reading.records import ABSENT, MAX_BYTES, Row, decode_json, printable

Shape = tuple[tuple[str, "Literal['float', 'any'] | Shape"], ...]
"""Keys of an object. Under each was found: in every record a number with a fraction, or any scalar or array of scalars, or an
object, whose keys these are."""

MAX_SHAPE = 1000
"""Keys in a shape: a producer that invents a name for every record must not make it grow."""

MAX_DEPTH = 8
_LOOKED_AT = 16
_RARE = 0.05
_PAUSE = 50

Scalar = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | float | str | bool | None
Anything = Scalar | list[Scalar]


class JsonDecoder:
    """Decodes chunks of JSON objects of one topic.

    Args:
        exact: sources whose whole numbers must stay whole (a version 3 is not 3.0); elsewhere a whole number may come as a float.

    Attributes:
        shape: the keys that are known by now.

    >>> decode = JsonDecoder()
    >>> decode([b'{"a": 1, "b": 0.5}', b"oops"])
    [{'a': 1, 'b': 0.5}, 'not_json']
    >>> decode.shape
    (('a', 'any'), ('b', 'float'))
    >>> [known] = decode([b'{"a": "x", "b": 3}'])
    >>> msgspec.structs.astuple(known)
    ('x', 3.0)
    """

    def __init__(self, exact: Set[str] = frozenset()) -> None:
        self.shape: Shape = ()
        self._exact = exact
        self._pause = 0

    def __call__(self, values: list[bytes | None]) -> list[Row]:
        """Return for every value its object, the reason why there is none, or None for a tombstone."""
        if self._pause or not self.shape or max(map(len, filter(None, values)), default=0) > MAX_BYTES:
            self._pause -= self._pause > 0
            rows = decode_json(values)
            if not self._pause:
                self._learn(rows)
            return rows
        rows, slow = _decoded(_compiled(self.shape), values)
        if len(slow) > _RARE * len(values) and not self._learn(slow) and len(slow) > len(values) / 2:
            self._pause = _PAUSE  # nothing to learn from them: looking at each of them twice would be in vain
        return rows

    def _learn(self, rows: list[Row]) -> bool:
        """Add the keys of some rows to the shape; return whether there were new ones."""
        before = self.shape
        for row in rows[:: max(len(rows) // _LOOKED_AT, 1)]:
            if type(row) is dict:
                wider = widened(self.shape, row, self._exact)
                self.shape = wider if _size(wider) <= MAX_SHAPE else self.shape
        return self.shape != before


DECODERS: dict[str, Callable[[Set[str]], Callable[[list[bytes | None]], list[Row]]]] = {"json": JsonDecoder}


def widened(
    shape: Shape, row: Mapping[str, Any], exact: Set[str] = frozenset(), prefix: str = "", depth: int = MAX_DEPTH
) -> Shape:
    """Return a shape with the keys of a row added; a name that msgspec or a screen would refuse is left out.

    >>> shape = widened((), {"a": 0.5, "b": {"c": [1, 2]}})
    >>> shape
    (('a', 'float'), ('b', (('c', 'any'),)))
    >>> widened(shape, {"b": None})
    (('a', 'any'), ('b', (('c', 'any'),)))
    """
    known = {key: "any" if kind == "float" and key not in row else kind for key, kind in shape}
    for key, value in row.items():
        kind = known.get(key)
        if key != printable(key) or set(key) & {'"', "\\"} or (isinstance(kind, tuple) and type(value) is not dict):
            continue
        if type(value) is dict and depth > 1:
            known[key] = widened(kind if isinstance(kind, tuple) else (), value, exact, f"{prefix}{key}.", depth - 1)
        elif kind is None and type(value) is float and prefix + key not in exact:
            known[key] = "float"
        elif kind is None or type(value) not in (int, float):
            known[key] = "any"
    return tuple(known.items())


def _size(shape: Shape) -> int:
    return sum(1 + (_size(kind) if isinstance(kind, tuple) else 0) for _, kind in shape)


def _decoded(decode: Callable[[bytes], Any], values: list[bytes | None]) -> tuple[list[Row], list[Row]]:
    """Return the rows of a chunk, and those among them that were read the slow way."""
    rows: list[Row] = []
    slow: list[Row] = []
    rest = iter(values)
    while len(rows) < len(values):
        try:
            rows.extend(map(decode, rest))  # type: ignore[arg-type]  # a tombstone raises
        except Exception:  # of whatever kind: the slow way knows why. The row that raised has been taken from ``rest``
            slow += decode_json([values[len(rows)]])
            rows.append(slow[-1])
    return rows, slow


@lru_cache(maxsize=64)  # taps of one topic share it
def _compiled(shape: Shape) -> Callable[[bytes], msgspec.Struct]:
    return msgspec.json.Decoder(_struct(shape)).decode


def _struct(shape: Shape) -> type[msgspec.Struct]:
    names = [f"f{i}" for i in range(len(shape))]
    fields: list[Any] = [
        (name, float) if kind == "float" else (name, Anything if kind == "any" else Anything | _struct(kind), ABSENT)
        for name, (_, kind) in zip(names, shape, strict=True)
    ]
    return msgspec.defstruct(
        "Known",
        fields,
        rename=dict(zip(names, (key for key, _ in shape), strict=True)),
        forbid_unknown_fields=True,
        kw_only=True,  # or every field after an optional one would have to be optional too
        gc=False,
    )
