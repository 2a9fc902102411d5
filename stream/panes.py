"""Panes: entries of all partitions added up by event time, and closed when the stream's watermark passes.

The watermark is the smallest frontier over the stream's partitions, minus the lateness. A partition does not hold it back
when it is *idle* (read to its end, and none of the stream's records for 30 s of ledger time; said at most 3 heartbeats ago,
or the partitions of a killed worker would count as idle while their records wait) or *unowned* (no entry for 10 min; panes
then close ``partial`` and are not tested). It never falls, and holds when no partition counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.counts import FieldCounts, Group, PaneCounts, StreamCounts
from stream.layout import Section
from stream.ledger import HEARTBEAT_MS, Fold
from stream.plan import StreamPlan

IDLE_MS = 30_000
SILENT_MS = 3 * HEARTBEAT_MS
UNOWNED_MS = 600_000
MAX_OPEN = 60
"""Panes of a stream that may be open beside those that its lateness keeps open; then the oldest closes ``partial``."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Attributes: time: event time up to which the stream is complete (ms; None: nothing can be said yet). partial: a
    partition without an owner was left out. history: some partition has not yet passed the end its first ``open`` saw.
    """

    time: int | None
    partial: bool
    history: bool


@dataclass(eq=False)
class ClosedPane:
    """One pane of one stream, complete as far as the watermark can tell.

    Attributes:
        index: event time // pane length. section: the section its field counts are ordered by.
        counts: all groups, in the section's field order.
        binned: bool[F], False where parts of the pane were counted with other edges (or none): no bins for that field.
        partial: closed although something was missing: kept, not tested. history: teaches, its findings are dropped.
    """

    stream: str
    index: int
    section: Section
    counts: PaneCounts
    binned: NDArray[np.bool_]
    partial: bool = False
    history: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "index": self.index,
            "section": self.section.id,
            "fields": list(self.section.names),
            "counts": self.counts.to_dict(),
            "binned": self.binned,
            "partial": self.partial,
            "history": self.history,
        }


@dataclass(eq=False)
class OpenPane:
    """Counts of one pane so far: totals, and field counts apart for each section they were counted with."""

    totals: PaneCounts = field(default_factory=PaneCounts)
    blocks: dict[str, PaneCounts] = field(default_factory=dict)

    def add(self, counts: PaneCounts, section: str) -> None:
        self.totals.add_totals(counts)
        self.blocks.setdefault(section, PaneCounts()).groups.update(_added(self.blocks[section].groups, counts.groups))


class Panes:
    """The open panes of one stream.

    Attributes:
        watermark: event time in ms; never falls. next: index below which every pane is closed.
        after_close: records that came for a pane already closed.
        live: index of the first pane that is not history; None while some partition still reads what the topic held at first.
    """

    def __init__(self, plan: StreamPlan, pane_ms: int) -> None:
        self.plan = plan
        self.pane_ms = pane_ms
        self.open: dict[int, OpenPane] = {}
        self.watermark: int | None = None
        self.next: int | None = None
        self.after_close = 0
        self.live: int | None = None

    def add(self, counts: StreamCounts) -> None:
        """Add what one accepted entry says about this stream."""
        for index, pane in counts.panes.items():
            if self.next is not None and index < self.next:
                self.after_close += pane.applied
                continue
            self.open.setdefault(index, OpenPane()).add(pane, counts.section)

    def close(self, mark: Watermark, sections: dict[str, Section], current: Section) -> list[ClosedPane]:
        """Move the watermark and return the panes it closes, oldest first.

        The history ends with the newest pane there was when the last partition passed the end that its first ``open`` saw.
        """
        if self.live is None and not mark.history:
            self.live = 1 + max(self.open, default=-1)
        if mark.time is not None and (self.watermark is None or mark.time > self.watermark):
            self.watermark = mark.time
        done = [] if self.watermark is None else [i for i in self.open if (i + 1) * self.pane_ms <= self.watermark]
        closed = [self._take(index, sections, current, mark.partial) for index in sorted(done)]
        if self.watermark is not None:
            self._advance(self.watermark // self.pane_ms)
        while len(self.open) > MAX_OPEN + self.plan.lateness_ms // self.pane_ms:
            index = min(self.open)
            closed.append(self._take(index, sections, current, True))
            self._advance(index + 1)
        return closed

    def break_off(self, sections: dict[str, Section], current: Section) -> list[ClosedPane]:
        """Close what is open as partial: an operator moved a partition, so it will not become complete."""
        newest = max(self.open, default=-1)
        closed = [self._take(index, sections, current, True) for index in sorted(self.open)]
        self._advance(newest + 1)
        return closed

    def drop(self, frontier: int) -> None:
        """Drop what is open, and whatever may still come for a pane that holds event times up to a frontier."""
        self.open.clear()
        self._advance(frontier // self.pane_ms + 1)

    def _advance(self, index: int) -> None:
        self.next = index if self.next is None else max(self.next, index)

    def _take(self, index: int, sections: dict[str, Section], current: Section, partial: bool) -> ClosedPane:
        pane = self.open.pop(index)
        groups: dict[Group, FieldCounts] = {}
        binned = np.ones(len(current.fields), np.bool_)
        for name, block in sorted(pane.blocks.items()):
            section = sections.get(name)
            if section is None:
                continue
            rows, same = match(section, current)
            moved = {group: _moved(counts, rows, same) for group, counts in block.groups.items()}
            binned &= same
            groups = _added(groups, moved)
        pane.totals.groups = groups
        return ClosedPane(
            self.plan.name, index, current, pane.totals, binned, partial, self.live is None or index < self.live
        )

    def state(self) -> dict[str, Any]:
        blocks = {
            index: {name: block.to_dict() for name, block in pane.blocks.items()} for index, pane in self.open.items()
        }
        return {
            "open": [[index, pane.totals.to_dict(), blocks[index]] for index, pane in sorted(self.open.items())],
            "watermark": self.watermark,
            "next": self.next,
            "after_close": self.after_close,
            "live": self.live,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.open = {
            index: OpenPane(
                PaneCounts.from_dict(totals), {name: PaneCounts.from_dict(block) for name, block in blocks.items()}
            )
            for index, totals, blocks in tree["open"]
        }
        self.watermark, self.next, self.after_close = tree["watermark"], tree["next"], tree["after_close"]
        self.live = tree["live"]


def watermark(fold: Fold, plan: StreamPlan, partitions: int) -> Watermark:
    """Return how far a stream is complete.

    Args:
        fold: the ledger so far.
        plan: the stream.
        partitions: how many partitions the layout in force lists; they count even before their first ``open``.
    """
    known = dict(fold.of_topic(plan.topic))
    frontiers: list[int] = []
    partial = False
    history = any(position.next < position.history for position in known.values())
    for partition in range(max(partitions, 1 + max(known, default=-1))):
        position = known.get(partition)
        if position is None:
            if partition < partitions and fold.time_ms <= UNOWNED_MS:
                return Watermark(None, partial, True)
            partial = partial or partition < partitions
            continue
        if fold.time_ms - position.heard_ms > UNOWNED_MS:
            partial = True
            continue
        stirred = position.stirred.get(plan.name, 0)
        heard = fold.time_ms - position.heard_ms <= SILENT_MS
        if heard and position.at_end and fold.time_ms - stirred >= IDLE_MS:
            continue
        frontier = position.frontier.get(plan.name, (None, None))[0]
        if frontier is None:
            return Watermark(None, partial, history)
        frontiers.append(frontier)
    return Watermark(min(frontiers) - plan.lateness_ms if frontiers else None, partial, history)


def match(old: Section, new: Section) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return, for each field of ``new``, its row in ``old`` (-1: not there) and whether their bin counts may be added."""
    if old.id == new.id:
        return np.arange(len(new.fields)), np.ones(len(new.fields), np.bool_)
    at = {name: row for row, name in enumerate(old.names)}
    rows = np.array([at.get(name, -1) for name in new.names], np.int64)
    ids = old.bin_ids
    same = [row >= 0 and bins is not None and ids[row] == bins.id for row, bins in zip(rows, new.bins, strict=True)]
    return rows, np.array(same, np.bool_)


def _moved(counts: FieldCounts, rows: NDArray[np.int64], same: NDArray[np.bool_]) -> FieldCounts:
    moved = counts.take(rows)
    moved.bins[~same] = 0
    return moved


def _added(groups: dict[Group, FieldCounts], more: dict[Group, FieldCounts]) -> dict[Group, FieldCounts]:
    total = dict(groups)
    for group, counts in more.items():
        if group in total:
            total[group].add(counts)
        else:
            total[group] = FieldCounts.from_dict(counts.to_dict())
    return total
