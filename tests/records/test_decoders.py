"""The fast decoder gives what the slow one gives, whatever it has learned before."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stream.reading.columns import Records, Table
from stream.reading.decoders import DECODERS, MAX_SHAPE, JsonDecoder, widened
from stream.reading.records import ABSENT, MAX_BYTES, decode_json

keys = st.sampled_from(["a", "b", "a.b", "c", "key", "x\n", 'q"', "", "é"])
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**30, 10**400])
    | st.floats()
    | st.text(max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=4).map(lambda row: json.dumps(row).encode())
odd = st.sampled_from(
    [
        None,
        b"",
        b"[1]",
        b'{"a":1',
        b'{"a":1,"a":"2"}',
        b'{"a":{},"a":{"b":1}}',
        b'{"a":"\xff"}',
        b'{"a":1e400}',
        b'{"\\u0061":3}',
    ]
)
chunks = st.lists(objects | odd, max_size=8)


class Every(frozenset[str]):
    """Holds every path."""

    def __contains__(self, path: object) -> bool:
        return True


EVERY = Every()


def plain(value: Any) -> Any:
    """A struct as the dict that the slow decoder makes; of a list every item."""
    if isinstance(value, msgspec.Struct):
        pairs = zip(type(value).__struct_encode_fields__, msgspec.structs.astuple(value), strict=True)
        return {key: plain(item) for key, item in pairs if item is not ABSENT}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def same(left: Any, right: Any, exact: bool = True) -> bool:
    """Equal in value and type, in any order of keys; NaN is NaN. If not ``exact``, 3.0 may stand for 3."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key], exact) for key in left)
    if not exact and type(left) is float and type(right) is int:
        return left == float(right)
    return repr(left) == repr(right)


def records(rows: list[Any]) -> Records:
    n = len(rows)
    return Records(rows, list(range(n)), [0] * n, [None] * n, [()] * n)


@given(st.lists(chunks, max_size=3), chunks, st.booleans())
@example([[b'{"a":{"b":1}}']], [b'{"a":{"b":2}}', b'{"a":3}', b'{"a":{"c":1}}', b'{"a":{"b":{}}}'], False)
@example([[b'{"a":1}']], [b'{"a":9223372036854775808}', b'{"a":18446744073709551616}'], False)
@example(
    [[b'{"a":0.5}']],
    [b'{"a":9223372036854775809}', b'{"a":3}', b'{"a":true}', b'{"a":"1"}', b'{"a":NaN}', b"{}"],
    False,
)
@example([[b'{"a":0.5,"b":{"a":0.5}}']], [b'{"a":3,"b":{"a":2}}', b'{"a":1e400,"b":null}'], True)
def test_a_record_is_read_alike_whatever_was_learned(
    before: list[list[bytes | None]], now: list[bytes | None], exact: bool
) -> None:
    """Sources that are named exact keep their whole numbers, even if only fractions were seen before."""
    decode = JsonDecoder(EVERY if exact else frozenset())
    for chunk in before:
        decode(list(chunk))
    fast, slow = decode(list(now)), decode_json(list(now))
    assert len(fast) == len(slow)
    for one, other in zip(fast, slow, strict=True):
        assert same(plain(one), other, exact)


@given(st.lists(chunks, max_size=3), chunks, st.sampled_from(["a", "b", "a.b", "a.c", "b.a.c", "none"]))
@example([[b'{"a":{"b":1}}']], [b'{"a":{"b":2}}', b'{"a.b":3,"a":{"b":4}}'], "a.b")
def test_columns_and_census_do_not_depend_on_the_way_of_reading(
    before: list[list[bytes | None]], now: list[bytes | None], path: str
) -> None:
    decode = JsonDecoder()
    for chunk in before:
        decode(list(chunk))
    fast = records([row for row in decode(list(now)) if isinstance(row, dict | msgspec.Struct)])
    slow = records([row for row in decode_json(list(now)) if isinstance(row, dict)])
    assert [repr(plain(value)) for value in fast.column(path) if not isinstance(value, dict | msgspec.Struct)] == [
        repr(value) for value in slow.column(path) if not isinstance(value, dict)
    ]
    assert fast.table.census({"b"}) == slow.table.census({"b"})


