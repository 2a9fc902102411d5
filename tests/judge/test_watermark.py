"""What holds the watermark, and how many panes may be open: both must be the same whoever was killed in between."""

from __future__ import annotations

from dataclasses import replace

from stream.counts import PaneCounts, StreamCounts
from stream.layout import Section
from stream.ledger import Fold, Position
from stream.panes import IDLE_MS, MAX_OPEN, SILENT_MS, UNOWNED_MS, Panes, Watermark, watermark
from stream.plan import StreamPlan

PLAN = StreamPlan("m.features", "m", "features", "t", lateness_ms=10_000)
SECTION = Section(PLAN.name, (), (), False, (), (), 2)
NOW = 2 * UNOWNED_MS


def fold(heard_ms: int) -> Fold:
    """Return a ledger with a busy partition and one that said long ago that it was at its end."""
    busy = Position(
        next=10, first=0, end=10, frontier={PLAN.name: (900_000, None)}, heard_ms=NOW, stirred={PLAN.name: NOW}
    )
    quiet = replace(busy, frontier={PLAN.name: (500_000, None)}, heard_ms=heard_ms, stirred={PLAN.name: NOW - IDLE_MS})
    result = Fold()
    result.time_ms = NOW
    result.positions = {("t", 0): busy, ("t", 1): quiet}
    return result


def test_an_idle_partition_does_not_hold_the_watermark() -> None:
    """Idle is who says so now: at its end, and no record for 30 s."""
    assert watermark(fold(NOW - SILENT_MS), PLAN, 2) == Watermark(890_000, False, False)


def test_a_killed_workers_partition_holds_the_watermark() -> None:
    """Nobody has heard of it for more than 3 heartbeats: its records may be waiting, whatever it said last."""
    assert watermark(fold(NOW - SILENT_MS - 1), PLAN, 2) == Watermark(490_000, False, False)


def test_a_partition_without_owner_is_left_out_in_the_end() -> None:
    """After 10 min the panes go on, and say that something is missing."""
    assert watermark(fold(NOW - UNOWNED_MS - 1), PLAN, 2) == Watermark(890_000, True, False)


def test_panes_kept_open_by_the_lateness_are_not_too_many() -> None:
    """60 panes may be open beside those; the oldest of more closes partial."""
    panes = Panes(PLAN, 1_000)
    most = MAX_OPEN + 10
    panes.add(StreamCounts(panes={index: PaneCounts(applied=1) for index in range(most)}, section=SECTION.id))
    assert panes.close(Watermark(None, False, False), {}, SECTION) == []
    panes.add(StreamCounts(panes={most: PaneCounts(applied=1)}, section=SECTION.id))
    assert [(pane.index, pane.partial) for pane in panes.close(Watermark(None, False, False), {}, SECTION)] == [
        (0, True)
    ]
