"""What is still to be learned about one stream: its names, its bins, its reference."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.counts import StreamCounts
from stream.judging.thin import MIN_N
from stream.layout import BINS, MAX_FIELDS, MAX_PRODUCERS, MAX_VERSIONS, OTHER, Section
from stream.learn import MIN_PANES, MIN_VALUES, enough_for_edges, learn_section
from stream.panes import ClosedPane
from stream.plan import Field, StreamPlan
from stream.reading.sketch import Sketch

MAX_LESSON = 4 * MIN_PANES
MIN_SEEN = 30
"""Records in which an unlisted name must occur before it is named: one stray record names nothing."""


class Learning:
    """Attributes: section: in force. established: the stream has had a learned layout. sketch, records, panes: what edges are
    learned from: sketch of the values, number of records, first and last pane. census: how often names occurred that the
    section does not have. lesson: bins of closed panes, for the reference; empty once one was learned from them.
    """

    def __init__(self, plan: StreamPlan, section: Section, pane_ms: int) -> None:
        self.plan = plan
        self.section = section
        self.pane_ms = pane_ms
        self.established = section.learned
        self.sketch = Sketch.empty(section.fields)
        self.records = 0
        self.panes: tuple[int, int] | None = None
        self.census = _no_census()
        self.lesson: list[NDArray[np.int32]] = []
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
        if _bin_ids(section) != _bin_ids(self.section):
            self.lesson, self.taught = [], False
        self.sketch, self.section, self.census = sketch, section, _no_census()
        self.established |= section.learned

    def keep(self, pane: ClosedPane) -> None:
        """Remember a closed pane's bins, until a reference has been learned from them."""
        total = pane.counts.total()
        if self.section.learned and not self.taught and total is not None and pane.binned.any():
            self.lesson.append(np.where(pane.binned[:, None], total.bins, 0).astype(np.int32))
            del self.lesson[:-MAX_LESSON]

    def learned(self) -> None:
        """A reference came into force."""
        self.lesson, self.taught = [], True

    def lesson_tree(self) -> dict[str, Any] | None:
        """Return what a reference can be learned from, None while it is too early.

        Thin fields are waited for, up to four times the panes that are needed; what is not there then has no reference.
        """
        if len(self.lesson) < MIN_PANES:
            return None
        panes = np.array(self.lesson, np.int64)
        ready = ((panes.sum(axis=2) >= MIN_N).sum(axis=0) >= MIN_PANES) & (panes.sum(axis=(0, 2)) >= MIN_VALUES)
        binned = np.array([bins is not None for bins in self.section.bins], np.bool_)
        if not ready.any() or (len(self.lesson) < MAX_LESSON and (binned & ~ready).any()):
            return None
        return {"fields": list(self.section.names), "bins": _bin_ids(self.section), "panes": panes}

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
            "lesson": np.array(self.lesson) if self.lesson else np.zeros((0, len(self.section.fields), BINS), np.int32),
            "taught": self.taught,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.established, self.records, self.taught = tree["established"], tree["records"], tree["taught"]
        self.sketch = Sketch.from_dict(tree["sketch"])
        self.panes = None if tree["panes"] is None else (tree["panes"][0], tree["panes"][1])
        self.census = {kind: dict(names) for kind, names in tree["census"].items()}
        self.lesson = [pane.astype(np.int32) for pane in tree["lesson"]]


def _no_census() -> dict[str, dict[str, int]]:
    return {"versions": {}, "producers": {}, "unlisted": {}}


def _bin_ids(section: Section) -> list[str | None]:
    return [None if bins is None else bins.id for bins in section.bins]


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
