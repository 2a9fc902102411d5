"""Coarse panes: nothing of a closed pane is lost or counted twice on the way to the learner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.coarse import Coarse, CoarsePane
from stream.codec import pack, unpack
from stream.counts import NULL, NUMBER, FieldCounts, PaneCounts
from stream.gathering import Kept
from stream.layout import BINS, Bins, Section
from stream.learn import MIN_N
from stream.panes import ClosedPane
from tests.judge.weeks import GAUSS, HOUR, NONE, STREAM, section

OTHER = Bins("number", np.array([0.0, 1.0]), NONE, NONE)
TWO = section("a", "b")
MINUTE = 60_000

steps = st.lists(st.tuples(st.integers(1, 12), st.integers(0, 80), st.integers(0, 20), st.booleans()), max_size=40)
"""(panes since the last one, values of a, values of b, whether b's bins may be added)."""


def closed(index: int, a: int, b: int, binned: bool = True) -> ClosedPane:
    """Return a pane in which the values stand in a bin of their own, so that they are told apart."""
    counts = FieldCounts.zero(2)
    counts.records = max(a, b)
    counts.bins[0, index % BINS], counts.bins[1, (index + 1) % BINS] = a, b
    counts.types[:, NUMBER], counts.types[:, NULL] = (a, b), (b, a)
    groups = {("*", "*"): counts} if counts.records else {}
    return ClosedPane(STREAM, index, TWO, PaneCounts(groups), np.array([True, binned]))


def panes_of(drawn: list[tuple[int, int, int, bool]]) -> list[ClosedPane]:
    indexes = np.cumsum([gap for gap, *_ in drawn]).tolist()
    return [closed(100 + index, a, b, binned) for index, (_, a, b, binned) in zip(indexes, drawn, strict=True)]


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(1, 7))
def test_nothing_of_a_day_is_lost_whatever_the_gaps(drawn: list[tuple[int, int, int, bool]], panes: int) -> None:
    """What was taken and what is still held add up to the panes' sums; a field is told with 30 values or not at all."""
    coarse = Coarse(STREAM, TWO, panes, MINUTE)
    done: list[CoarsePane] = []
    given, asked = np.zeros((2, BINS), np.int64), np.zeros((2, 2), np.int64)
    for pane in panes_of(drawn):
        done += coarse.add(pane)
        total = pane.counts.total()
        if total is not None:
            given += np.where(pane.binned[:, None], total.bins, 0)
            asked += np.array([total.types[:, kind] for kind in (NUMBER, NULL)]).T
        assert np.array_equal(sum((item.bins for item in done), coarse.bins), given)
        assert np.array_equal(sum((item.presence for item in done), coarse.presence), asked)
        if pane.index % panes == panes - 1:
            assert coarse.index is None, "the last pane of a coarse one completes it"
            assert (coarse.bins.sum(axis=1) < MIN_N).all(), "only thin fields are carried on"
        else:
            assert coarse.index == pane.index // panes
    indexes = [item.index for item in done]
    assert indexes == sorted(set(indexes)), "each once, in order"
    assert set(indexes) <= {pane.index // panes for pane in panes_of(drawn)}
    values = np.array([item.bins.sum(axis=1) for item in done]).reshape(-1, 2)
    assert ((values == 0) | (values >= MIN_N)).all()
    records = np.array([item.presence.sum(axis=1) for item in done]).reshape(-1, 2)
    assert ((records == 0) | (records >= MIN_N)).all()


@settings(max_examples=50, deadline=None)
@given(steps, st.integers(1, 7), st.integers(0, 39))
def test_a_restart_in_the_middle_changes_nothing(drawn: list[tuple[int, int, int, bool]], panes: int, at: int) -> None:
    """State through a frame and back gives the same coarse panes to the byte."""
    calm, shaken = Coarse(STREAM, TWO, panes, MINUTE), Coarse(STREAM, TWO, panes, MINUTE)
    for number, pane in enumerate(panes_of(drawn)):
        if number == at:
            saved = unpack(pack({}, shaken.state()))[1]
            shaken = Coarse(STREAM, TWO, panes, MINUTE)
            shaken.restore(saved)
        mine, theirs = calm.add(pane), shaken.add(pane)
        assert [item.frame(HOUR) for item in mine] == [item.frame(HOUR) for item in theirs]
    assert pack({}, calm.state()) == pack({}, shaken.state())


def test_two_that_start_from_one_state_do_not_share_it() -> None:
    """A checkpoint may be restored twice."""
    coarse = Coarse(STREAM, TWO, 5, MINUTE)
    coarse.add(closed(0, 10, 10))
    other = Coarse(STREAM, TWO, 5, MINUTE)
    other.restore(coarse.state())
    other.add(closed(1, 100, 0))
    assert coarse.bins.sum() == 20


def test_two_are_complete_at_once_where_the_older_one_ended_in_a_gap() -> None:
    """Pane 3 closes nothing; the next one that comes is the last of its own."""
    coarse = Coarse(STREAM, TWO, 5, MINUTE)
    assert coarse.add(closed(3, 40, 0)) == []
    one, other = coarse.add(closed(9, 50, 35))
    assert ((one.index, *one.bins.sum(axis=1)), (other.index, *other.bins.sum(axis=1))) == ((0, 40, 0), (1, 50, 35))
    assert (one.key, other.key) == (b"m.features/coarse/0", b"m.features/coarse/1")


def test_a_thin_field_is_told_with_the_pane_that_completes_it() -> None:
    """Twelve values an hour make a coarse pane of 36 every third one; the others do not wait for it."""
    coarse = Coarse(STREAM, TWO, 1, MINUTE)
    told = [coarse.add(closed(index, 30, 12))[0].bins.sum(axis=1).tolist() for index in range(6)]
    assert told == [[30, 0], [30, 0], [30, 36], [30, 0], [30, 0], [30, 36]]


@pytest.mark.parametrize(("hours", "told"), [(23, 32), (24, 32), (25, 0), (63, 0)])
def test_what_a_thin_field_carries_is_dropped_after_a_day(hours: int, told: int) -> None:
    """Friday's values are not Monday's; what came after the gap is carried on."""
    coarse = Coarse(STREAM, TWO, 1, HOUR)
    coarse.add(closed(7, 20, 0))
    (done,) = coarse.add(closed(7 + hours, 12, 0))
    assert (done.bins[0].sum(), done.presence[0].sum()) == (told, told)
    (done,) = coarse.add(closed(8 + hours, 18, 0))
    assert (done.bins[0].sum(), done.presence[0].sum()) == ((0, 0) if told else (30, 30))


def test_values_and_records_are_aged_apart() -> None:
    """A field that is seldom there has records enough, and values that are dropped."""
    coarse = Coarse(STREAM, TWO, 1, HOUR)
    told = [coarse.add(closed(12 * pane, 8, 40))[0] for pane in range(4)]
    assert [item.bins[0].sum() for item in told] == [0, 0, 0, 0], (
        "after three panes they are 24, then the oldest are too old"
    )
    assert [item.presence[0].sum() for item in told] == [48, 48, 48, 48]


@settings(max_examples=150, deadline=None)
@given(steps, st.integers(1, 30), st.integers(0, 39))
def test_it_is_what_the_words_say(drawn: list[tuple[int, int, int, bool]], panes: int, at: int) -> None:
    """Nothing that is told began more than a day before its last pane, and what is dropped was thin; through a restart too."""
    coarse = Coarse(STREAM, TWO, panes, HOUR)
    held: list[tuple[int, int]] = []
    for number, pane in enumerate(panes_of(drawn)):
        if number == at:
            saved = unpack(pack({}, coarse.state()))[1]
            coarse = Coarse(STREAM, TWO, panes, HOUR)
            coarse.restore(saved)
        done = {item.index: int(item.bins[0].sum()) for item in coarse.add(pane)}
        mine = pane.index // panes
        for index in sorted(done):
            if index == mine:
                continue
            amount = sum(n for _, n in held)
            assert done[index] == (amount if amount >= MIN_N else 0)
            held = [] if amount >= MIN_N else held
        if held and pane.index - held[0][0] > 24:
            held = []
        a = int(pane.counts.groups["*", "*"].bins[0].sum()) if pane.counts.groups else 0
        held += [(pane.index, a)] if a else []
        amount = sum(n for _, n in held)
        if mine in done:
            assert done[mine] == (amount if amount >= MIN_N else 0)
            held = [] if amount >= MIN_N else held
        assert coarse.bins[0].sum() == sum(n for _, n in held)


def test_a_pane_counted_with_other_edges_adds_nothing_of_that_field() -> None:
    coarse = Coarse(STREAM, TWO, 2, MINUTE)
    coarse.add(closed(0, 40, 40, binned=False))
    (done,) = coarse.add(closed(1, 40, 31))
    assert done.bins.sum(axis=1).tolist() == [80, 31]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3 * MIN_N), min_size=3, max_size=3), st.integers(0, 10**7))
