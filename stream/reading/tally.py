"""Tally: what one tap adds up for one stream of its partition, between two entries.

Rejected and late records have no place of their own in event time: they count in the pane of the frontier as it stood when
they came, and before the first frontier only in the classes of the entry.
"""

from __future__ import annotations

from collections import Counter

from stream.counts import FieldCounts, Group, PaneCounts, StreamCounts, example, smallest, trim_names
from stream.layout import OTHER, Layout, Section
from stream.ledger import Frontier
from stream.plan import StreamPlan
from stream.reading.columns import Records
from stream.reading.fold import SectionFold
from stream.reading.frontier import NEVER
from stream.reading.sketch import Sketch
from stream.reading.sorting import Sorted, Sorter

MAX_PANES = 24
"""Panes in one entry: a partition that may be 24 panes ahead and adds these stays below the 60 that may be open."""

_PANE_BYTES = 14_000  # a census that is full: 3 * 64 names of 64 characters, and the rest of a pane
FIELD_BYTES = 100  # one field of one cell
SKETCH_BYTES = 10  # one row of a sketch


class Tally:
    """Counts of one stream in one partition since the last entry.

    Args:
        layout: in force. plan: of the stream. partition: of the input topic.
        key: of the category hashes. frontier: where the ledger says the stream is.
        budget: bytes that the entry may hold of this stream, roughly.

    Attributes:
        pending: what the next entry will say.
    """

    def __init__(
        self, layout: Layout, plan: StreamPlan, partition: int, key: bytes, frontier: Frontier, budget: int
    ) -> None:
        self.plan = plan
        self.frontier = frontier
        self._section = layout.sections[plan.name]
        self._section_id = self._section.id
        self._partition = partition
        self._budget = budget
        self._pane_ms = layout.plan.pane_ms
        self._has_origins = plan.version is not None or plan.producer is not None
        self._sorter = Sorter(layout, plan)
        self._fold = SectionFold(plan, self._section, key)
        self._listed = _sources(plan, self._section)
        self._start()

    def _start(self) -> None:
        self.pending = StreamCounts(section=self._section_id)
        self._sketch = None if self._section.learned else Sketch.empty(self._section.fields)

    def take(self) -> StreamCounts:
        """Return what is pending and start again from nothing."""
        taken = self.pending
        if self._sketch is not None and taken.applied:
            taken.sketch = self._sketch.to_dict()
        self._start()
        return taken

    def sort(self, chunk: Records, now_ms: int) -> Sorted:
        """Sort records that continue what was counted; nothing is counted yet."""
        return self._sorter.sort(chunk, self.frontier, now_ms)

    def room(self, chunk: Sorted, n: int, fresh: bool) -> int:
        """Return how many of the ``n`` records of a sorted chunk the entry can still hold.

        Args:
            fresh: nothing is pending in any stream of the tap, so at least one record must fit.
        """
        panes = set(self.pending.panes)
        cells = {(index, group) for index, pane in self.pending.panes.items() for group in pane.groups}
        fields = len(self._section.fields)
        room = n
        for cell, index in chunk.cells.items():
            panes.add(cell[0])
            cells.add(cell)
            cost = len(panes) * _PANE_BYTES + len(cells) * fields * FIELD_BYTES
            if len(panes) > MAX_PANES or cost > self._budget:
                room = chunk.at[index[0]]
                break
        if self._sketch is not None and fields:
            rows = self._budget // SKETCH_BYTES
            if self._sketch.size + fields * len(chunk.at) > rows:
                self._sketch.compact()
            fits = max((rows - self._sketch.size) // fields, 0)
            if fits < len(chunk.at):
                room = min(room, chunk.at[fits])
        return max(room, 1) if fresh else room

    def count(self, chunk: Sorted) -> None:
        """Add a sorted chunk to what is pending."""
        self.frontier = chunk.frontier
        self.pending.tombstones += chunk.tombstones
        self.pending.filtered += chunk.filtered
        self.pending.applied += len(chunk.applied)
        self.pending.late += len(chunk.late)
        self._count_rejected(chunk)
        for offset, frontier, behind in chunk.late:
            pane = self._pane(frontier // self._pane_ms, offset, offset)
            pane.late += 1
            pane.late_by_ms = max(pane.late_by_ms, behind)
        for (index, group), positions in chunk.cells.items():
            part = chunk.applied.take(positions)
            times = chunk.times if part is chunk.applied else chunk.times[positions]
            pane = self._pane(index, part.offsets[0], part.offsets[-1])
            pane.applied += len(part)
            counts = pane.groups.setdefault(group, FieldCounts.zero(len(self._section.fields)))
            counts.add(self._fold.count(part, times, counts.example, self._partition, self._sketch))
            if self._has_origins and OTHER in group:
                self._count_origins(pane, group, Counter(chunk.origins[i] for i in positions))
            if self.plan.unlisted != "ignore":
                _add_names(pane.unlisted, part.table.census(self._listed))

    def skip(self, gaps: int = 0, lost: int = 0) -> None:
        """Account for offsets without a record: control records and compaction (gaps), or retention (lost)."""
        self.pending.gaps += gaps
        self.pending.lost += lost

    def refuse(self, reason: str, start: int, end: int) -> None:
        """Reject every offset of ``[start, end)``: a part of the log that cannot be unpacked; its records are not known."""
        frontier = self.frontier[0]
        _add(self.pending.rejected, reason, end - start)
        if frontier is not None:
            pane = self._pane(frontier // self._pane_ms, start, end - 1)
            _add(pane.rejected, reason, end - start)
            pane.references[reason] = smallest([*pane.references.get(reason, []), example(self._partition, start)])

    def _pane(self, index: int, first: int, last: int) -> PaneCounts:
        """Return the counts of a pane, its span stretched over these offsets."""
        pane = self.pending.panes.setdefault(index, PaneCounts())
        start, end = pane.spans.get(self._partition, (first, last + 1))
        pane.spans[self._partition] = (min(start, first), max(end, last + 1))
        return pane

    def _count_rejected(self, chunk: Sorted) -> None:
        offsets: dict[tuple[int, str], list[int]] = {}
        for _, offset, reason, frontier in chunk.rejected:
            offsets.setdefault((frontier, reason), []).append(offset)
        for (frontier, reason), found in offsets.items():
            _add(self.pending.rejected, reason, len(found))
            if frontier == NEVER:
                continue
            pane = self._pane(frontier // self._pane_ms, found[0], found[-1])
            _add(pane.rejected, reason, len(found))
            codes = [example(self._partition, offset) for offset in found]
            pane.references[reason] = smallest([*pane.references.get(reason, []), *codes])

    def _count_origins(self, pane: PaneCounts, group: Group, origins: Counter[tuple[str | None, str | None]]) -> None:
        """Take the census of versions and producers that the section does not name."""
        for place, names in ((0, pane.versions), (1, pane.producers)):
            if group[place] == OTHER:
                found: dict[str, int] = {}
                for origin, n in origins.items():
                    name = origin[place]
                    if name is not None:
                        _add(found, name, n)
                _add_names(names, found)


def _sources(plan: StreamPlan, section: Section) -> set[str]:
    """Return every source that is read for some purpose: these are not unlisted fields."""
    named = [plan.time, plan.version, plan.producer, plan.id, *(source for source, _ in plan.where)]
    for field in section.fields:
        named += [field.source, field.as_of]
    return {source for source in named if source is not None}


def _add_names(names: dict[str, int], found: dict[str, int]) -> None:
    for name, n in found.items():
        _add(names, name, n)
    trim_names(names)


def _add(counts: dict[str, int], name: str, n: int) -> None:
    counts[name] = counts.get(name, 0) + n
