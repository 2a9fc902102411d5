"""Decoding: every value is answered for, by its object or by a named reason."""

from __future__ import annotations

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.reading import records
from stream.reading.records import MAX_BYTES, MAX_DEPTH, MAX_KEYS, REASONS, decode_json, printable

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "empty"),
        (b" \r\n", "empty"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b'\xef\xbb\xbf{"a": 1}', "bom"),
        ('{"a": 1}'.encode("utf-16"), "not_utf8"),
        (b'{"a": 1', "not_json"),
        (b'{"a": 1} trailing', "not_json"),
        (b"{'a': 1}", "not_json"),
        (b'{"a": "\x00"}', "not_json"),
        (b'{"a": 1}\x00', "not_json"),
        (b"[1, 2]", "not_an_object"),
        (b"NaN", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"null", "not_an_object"),
        (b"\x00\x00\x00\x00\x07payload", "unsupported_encoding"),
        (b'{"a": "' + b"x" * MAX_BYTES + b'"}', "too_large"),
        (nested(MAX_DEPTH + 1), "too_deep"),
        (nested(1000), "too_deep"),
        (nested(100_000), "too_deep"),
        (b'{"x": NaN, "a": ' + b"[" * 100 + b"]" * 100 + b"}", "too_deep"),
        (orjson.dumps({str(i): i for i in range(MAX_KEYS + 1)}), "too_many_keys"),
        (orjson.dumps({"a": [{str(i): i} for i in range(MAX_KEYS)]}), "too_many_keys"),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)
def test_what_cannot_be_read_has_a_named_reason(value: bytes, reason: str) -> None:
    assert decode_json([value]) == [reason]
    assert reason in REASONS


def test_a_bad_record_costs_its_neighbours_nothing() -> None:
    assert decode_json([b'{"a": 1}', b"oops", None, b'{"a": 2}']) == [{"a": 1}, "not_json", None, {"a": 2}]


def test_a_tombstone_is_neither_an_object_nor_a_reason() -> None:
    assert decode_json([None]) == [None]


@pytest.mark.parametrize(
    ("token", "value"),
    [
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1e400", math.inf),
        ("-1e400", -math.inf),
        ("9" * 5000, math.inf),
    ],
)
def test_a_non_finite_number_is_a_value_of_its_field(token: str, value: float) -> None:
    """The rest of the record stands."""
    assert decode_json([f'{{"a": {token}, "b": 1}}'.encode()]) == [{"a": value, "b": 1}]


def test_nan_is_a_value_of_its_field() -> None:
    [row] = decode_json([b'{"a": NaN, "b": [NaN]}'])
    assert isinstance(row, dict)
    assert math.isnan(row["a"])


def test_integers_beyond_64_bits_are_numbers() -> None:
    [row] = decode_json([b'{"a": 9223372036854775808, "b": 18446744073709551617, "c": -0}'])
    assert row == {"a": 2**63, "b": float(2**64), "c": 0}


def test_of_duplicate_keys_the_last_one_wins() -> None:
    """On both paths: a NaN token sends the record through the second parser."""
    assert decode_json([b'{"a": 1, "a": 2}']) == [{"a": 2}]
    assert decode_json([b'{"a": NaN, "a": 2}']) == [{"a": 2}]


def test_the_deepest_accepted_record() -> None:
    assert isinstance(decode_json([nested(MAX_DEPTH)])[0], dict)


@given(
    st.lists(st.none() | st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode()), max_size=8)
)
def test_nothing_raises_and_neighbours_do_not_matter(values: list[bytes | None]) -> None:
    together = decode_json(values)
    alone = [decode_json([value])[0] for value in values]
    assert repr(together) == repr(alone)
    for row in together:
        assert row is None or isinstance(row, dict) or row in REASONS


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=6))
def test_what_python_writes_is_read_back(row: dict[str, object]) -> None:
    """Including NaN, infinities and lone surrogates, which its json module writes without complaint."""
    [got] = decode_json([json.dumps(row).encode()])
    assert isinstance(got, dict)
    assert [printable(key) for key in got] == [printable(key) for key in row]


@given(st.text(alphabet=st.characters(), max_size=200))
def test_a_printable_name_can_be_stored_and_shown(text: str) -> None:
    name = printable(text)
    assert len(name) <= records.MAX_NAME
    assert name.isprintable()
    assert name.encode().decode() == name
    assert printable(name) == name