def test_what_was_written_comes_back(values: list[int], index: int) -> None:
    """Numbers, names and ids of the bins, what is missing; a field without records is not named."""
    own = Section(STREAM, section("a", "b", "c").fields, (GAUSS, OTHER, GAUSS), True, (), (), 1)
    bins = np.zeros((3, BINS), np.int64)
    bins[:, 1], bins[:, 35] = values, [2 * value for value in values]
    presence = np.array([values, values[::-1]]).T
    header, body = unpack(CoarsePane(STREAM, index, own, bins, presence).frame(HOUR))
    kept = Kept.of(header, body)
    named = [row for row in range(3) if values[row] or presence[row].any()]
    assert (kept.stream, kept.index, header["length"]) == (STREAM, index, HOUR)
    assert kept.fields == ["abc"[row] for row in named]
    assert kept.ids == [(GAUSS, OTHER, GAUSS)[row].id for row in named]
    assert np.array_equal(kept.bins, bins[named])
    assert np.array_equal(kept.presence, presence[named])


def adopted(after: Section) -> CoarsePane:
    """Return a coarse pane half full, once it goes on under another section."""
    coarse = Coarse(STREAM, TWO, 5, MINUTE)
    coarse.add(closed(0, 40, 45))
    at = {name: row for row, name in enumerate(TWO.names)}
    rows = np.array([at.get(name, -1) for name in after.names])
    same = [row >= 0 and TWO.bins[row] is bins for row, bins in zip(rows, after.bins, strict=True)]
    coarse.adopt(after, rows, np.array(same, np.bool_))
    (done,) = coarse.add(closed(5, 0, 0))
    return done


def test_another_section_drops_what_has_other_bins_and_nothing_else() -> None:
    """Fields move to their new rows; a new one begins with nothing, and one that is gone leaves nothing."""
    fields = section("new", "b", "a").fields
    done = adopted(Section(STREAM, fields, (GAUSS, GAUSS, OTHER), True, (), (), 1))
    assert done.bins.sum(axis=1).tolist() == [0, 45, 0]
    assert done.bins[1, 1] == 45
    done = adopted(Section(STREAM, fields[1:], (GAUSS, GAUSS), True, (), (), 1))
    assert done.bins.sum(axis=1).tolist() == [45, 40]
    assert adopted(section("new")).bins.sum() == 0
