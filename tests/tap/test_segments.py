"""Counts by segment are those of the tap: same bins, same conditions, same times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream.layout import BINS, Bins, Layout, Section
from stream.plan import Field, Plan, StreamPlan
from stream.reading.columns import Records
from stream.reading.fold import SectionFold, category_hash, number_hash
from stream.reading.segments import NOWHERE, Counting

KEY = b"k" * 32
NONE = np.zeros(0, np.int64)


def table(kind: str, hashes: list[int]) -> Bins:
    known = np.array(sorted(hashes))
    return Bins(kind, np.zeros(0), known, np.arange(len(hashes)))


KINDS = {
    "category": table("category", [category_hash(text, KEY) for text in ("DE", "FR")]),
    "code": table("code", [number_hash(value, KEY) for value in (1.0, 7.0)]),
    "bool": Bins("bool", np.zeros(0), NONE, NONE),
}
VALUES: list[Any] = ["DE", "FR", "XX", 1, 7.0, 2, True, False, None, [1], {"a": 1}]
AMOUNT = Bins("number", np.array([10.0, 20.0, 30.0]), NONE, NONE)


def counting(bins: Bins, stretch: tuple[int, int] = (0, 1000)) -> tuple[Counting, Section, StreamPlan]:
    fields = (Field("amount", "tx.amount"), Field("by", "by"))
    plan = StreamPlan("m.features", "m", "features", "t", where=(("type", "x"),), fields=fields)
    section = Section(plan.name, fields, (AMOUNT, bins), True, (), (), 1)
    layout = Layout(Plan("app", (plan,), ()), {plan.name: section})
    return Counting(layout, plan, KEY, ["amount"], ["by"], stretch), section, plan


def records(rows: list[Any], times: list[int] | None = None) -> Records:
    n = len(rows)
    return Records(rows, list(range(n)), times or [500] * n, [None] * n, [()] * n)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_value_lies_where_the_tap_counts_it(kind: str) -> None:
    bins = KINDS[kind]
    for value in VALUES:
        counted, section, plan = counting(bins)
        chunk = records([{"type": "x", "by": value, "tx": {"amount": 15.0}}])
        counted.add(chunk)
        of_tap = SectionFold(plan, section, KEY).count(chunk, np.array([500]), np.zeros(2, np.int64), 0, None)
        (row,) = np.flatnonzero(counted.tables["by"][0].sum(axis=(1, 2))).tolist()
        own = np.flatnonzero(of_tap.bins[1]).tolist()
        assert [row] == (own or [NOWHERE]), value


def test_the_field_is_counted_as_the_tap_does_and_others_are_not() -> None:
    """A path, a condition, tombstones, unreadable records, and the stretch."""
    counted, _, _ = counting(KINDS["category"], (100, 200))
    rows = [
        {"type": "x", "by": "DE", "tx": {"amount": 15.0}},
        {"type": "x", "by": "DE", "tx": {"amount": None}},
        {"type": "y", "by": "DE", "tx": {"amount": 15.0}},
        None,
        "not_json",
        {"type": "x", "by": "FR", "tx": {"amount": 35}},
        {"type": "x", "by": "FR", "tx": {"amount": 35}},
    ]
    counted.add(records(rows, [150, 150, 150, 150, 150, 199, 200]))
    bins, presence = counted.tables["by"]
    assert counted.records == 3
    assert bins.sum() == 2
    assert bins[:, 0, 1].sum() == bins[:, 0, 3].sum() == 1
    assert sorted(map(tuple, presence[presence.any(axis=(1, 2)), 0].tolist())) == [(1, 0), (1, 1)]
    assert bins.shape == (BINS + 1, 1, BINS)
