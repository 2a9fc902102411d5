"""Coarse panes: closed panes added up, over which statistics run and from which normal ranges are learned.

A pane of a minute answers rules at once, but a distribution needs values, and what is normal is learned from weeks of them: five
minutes cost a drift of hours nothing and make the weeks five times smaller. They are kept beside the panes, in the topic
``panes`` under ``<stream>/coarse/<index>``, as the judge tested them; a learner reads nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.codec import pack
from stream.judging.thin import pick
from stream.layout import BINS, Section
from stream.learn import MIN_N
from stream.panes import ClosedPane


class CoarsePane:
    """Attributes: index: start // length. bins: int64[F, 36]; a field with fewer than 30 values has none, they are carried on."""

    __slots__ = ("bins", "history", "index", "section", "stream")

    def __init__(self, stream: str, index: int, section: Section, bins: NDArray[np.int64], history: bool) -> None:
        self.stream = stream
        self.index = index
        self.section = section
        self.bins = bins
        self.history = history

    @property
    def key(self) -> bytes:
        return f"{self.stream}/coarse/{self.index}".encode()

    def frame(self, length_ms: int) -> bytes:
        """Return the record for ``panes``: rows only of the fields that have values, by name and id of their bins."""
        rows = np.flatnonzero(self.bins.any(axis=1))
        header = {"kind": "coarse", "stream": self.stream, "index": self.index, "length": length_ms}
        body = {
            "fields": [self.section.names[row] for row in rows],
            "ids": [self.section.bin_ids[row] for row in rows],
            "bins": self.bins[rows].astype(np.int32),
            "history": self.history,
        }
        return pack(header, body)


class Coarse:
    """The coarse pane that one stream is adding up.

    Attributes:
        index: of it; None before the first pane. bins: int64[F, 36], what it holds, and what thin fields carry.
    """

    def __init__(self, stream: str, section: Section, panes: int) -> None:
        self.stream = stream
        self.section = section
        self.panes = panes
        self.index: int | None = None
        self.bins = np.zeros((len(section.fields), BINS), np.int64)

    def add(self, pane: ClosedPane) -> list[CoarsePane]:
        """Take a closed pane, in order; return the coarse panes that are complete with it, at most two."""
        done = []
        index = pane.index // self.panes
        if self.index is not None and index > self.index:
            done.append(self._take(self.index, pane.history))
        total = pane.counts.total()
        if total is not None:
            self.bins += np.where(pane.binned[:, None], total.bins, 0)
        self.index = index
        if pane.index % self.panes == self.panes - 1:
            done.append(self._take(index, pane.history))
            self.index = None
        return done

    def adopt(self, section: Section, rows: NDArray[np.int64], same_bins: NDArray[np.bool_]) -> None:
        """Go on under another section; ``rows``: for each new field its old row, -1 for a new one."""
        self.bins = np.where(same_bins[:, None], pick(self.bins, rows, 0), 0)
        self.section = section

    def _take(self, index: int, history: bool) -> CoarsePane:
        ready = self.bins.sum(axis=1) >= MIN_N
        taken = np.where(ready[:, None], self.bins, 0)
        self.bins[ready] = 0
        return CoarsePane(self.stream, index, self.section, taken, history)

    def state(self) -> dict[str, Any]:
        return {"index": self.index, "bins": self.bins}

    def restore(self, tree: dict[str, Any]) -> None:
        self.index, self.bins = tree["index"], tree["bins"].copy()
