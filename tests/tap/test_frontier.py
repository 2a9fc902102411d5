"""Frontier: a function of the log alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from stream.ledger import Frontier
from stream.reading.frontier import JUMP_MS, NEVER, advance

near = st.integers(-3, 3)
times = st.lists(st.one_of(near, near.map(lambda x: JUMP_MS + x), st.integers(-4 * JUMP_MS, 4 * JUMP_MS)), max_size=30)


def reference(times: list[int]) -> tuple[list[int | None], Frontier]:
    """The rule, one record at a time."""
    before: list[int | None] = []
    frontier = candidate = None
    for time in times:
        before.append(frontier)
        if frontier is not None and time <= frontier + JUMP_MS:
            frontier, candidate = max(frontier, time), None
        elif candidate is None:
            candidate = time
        else:
            frontier = min(candidate, time)
            candidate = time if time > frontier + JUMP_MS else None
    return before, (frontier, candidate)


@given(times, st.data())
def test_any_batching_gives_the_frontier_of_the_log(log: list[int], data: st.DataObject) -> None:
    expected, end = reference(log)
    state: Frontier = (None, None)
    before: list[int] = []
    at = 0
    while at < len(log):
        size = data.draw(st.integers(1, len(log) - at))
        part, state = advance(state, np.array(log[at : at + size], np.int64))
        before += part.tolist()
        at += size
    assert [None if time == NEVER else time for time in before] == expected
    assert state == end


def test_one_wrong_clock_does_not_move_the_frontier() -> None:
    before, state = advance((0, None), np.array([10, 50 * JUMP_MS, 20, 30]))
    assert before.tolist() == [0, 10, 10, 20]
    assert state == (30, None)


def test_two_records_beyond_the_jump_move_it_to_the_smaller() -> None:
    assert advance((0, None), np.array([3 * JUMP_MS, 2 * JUMP_MS]))[1] == (2 * JUMP_MS, None)


def test_the_first_record_of_all_is_only_a_candidate() -> None:
    before, state = advance((None, None), np.array([5]))
    assert before.tolist() == [NEVER]
    assert state == (None, 5)


def test_records_further_apart_than_the_jump_lag_by_one() -> None:
    """An hourly stream moves on with every record, one record behind."""
    hours = np.arange(5) * 6 * JUMP_MS
    assert advance((None, None), hours)[1] == (3 * 6 * JUMP_MS, 4 * 6 * JUMP_MS)


def test_nothing_read_moves_nothing() -> None:
    before, state = advance((7, 9), np.zeros(0, np.int64))
    assert before.tolist() == []
    assert state == (7, 9)
