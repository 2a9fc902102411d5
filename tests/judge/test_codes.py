"""Codes: numbers that are categories. They are told apart exactly, and known by keyed hash only (P14)."""

from __future__ import annotations

import math

import numpy as np
import pytest

from stream.counts import NO_EXAMPLE
from stream.judging.moved import label
from stream.layout import TOP, UNSEEN, Bins, Section
from stream.learn import learn_section
from stream.plan import Field, StreamPlan
from stream.reading.columns import Records
from stream.reading.fold import SectionFold
from stream.reading.sketch import Sketch

PLAN = StreamPlan("m.features", "m", "features", "t")
KEY = b"k" * 32


def counted(section: Section, values: list[float], sketch: Sketch | None = None) -> list[int]:
    n = len(values)
    records = Records([{"v": value} for value in values], list(range(n)), [0] * n, [None] * n, [()] * n)
    fold = SectionFold(PLAN, section, KEY)
    bins: list[int] = fold.count(records, np.zeros(n, np.int64), np.full(1, NO_EXAMPLE), 0, sketch).bins[0].tolist()
    return bins


def learned(field: Field, values: list[float]) -> tuple[Section, Bins]:
    section = Section(PLAN.name, (field,), (None,), False, (), (), 1)
    sketch = Sketch.empty(section.fields)
    counted(section, values, sketch)
    section = learn_section(section, sketch)
    bins = section.bins[0]
    assert bins is not None
    return section, bins


def test_codes_that_round_to_the_same_have_bins_of_their_own() -> None:
    section, bins = learned(Field("v", "v"), [10_002, 10_001, 10_001, 3, -7])
    assert bins.kind == "code"
    assert sum(counted(section, [3])[:TOP]) == 1
    ours = counted(section, [10_001, 10_001, 10_002, 3.0, -7, 10_003, 3.5])
    assert ours[:2] == [1, 1], "-7 and 3: bins stand in the order of the numbers"
    assert sorted(ours[2:4]) == [1, 2]
    assert ours[UNSEEN] == 2


def test_a_code_is_named_as_exactly_as_it_may_be() -> None:
    _, bins = learned(Field("v", "v"), [10_001, 10_002, 3, 70_001])
    names = [label(bins, place) for place in (0, 1, 2, 3, UNSEEN)]
    assert names == ["3", "code 2 (about 10000)", "code 3 (about 10000)", "about 69952", "values never seen before"]
    _, bins = learned(Field("v", "v", show=True), [10_001, 10_002, 3])
    assert [label(bins, place) for place in range(3)] == ["3", "10001", "10002"]


def test_a_category_that_is_sent_as_numbers_is_treated_as_one_of_strings() -> None:
    """The most frequent 24 have a bin each, the others share seven; fractions are found again too."""
    usual = [0.1 + place for place in range(TOP)]
    others = [1e6 + place for place in range(300)]
    section, bins = learned(Field("v", "v", kind="category"), [*usual, *usual, *others])
    assert bins.kind == "code"
    assert counted(section, usual)[:TOP] == [1] * TOP
    rest = counted(section, others)
    assert (sum(rest[:TOP]), sum(rest[TOP:UNSEEN]), rest[UNSEEN]) == (0, 300, 0)
    assert min(rest[TOP:UNSEEN]) > 0


@pytest.mark.parametrize("field", [Field("v", "v", kind="number"), Field("v", "v", range=(0, 9))])
def test_what_is_declared_a_number_has_no_codes(field: Field) -> None:
    assert learned(field, [1, 2, 3])[1].kind == "number"


def test_edges_hold_no_number_of_a_record() -> None:
    values = [123_456_789.0 + 1_000_003 * place for place in range(100)]
    _, bins = learned(Field("v", "v"), values)
    assert bins.kind == "number"
    assert not set(values) & set(bins.edges.tolist())
    assert bins.edges[0] < min(values)
    assert bins.edges[-1] > max(values)
    assert not math.isinf(bins.edges[-1])
