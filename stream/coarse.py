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
from stream.judging.view import missing
from stream.layout import BINS, Section
from stream.learn import MIN_N
from stream.panes import ClosedPane

MAX_MS = 86_400_000
"""What is carried for longer is dropped: Friday's values are not Monday's, whose slot of the week they would be judged in."""


class CoarsePane:
    """Attributes: index: start // length. bins: int64[F, 36]; a field with fewer than 30 values has none, they are carried on.
    presence: int64[F, 2], records in which a field has a usable value, and in which it has none; carried on below 30 records.
    """

    __slots__ = ("bins", "index", "presence", "section", "stream")

    def __init__(
        self,
        stream: str,
        index: int,
        section: Section,
        bins: NDArray[np.int64],
        presence: NDArray[np.int64],
    ) -> None:
        self.stream = stream
        self.index = index
        self.section = section
        self.bins = bins
        self.presence = presence

    @property
    def key(self) -> bytes:
        return f"{self.stream}/coarse/{self.index}".encode()

    def frame(self, length_ms: int) -> bytes:
        """Return the record for ``panes``: rows only of the fields that have any, by name and id of their bins."""
        rows = np.flatnonzero(self.bins.any(axis=1) | self.presence.any(axis=1))
        header = {"kind": "coarse", "stream": self.stream, "index": self.index, "length": length_ms}
        body = {
            "fields": [self.section.names[row] for row in rows],
            "ids": [self.section.bin_ids[row] for row in rows],
            "bins": self.bins[rows].astype(np.int32),
            "presence": self.presence[rows].astype(np.int32),
        }
        return pack(header, body)


class Coarse:
    """The coarse pane that one stream is adding up.

    Attributes:
        index: of it; None before the first pane. bins: int64[F, 36], presence: int64[F, 2], what it holds, and what thin
            fields carry, at most for a day: a field may have records enough and few values. since: int64[F, 2], index of the
            pane with which what is held of each began.
    """

    def __init__(self, stream: str, section: Section, panes: int, pane_ms: int) -> None:
        self.stream = stream
        self.section = section
        self.panes = panes
        self.pane_ms = pane_ms
        self.index: int | None = None
        self.bins = np.zeros((len(section.fields), BINS), np.int64)
        self.presence = np.zeros((len(section.fields), 2), np.int64)
        self.since = np.zeros((len(section.fields), 2), np.int64)

    def add(self, pane: ClosedPane) -> list[CoarsePane]:
        """Take a closed pane, in order; return the coarse panes that are complete with it, at most two."""
        done = []
        index = pane.index // self.panes
        if self.index is not None and index > self.index:
            done.append(self.take(self.index))
        self._age(pane.index)
        total = pane.counts.total()
        if total is not None:
            self.bins += np.where(pane.binned[:, None], total.bins, 0)
            gone = missing(total)
            self.presence += np.stack([total.types.sum(axis=1) - gone, gone], axis=1)
        self.index = index
        if pane.index % self.panes == self.panes - 1:
            done.append(self.take(index))
            self.index = None
        return done

    def adopt(self, section: Section, rows: NDArray[np.int64], same_bins: NDArray[np.bool_]) -> None:
        """Go on under another section; ``rows``: for each new field its old row, -1 for a new one."""
        self.bins = np.where(same_bins[:, None], pick(self.bins, rows, 0), 0)
        self.presence = pick(self.presence, rows, 0)
        self.since = pick(self.since, rows, 0)
        self.section = section

    def take(self, index: int) -> CoarsePane:
        """Return what is held as a coarse pane, and go on without it."""
        return CoarsePane(self.stream, index, self.section, _ready(self.bins), _ready(self.presence))

    def _age(self, index: int) -> None:
        """Drop what is too old beside a pane; where nothing is held, what will be begins with it."""
        old = (index - self.since) * self.pane_ms > MAX_MS
        for held, own, since in zip((self.bins, self.presence), old.T, self.since.T, strict=True):
            held[own] = 0
            since[~held.any(axis=1)] = index

    def state(self) -> dict[str, Any]:
        return {"index": self.index, "bins": self.bins, "presence": self.presence, "since": self.since}

    def restore(self, tree: dict[str, Any]) -> None:
        self.index = tree["index"]
        self.bins, self.presence, self.since = (tree[name].copy() for name in ("bins", "presence", "since"))


def _ready(held: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take what is enough to test: return it with rows of 0 for what stays held."""
    ready = held.sum(axis=1) >= MIN_N
    taken = np.where(ready[:, None], held, 0)
    held[ready] = 0
    return taken
