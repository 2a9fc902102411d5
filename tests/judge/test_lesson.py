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
    for _ in range(panes):
        bins = np.zeros((FIELDS, BINS), np.int32)
        bins[:, 0] = [per_pane, per_pane, thin]
        taken.add(bins)
    return taken


def test_what_is_counted_along_is_what_the_kept_panes_hold() -> None:
    rng = np.random.default_rng(7)
    taken = Lesson(FIELDS)
    for _ in range(MAX_LESSON + 50):
        taken.add(rng.poisson(1, (FIELDS, BINS)).astype(np.int32))
    held = np.array(taken.panes)
    assert len(held) == MAX_LESSON
    assert taken.values.tolist() == held.sum(axis=(0, 2)).tolist()
    assert taken.usable.tolist() == (held.sum(axis=2) >= MIN_N).sum(axis=0).tolist()


def test_panes_and_values_must_both_suffice() -> None:
    enough = MIN_VALUES // MIN_PANES
    assert lesson(MIN_PANES, enough, enough).suffices(ALL)
    assert not lesson(MIN_PANES - 1, 2 * enough, 2 * enough).suffices(ALL)
    assert not lesson(MIN_PANES, enough - 1, enough - 1).suffices(ALL)


def test_a_thin_field_is_waited_for_up_to_four_times_the_panes() -> None:
    """Unless it has no bins, so that nothing is to be learned of it."""
    assert not lesson(MAX_LESSON - 1, 100, MIN_N - 1).suffices(ALL)
    assert lesson(MAX_LESSON, 100, MIN_N - 1).suffices(ALL)
    assert lesson(MIN_PANES, 100, MIN_N - 1).suffices(np.array([True, True, False]))


def test_nothing_is_learned_when_every_field_is_thin() -> None:
    assert not lesson(MAX_LESSON, MIN_N - 1, MIN_N - 1).suffices(ALL)
