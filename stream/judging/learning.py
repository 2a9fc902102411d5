"""What is still to be learned about one stream: its names, its bins, its reference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.coarse import CoarsePane
from stream.counts import StreamCounts
from stream.layout import BINS, MAX_FIELDS, MAX_PRODUCERS, MAX_VERSIONS, OTHER, Section
from stream.learn import MIN_N, MIN_PANES, MIN_VALUES, enough_for_edges, learn_section
from stream.plan import Field, StreamPlan
from stream.reading.sketch import Sketch

MAX_LESSON = 4 * MIN_PANES
MIN_SEEN = 30
"""Records in which an unlisted name must occur before it is named: one stray record names nothing."""


class Lesson:
    """Bins of coarse panes, from which the first reference is learned. What says whether they suffice is counted along: it is
    asked several times a second, and adding up the panes of 200 fields takes 20 ms.

    Attributes:
        panes: int32[F, 36] each, oldest first. spans: how many coarse panes lie between the first that was ever taken and the
            newest. usable: int64[F], panes in which the field has values enough to count. values: int64[F].
    """

    def __init__(self, fields: int) -> None:
        self.panes: list[NDArray[np.int32]] = []
        self.first: int | None = None
        self.spans = 0
        self.usable = np.zeros(fields, np.int64)
        self.values = np.zeros(fields, np.int64)

    def __len__(self) -> int:
        return len(self.panes)

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return iter(self.panes)

    def add(self, index: int, bins: NDArray[np.int32]) -> None:
        """Take a coarse pane; the oldest one goes when there are too many."""
        self.first = index if self.first is None else self.first
        self.spans = index + 1 - self.first
        self.panes.append(bins)
        self._count(bins, 1)
        if len(self) > MAX_LESSON:
            self._count(self.panes.pop(0), -1)

    def _count(self, bins: NDArray[np.int32], sign: int) -> None:
        n = bins.sum(axis=1)
        self.usable += sign * (n >= MIN_N)
        self.values += sign * n

    def suffices(self, binned: NDArray[np.bool_], span: int) -> bool:
        """Return whether a reference can be learned.

        Thin fields are waited for, up to four times the panes that are needed; what is not there then joins at night.

        Args:
            binned: bool[F], fields that have bins. span: how many coarse panes it must reach over.
        """
        ready = (self.usable >= MIN_PANES) & (self.values >= MIN_VALUES)
        enough = bool(ready.any()) and (len(self) >= MAX_LESSON or not (binned & ~ready).any())
        return enough and self.spans >= span


class Learning:
    """Attributes: section: in force. established: the stream has had a learned layout. sketch, records, panes: what edges are
    learned from: sketch of the values, number of records, first and last pane. census: how often names occurred that the
    section does not have. span: coarse panes that a reference must reach over. lesson: for the first reference; empty once
    the stream has one (taught): new fields and new bins join at night.
    """

    def __init__(self, plan: StreamPlan, section: Section, pane_ms: int, span: int) -> None:
        self.plan = plan
        self.section = section
        self.pane_ms = pane_ms
        self.span = span
        self.established = section.learned
        self.sketch = Sketch.empty(section.fields)
        self.records = 0
        self.panes: tuple[int, int] | None = None
        self.census = _no_census()
        self.lesson = Lesson(len(section.fields))
        self.taught = False

    def entry(self, counts: StreamCounts) -> None:
        """Take the part of an accepted entry that is about this stream.

        Only records sketched under the section in force count towards its bins: an entry cut under an earlier one holds
        nothing of the fields that were named since.
        """
        for pane in counts.panes.values():
            for name in self.census:
                _tally(self.census[name], getattr(pane, name))
        if self.section.learned or counts.sketch is None or counts.section != self.section.id:
            return
        self.records += counts.applied
        for index in counts.panes:
            low, high = self.panes or (index, index)
            self.panes = (min(low, index), max(high, index))
        self.sketch.merge(Sketch.from_dict(counts.sketch))

    def adopt(self, section: Section) -> None:
        """Go on under another section. A sketch of the same fields goes on; a lesson with other bins is of no use."""
        sketch = Sketch.empty(section.fields)
        if self.section.learned or section.names != self.section.names:
            self.records, self.panes = 0, None
        if not self.section.learned:
            sketch.merge(self.sketch)
        if section.bin_ids != self.section.bin_ids:
            self.lesson = Lesson(len(section.fields))
        self.sketch, self.section, self.census = sketch, section, _no_census()
        self.established |= section.learned

    def keep(self, pane: CoarsePane) -> None:
        """Remember the bins of a coarse pane, until a reference has been learned from them."""
        if self.section.learned and not self.taught and pane.bins.any():
            self.lesson.add(pane.index, pane.bins.astype(np.int32))

    def learned(self) -> None:
        """A reference came into force."""
        self.lesson, self.taught = Lesson(len(self.section.fields)), True

    def lesson_tree(self) -> dict[str, Any] | None:
        """Return what a reference can be learned from, None while it is too early."""
        if not self.lesson.suffices(np.array([bins is not None for bins in self.section.bins], np.bool_), self.span):
            return None
        panes = np.array(self.lesson.panes, np.int64)
        return {"fields": list(self.section.names), "bins": list(self.section.bin_ids), "panes": panes}

    def next_section(self) -> Section | None:
        """Return the section this stream should go over to, None when the present one will do.

        Names come first (fields, versions, producers that occur and are not named), edges once there is enough to learn from.
        """
        named = self._named()
        if named is not None:
            return named
        if self.section.learned or not self.section.fields or self.panes is None:
            return None
        if enough_for_edges(self.records, (self.panes[1] - self.panes[0] + 1) * self.pane_ms):
            return learn_section(self.section, self.sketch)
        return None

    def _named(self) -> Section | None:
        room = MAX_FIELDS - len(self.section.fields)
        taken = {OTHER, *self.section.names, *(field.source for field in self.section.fields)}
        unlisted = [name for name in _often(self.census["unlisted"]) if name not in taken]
        new = unlisted[:room] if self.plan.unlisted == "watch" else []
        versions = _with_new(self.section.versions, self.census["versions"], MAX_VERSIONS)
        producers = _with_new(self.section.producers, self.census["producers"], MAX_PRODUCERS)
        if not new and versions == self.section.versions and producers == self.section.producers:
            return None
        return self.section.replace(
            fields=(*self.section.fields, *(Field(name, name, declared=False) for name in new)),
            bins=(*self.section.bins, *(None for _ in new)),
            versions=versions,
            producers=producers,
            learned=self.section.learned and not new,
        )

    def state(self) -> dict[str, Any]:
        return {
            "established": self.established,
            "sketch": self.sketch.to_dict(),
            "records": self.records,
            "panes": self.panes,
            "census": self.census,
            "lesson": np.array(self.lesson.panes, np.int32).reshape(
                len(self.lesson.panes), len(self.section.fields), BINS
            ),
            "since": [self.lesson.first, self.lesson.spans],
            "taught": self.taught,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.established, self.records, self.taught = tree["established"], tree["records"], tree["taught"]
        self.sketch = Sketch.from_dict(tree["sketch"])
        self.panes = None if tree["panes"] is None else (tree["panes"][0], tree["panes"][1])
        self.census = {kind: dict(names) for kind, names in tree["census"].items()}
        self.lesson = Lesson(len(self.section.fields))
        for pane in tree["lesson"]:
            self.lesson.add(0, pane.astype(np.int32))
        self.lesson.first, self.lesson.spans = tree["since"]


def _no_census() -> dict[str, dict[str, int]]:
    return {"versions": {}, "producers": {}, "unlisted": {}}


def _tally(total: dict[str, int], more: dict[str, int]) -> None:
    for name, count in more.items():
        total[name] = total.get(name, 0) + count
    for name in sorted(total, key=lambda name: (-total[name], name))[MAX_FIELDS:]:
        del total[name]


def _often(names: dict[str, int]) -> list[str]:
    return sorted((name for name, count in names.items() if count >= MIN_SEEN), key=lambda name: (-names[name], name))


def _with_new(named: tuple[str, ...], census: dict[str, int], room: int) -> tuple[str, ...]:
    """Return the names and, while there is room, the newcomers behind them.

    Nobody is pushed out: of more names than there is room for, each would push out another for ever.
    """
    return (*named, *(name for name in _often(census) if name not in named and name != OTHER))[:room]
