"""What a reference is learned from: counted along as panes come and go, and the same as if it were added up anew."""

from __future__ import annotations

import numpy as np

from stream.judging.learning import MAX_LESSON, Lesson
from stream.layout import BINS
from stream.learn import MIN_N, MIN_PANES, MIN_VALUES

FIELDS = 3
ALL = np.ones(FIELDS, np.bool_)


def lesson(panes: int, per_pane: int, thin: int) -> Lesson:
    """Return a lesson of panes in which the last field has ``thin`` values and the others ``per_pane``."""
    taken = Lesson(FIELDS)
    for index in range(panes):
        bins = np.zeros((FIELDS, BINS), np.int32)
        bins[:, 0] = [per_pane, per_pane, thin]
        taken.add(index, bins)
    return taken


def test_what_is_counted_along_is_what_the_kept_panes_hold() -> None:
    rng = np.random.default_rng(7)
    taken = Lesson(FIELDS)
    for index in range(MAX_LESSON + 50):
        taken.add(index, rng.poisson(1, (FIELDS, BINS)).astype(np.int32))
    held = np.array(taken.panes)
    assert len(held) == MAX_LESSON
    assert taken.values.tolist() == held.sum(axis=(0, 2)).tolist()
    assert taken.usable.tolist() == (held.sum(axis=2) >= MIN_N).sum(axis=0).tolist()


def test_panes_and_values_must_both_suffice() -> None:
    enough = MIN_VALUES // MIN_PANES
    assert lesson(MIN_PANES, enough, enough).suffices(ALL, MIN_PANES)
    assert not lesson(MIN_PANES - 1, 2 * enough, 2 * enough).suffices(ALL, MIN_PANES)
    assert not lesson(MIN_PANES, enough - 1, enough - 1).suffices(ALL, MIN_PANES)


def test_a_thin_field_is_waited_for_up_to_four_times_the_panes() -> None:
    """Unless it has no bins, so that nothing is to be learned of it."""
    assert not lesson(MAX_LESSON - 1, 100, MIN_N - 1).suffices(ALL, MIN_PANES)
    assert lesson(MAX_LESSON, 100, MIN_N - 1).suffices(ALL, MIN_PANES)
    assert lesson(MIN_PANES, 100, MIN_N - 1).suffices(np.array([True, True, False]), MIN_PANES)


def test_nothing_is_learned_when_every_field_is_thin() -> None:
    assert not lesson(MAX_LESSON, MIN_N - 1, MIN_N - 1).suffices(ALL, MIN_PANES)


def test_a_reference_spans_what_was_stated_also_where_the_oldest_panes_were_dropped() -> None:
    """The panes of an hour's rush are enough by number, and say nothing of the rest of the day."""
    taken = lesson(MIN_PANES, 100, 100)
    assert not taken.suffices(ALL, MIN_PANES + 1)
    taken.add(3 * MAX_LESSON - 1, np.zeros((FIELDS, BINS), np.int32))
    assert taken.spans == 3 * MAX_LESSON
    assert taken.suffices(ALL, 3 * MAX_LESSON)
    assert not taken.suffices(ALL, 3 * MAX_LESSON + 1)