def test_what_is_usual_is_read_into_slots() -> None:
    decode = JsonDecoder()
    row = {"n": 1, "x": 0.5, "s": "t", "b": True, "z": None, "v": [1, 2.5], "o": {"i": 1}}
    first, second = decode([orjson.dumps(row)]), decode([orjson.dumps(row), b'{"n": NaN}', orjson.dumps(row)])
    assert isinstance(first[0], dict)
    assert [isinstance(item, msgspec.Struct) for item in second] == [True, False, True]
    assert plain(second[0]) == row


def test_a_field_of_fractions_gives_floats_until_it_does_not() -> None:
    decode = JsonDecoder()
    decode([b'{"x": 0.5}'])
    assert decode.shape == (("x", "float"),)
    assert Table(decode([b'{"x": 1}', b'{"x": 2.5}'])).floats == {"x"}
    assert Table(decode([b'{"x": 1}', b'{"x": 2.5, "new": 1}'])).floats == {"x"}, "of a dict every value is looked at"
    assert Table(decode([b'{"x": 1.5}', b'{"x": null}'])).floats == frozenset()
    assert dict(decode.shape)["x"] == "any"
    assert Table(decode([b'{"x": 0.5, "new": 2}'])).floats == frozenset()


def test_one_odd_record_does_not_send_its_chunk_the_slow_way() -> None:
    decode = JsonDecoder()
    decode([b'{"a": 1}'])
    rows = decode([b'{"a": 1}'] * 500 + [b'{"new": 1}'] + [b'{"a": 1}'] * 499)
    assert sum(isinstance(row, msgspec.Struct) for row in rows) == 999
    assert decode.shape == (("a", "any"),), "one record in a thousand is nothing to learn from"


def test_new_keys_in_many_records_are_learned() -> None:
    decode = JsonDecoder()
    decode([b'{"a": 1}'])
    decode([b'{"a": 1, "b": {"c": 2}}'] * 10)
    assert decode.shape == (("a", "any"), ("b", (("c", "any"),)))


def test_a_name_invented_for_every_record_does_not_grow_the_shape() -> None:
    decode = JsonDecoder()
    decode([b'{"a": 1}'])
    for chunk in range(200):
        decode([orjson.dumps({f"name {chunk} {i}": 1}) for i in range(50)])
    assert len(decode.shape) <= MAX_SHAPE


def test_a_topic_of_what_can_never_be_slots_is_not_looked_at_twice_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    decode = JsonDecoder()
    chunk: list[bytes | None] = [b'{"a": [{"b": 1}]}'] * 20
    decode(chunk)
    decode(chunk)
    monkeypatch.setattr("stream.reading.decoders._decoded", None)
    assert decode(chunk) == decode_json(chunk)


def test_a_record_that_is_too_large_is_refused_on_the_fast_way_too() -> None:
    decode = JsonDecoder()
    decode([b'{"a": 1}'])
    assert decode([b'{"a": "' + b"x" * MAX_BYTES + b'"}', b'{"a": 1}']) == ["too_large", {"a": 1}]


def test_the_depth_of_a_shape_is_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100):
        deep = {"a": deep}
    assert str(widened((), deep)).count("a") < 20


def test_a_table_of_structs_and_dicts_has_one_column_per_name() -> None:
    decode = JsonDecoder()
    decode([b'{"a": 1, "b": 2}'])
    table = Table(decode([b'{"a": 3}', b'{"a": NaN, "c": 4}', b'{"b": 5}']))
    assert list(table.column("b")) == [ABSENT, ABSENT, 5]
    assert list(table.column("c")) == [ABSENT, 4, ABSENT]
    assert table.census({"a"}) == {"b": 1, "c": 1}


def test_formats_are_one_table() -> None:
    assert {"json": JsonDecoder} == DECODERS
