"""The first layout of a plan: what it takes over from the layout in force."""

from __future__ import annotations

import dataclasses

import numpy as np

from stream.layout import Bins, Layout, layout_zero
from stream.plan import Field, Plan, StreamPlan

STREAM = StreamPlan("m.features", "m", "features", "t", fields=(Field("amount", "amount"), Field("country", "country")))
PLAN = Plan("app", (STREAM,), (), hash_key_id="one")
NONE = np.zeros(0, np.int64)
NUMBER = Bins("number", np.array([0.0, 1.0]), NONE, NONE)
CATEGORY = Bins("category", np.zeros(0), np.array([-5, 7]), np.array([0, 1]))


def learned() -> Layout:
    zero = layout_zero(PLAN, {"t": 2})
    return zero.with_section(zero.sections[STREAM.name].replace(bins=(NUMBER, CATEGORY), learned=True))


def test_an_unchanged_stream_keeps_what_was_learned() -> None:
    section = layout_zero(dataclasses.replace(PLAN, pane_ms=1000), {"t": 3}, learned()).sections[STREAM.name]
    assert section.bins == (NUMBER, CATEGORY)
    assert section.learned
    assert section.partitions == 2, "the third one was added later"


def test_under_another_hash_key_categories_are_learned_anew_and_numbers_stay() -> None:
    """Their hashes would otherwise all be values never seen before."""
    section = layout_zero(dataclasses.replace(PLAN, hash_key_id="two"), {"t": 2}, learned()).sections[STREAM.name]
    assert section.bins == (NUMBER, None)
    assert not section.learned


def test_another_hash_key_changes_nothing_where_nothing_is_hashed() -> None:
    before = learned()
    section = before.sections[STREAM.name].replace(bins=(NUMBER, None))
    after = layout_zero(dataclasses.replace(PLAN, hash_key_id="two"), {"t": 2}, before.with_section(section))
    assert after.sections[STREAM.name].learned


def test_a_stream_that_is_defined_differently_starts_anew() -> None:
    other = dataclasses.replace(STREAM, where=(("kind", "payment"),))
    section = layout_zero(dataclasses.replace(PLAN, streams=(other,)), {"t": 2}, learned()).sections[STREAM.name]
    assert section.bins == (None, None)
    assert not section.learned
