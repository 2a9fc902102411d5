"""Who waits while catching up: for the slowest partition, never two for each other; nobody for bins that cannot come."""

from __future__ import annotations

import pytest

from stream.catchup import AHEAD_PANES, learns_bins, must_wait
from stream.layout import Layout, layout_zero
from stream.ledger import Fold, Position
from stream.plan import Field, Plan, StreamPlan

PANE = 60_000
FAR = (AHEAD_PANES + 1) * PANE
A, B = (StreamPlan(f"{name}.features", name, "features", "t", fields=(Field("x", "x"),)) for name in "ab")


def layout(*streams: StreamPlan, partitions: int = 2) -> Layout:
    return layout_zero(Plan("app", streams, (), PANE), {"t": partitions})


def ledger(*frontiers: dict[StreamPlan, int], at_end: bool = False) -> Fold:
    """Return a ledger in which each partition has come so far in each stream."""
    fold = Fold()
    for partition, times in enumerate(frontiers):
        frontier = {stream.name: (time, None) for stream, time in times.items()}
        fold.positions["t", partition] = Position(10, 0, end=10 if at_end else 99, frontier=frontier)
    return fold


def waiting(watched: Layout, fold: Fold) -> list[int]:
    """Return the partitions that must wait."""
    return [
        key[1] for key in sorted(fold.positions) if must_wait(watched, fold, key, dict.fromkeys(watched.sections, 0))
    ]


def test_a_partition_waits_when_it_is_far_ahead_of_the_slowest() -> None:
    watched = layout(A, partitions=3)
    assert waiting(watched, ledger({A: 0}, {A: FAR - PANE}, {A: FAR})) == [2]
    assert waiting(watched, ledger({A: 0}, {A: FAR}, {A: 3 * FAR})) == [1, 2]


def test_two_streams_of_opposite_skew_do_not_wait_for_each_other() -> None:
    """Each partition is far ahead in one stream and the slowest of the other: one that is waited for does not wait."""
    assert waiting(layout(A, B), ledger({A: FAR, B: 0}, {A: 0, B: FAR})) == []


def test_a_stream_that_a_partition_has_not_reached_yet_counts_as_its_slowest() -> None:
    """One partition begins with all records of one stream, the other with all of the other stream."""
    assert waiting(layout(A, B), ledger({A: FAR}, {B: FAR})) == []
    assert waiting(layout(A), ledger({A: FAR}, {})) == [0]


def test_skew_in_one_stream_alone_makes_wait_although_the_other_is_even() -> None:
    assert waiting(layout(A, B), ledger({A: FAR, B: 0}, {A: 0, B: 0})) == [0]


def test_whoever_has_nothing_to_read_is_not_waited_for() -> None:
    """Both are at their ends, so nothing that the one reads helps the other."""
    assert waiting(layout(A, B), ledger({A: FAR, B: 0}, {A: 0, B: FAR}, at_end=True)) == [0, 1]


@pytest.mark.parametrize(
    ("fields", "unlisted", "learned", "expected"),
    [
        ((Field("x", "x"),), "ignore", False, True),
        ((), "watch", False, True),
        ((), "ignore", False, False),
        ((), "count", False, False),
        ((Field("x", "x"),), "watch", True, False),
    ],
)
def test_bins_are_waited_for_only_where_some_can_come(
    fields: tuple[Field, ...], unlisted: str, learned: bool, expected: bool
) -> None:
    """A stream without fields, whose unlisted ones are not watched, has none to learn."""
    stream = StreamPlan("m.features", "m", "features", "t", fields=fields, unlisted=unlisted)
    watched = layout(stream)
    watched = watched.with_section(watched.sections[stream.name].replace(learned=learned))
    assert learns_bins(watched, "t") is expected
