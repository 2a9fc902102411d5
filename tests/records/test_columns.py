"""Columns: the value of a source in every record, and the fields that nobody listed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.batch import Headers
from stream.counts import MAX_NAMES, trim_names
from stream.reading.columns import Records, Table
from stream.reading.records import ABSENT

keys = st.sampled_from(["a", "b", "a.b", "c", "key", "x\n"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.just(0.5) | st.sampled_from(["12", ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
rows = st.lists(st.dictionaries(keys, values, max_size=4), max_size=8)


def of_rows(rows: list[dict[str, object]]) -> Records:
    n = len(rows)
    return Records(list(rows), list(range(n)), [0] * n, [None] * n, [()] * n)


def of_headers(headers: Headers) -> Records:
    return Records([{}], [0], [0], [None], [headers])


def look_up(row: dict[str, object], path: str) -> object:
    """The rule for one record: a key with dots wins over nested objects."""
    if path in row:
        return row[path]
    head, dot, rest = path.partition(".")
    inner = row.get(head)
    return look_up(inner, rest) if dot and isinstance(inner, dict) else ABSENT


def leaves(row: dict[str, object], listed: set[str], prefix: str = "", depth: int = 4) -> list[str]:
    names = []
    for key, value in row.items():
        if prefix + key in listed:
            continue
        if isinstance(value, dict):
            if depth > 1 and "." not in key:
                names += leaves(value, listed, f"{prefix}{key}.", depth - 1)
        elif not isinstance(value, list):
            names.append(prefix + key)
    return names


@given(rows, st.sampled_from(["a", "b", "a.b", "a.c", "a.b.c", "c.a.b", "none"]))
def test_a_column_is_the_look_up_of_every_record(rows: list[dict[str, object]], path: str) -> None:
    column = of_rows(rows).column(path)
    assert [repr(value) for value in column] == [repr(look_up(row, path)) for row in rows]


def test_text_true_null_and_a_missing_key_are_four_things() -> None:
    column = of_rows([{"a": "12"}, {"a": True}, {"a": None}, {}]).column("a")
    assert list(column) == ["12", True, None, ABSENT]


@given(rows, st.sets(st.sampled_from(["a", "b", "a.b", "a.c"])))
def test_the_census_counts_scalar_fields_that_are_not_listed(rows: list[dict[str, object]], listed: set[str]) -> None:
    """A name that could not be read back as a source (``key``, control characters) is counted as ``*``."""
    expected: dict[str, int] = {}
    for row in rows:
        for path in leaves(row, listed):
            name = "*" if path == "key" or "\n" in path else path
            expected[name] = expected.get(name, 0) + 1
    assert Table(list(rows)).census(listed) == expected


@given(rows)
def test_every_name_of_the_census_can_be_read_as_a_source(rows: list[dict[str, object]]) -> None:
    records = of_rows(rows)
    for name in records.table.census(set()):
        assert name == "*" or any(value is not ABSENT for value in records.column(name))


def test_the_census_is_bounded_however_the_records_are_grouped() -> None:
    """Every record brings other keys, as a one-hot feature keyed by e-mail address does."""
    many = [{f"name {i}-{j}": 1, "amount": 1} for i in range(60) for j in range(10)]
    names = Table(list(many)).census({"amount"})
    assert len(names) == MAX_NAMES
    parts = Counter(Table(list(many[:300])).census({"amount"}))
    parts.update(Table(list(many[300:])).census({"amount"}))
    trim_names(parts)
    assert parts == names
    assert sum(names.values()) == len(many), "what there is no room for is counted together"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ((), ABSENT),
        ((("other", b"x"),), ABSENT),
        ((("v", "é".encode()),), "é"),
        ((("v", b"1"), ("v", b"2")), "2"),
        ((("v", None),), None),
        ((("v", b"\xff"),), ABSENT),
    ],
)
def test_headers_are_text(headers: Headers, expected: object) -> None:
    """Of several the last one counts; one that is not UTF-8 is absent."""
    assert of_headers(headers).column("header:v") == [expected]


def test_keys_are_text_or_absent() -> None:
    records = Records([{}] * 3, [0, 1, 2], [0] * 3, [b"k", None, b"\xff"], [()] * 3)
    assert records.column("key") == ["k", ABSENT, ABSENT]
