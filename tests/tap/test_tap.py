"""Tap: every record in exactly one entry, however chunks and entries are cut."""

from __future__ import annotations

from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import codec
from stream.batch import RecordBatch
from stream.layout import layout_zero
from stream.ledger import Position
from stream.plan import Field, Plan, StreamPlan
from stream.reading import tally
from stream.tap import Fed, Tap, anchor
from tests.tap.taps import (
    HASH_KEY,
    KEY,
    NOW,
    TOPIC,
    Record,
    Run,
    body,
    chunk,
    decoded,
    logs,
    placed,
)

cuts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans(), st.integers(0, 9)), min_size=1, max_size=9
)
"""Per chunk: records fetched again, new offsets, whether an entry is cut after it, and (on 0) the tap thrown away."""


@given(logs, st.booleans(), cuts)
def test_any_cuts_of_chunks_and_entries_add_up_to_the_same(
    items: list[tuple[Record, int]], learned: bool, steps: list[tuple[int, int, bool, int]]
) -> None:
    """Chunks overlap, entries end anywhere, taps are thrown away: counts, frontiers and sketches are those of one pass."""
    log, end = placed(items)
    whole = Run(learned)
    whole.feed(chunk(log, 100, end))
    whole.cut()

    parts = Run(learned)
    thrown_away = 0
    for again, more, cut, luck in cycle(steps):
        at = parts.tap.cursor.next
        if at == end:
            break
        parts.feed(chunk(log, max(100, at - again), min(at + more, end)))
        if cut:
            parts.cut()
        if luck == 0 and thrown_away < 3:
            parts.tap = parts.start()
            thrown_away += 1
    parts.cut()
    assert codec.digest(parts.result()) == codec.digest(whole.result())


@given(logs)
def test_a_full_entry_is_cut_and_nothing_is_counted_twice(items: list[tuple[Record, int]]) -> None:
    log, end = placed(items)
    wide, narrow = Run(learned=False), Run(learned=False)
    wide.feed(chunk(log, 100, end))
    wide.cut()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "MAX_PANES", 2)
        patch.setattr(tally, "SKETCH_BYTES", 300_000 // 4)
        narrow.feed(chunk(log, 100, end))
        narrow.cut()
    assert codec.digest(narrow.result()) == codec.digest(wide.result())


def test_an_entry_holds_few_panes() -> None:
    """A stream with one record a minute must not make an entry of a thousand panes."""
    run = Run()
    log = [(100 + i, Record(body(x=1.0), timestamp=1000 * i)) for i in range(100)]
    run.feed(chunk(log, 100, 200))
    run.cut()
    assert 4 <= run.cuts <= 8
    assert run.classes["m.features"]["applied"] == 100


def test_the_largest_entry_stays_below_the_limit_of_a_record() -> None:
    """200 fields of full precision, being learned: the entry is cut before 900 kB whatever comes."""
    fields = tuple(Field(f"f{i}", f"f{i}") for i in range(200))
    plan = Plan("app", (StreamPlan("m.features", "m", "features", TOPIC, fields=fields),), ())
    tap = Tap(layout_zero(plan, {TOPIC: 1}), KEY, Position(0, 0), HASH_KEY)
    rng = np.random.default_rng(7)
    values: list[bytes | None] = [
        body(**{f"f{i}": x for i, x in enumerate(row)}) for row in rng.lognormal(0, 3, (600, 200))
    ]
    batch = RecordBatch(TOPIC, 3, 0, 600, 600, list(range(600)), [0] * 600, [None] * 600, values, [()] * 600)
    sizes = []
    while tap.feed(batch, NOW) is Fed.FULL:
        sizes.append(len(tap.cut(600)))
    sizes.append(len(tap.cut(600)))
    assert len(sizes) > 1
    assert max(sizes) < 900_000
    assert tap.cursor.base == 600


def test_a_chunk_that_does_not_continue_is_not_counted() -> None:
    """It stems from a fetch before a seek."""
    run = Run()
    log, _ = placed([(Record(body(x=1.0)), 1)] * 10)
    assert run.tap.feed(chunk(log, 103, 110), NOW) is Fed.MISPLACED
    assert run.tap.cursor.next == 100
    assert not run.tap.pending
    run.feed(chunk(log, 100, 105))
    assert run.tap.feed(chunk(log, 100, 103), NOW) is Fed.MISPLACED
    run.feed(chunk(log, 102, 110))
    run.cut()
    assert run.classes["m.features"]["applied"] == 10


def test_gaps_and_losses_are_classes_of_their_own() -> None:
    run = Run()
    run.feed(chunk([], 100, 107))
    run.tap.lost(120)
    run.tap.lost(110)
    run.cut()
    for name in ("m.features", "m.predictions"):
        assert {key: n for key, n in run.classes[name].items() if n} == {"gaps": 7, "lost": 13}
    assert run.position.next == 120
    assert run.position.anchor is None


def test_nothing_pending_makes_a_heartbeat_that_keeps_the_frontier() -> None:
    run = Run()
    log, end = placed([(Record(body(x=1.0), 5_000), 1)] * 2)
    run.feed(chunk(log, 100, end))
    run.cut()
    before = dict(run.position.frontier)
    header, streams = decoded(run.tap.cut(end=end))
    assert (header["from"], header["to"], streams) == (end, end, {})
    assert run.ledger.apply(run.ledger.offset, header)
    assert run.position.frontier == before == {"m.features": (5_000, None), "m.predictions": (None, None)}
    assert run.position.anchor == anchor(chunk(log, 100, end), 1)


def test_a_new_layout_is_in_force_after_a_cut_and_not_before() -> None:
    run = Run()
    log, end = placed([(Record(body(x=1.0), 5_000), 1)] * 4)
    run.feed(chunk(log, 100, 102))
    other = run.layout.with_section(run.layout.sections["m.features"].replace(versions=("1", "2")))
    with pytest.raises(AssertionError, match="counted by the layout before"):
        run.tap.adopt(other)
    header, streams = decoded(run.tap.cut(end))
    assert header["layout"] == run.layout.id
    run.tap.adopt(other)
    run.tap.feed(chunk(log, 102, end), NOW)
    header, later = decoded(run.tap.cut(end))
    assert header["layout"] == other.id
    assert header["frontier"]["m.features"] == [5_000, None]
    assert streams["m.features"].section != later["m.features"].section == other.sections["m.features"].id
