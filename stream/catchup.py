"""Catching up: a topic is read faster than the rest of the monitor can follow, so two things are waited for.

For **bins**: what a topic holds is read at tens of thousands of records a second, and adopting a layout takes a second. Without
this pause all of it would have passed before there are bins, and no reference could be learned from it.

For the **slowest partition**: a pane closes when every partition has passed it, so a partition that runs ahead of the
others keeps panes open, and memory with them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream.batch import RecordBatch
from stream.clock import Clocks
from stream.layout import Layout
from stream.learn import MIN_RECORDS
from stream.ledger import Fold, Key, Position
from stream.panes import watermark
from stream.plan import StreamPlan

AHEAD_PANES = 24
BINS_S = 5.0
LOOK_S = 0.05


class BinsWait:
    """Attributes: hurry: set when an entry should be cut at once, because somebody waits for what follows from it."""

    def __init__(self, layout: Callable[[], Layout], clocks: Clocks) -> None:
        self.hurry = asyncio.Event()
        self._layout = layout
        self._clocks = clocks
        self._counted: dict[str, int] = {}

    def counted(self, topic: str, records: int) -> None:
        """Note that records of a topic were counted."""
        self._counted[topic] = self._counted.get(topic, 0) + records

    async def after(self, batch: RecordBatch, at_work: Callable[[], bool]) -> None:
        """Wait a little, while catching up, for the bins that the records counted so far suffice to learn."""
        layout, topic = self._layout(), batch.topic
        if batch.next >= batch.end or self._counted.get(topic, 0) < MIN_RECORDS or not learns_bins(layout, topic):
            return
        deadline = self._clocks.monotonic() + BINS_S
        self.hurry.set()
        while self._layout() is layout and self._clocks.monotonic() < deadline and at_work():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)
        self._counted[topic] = 0


def learns_bins(layout: Layout, topic: str) -> bool:
    """Return whether bins are still to come for some stream of a topic; without fields, and none to be found, there are none."""
    for stream in layout.plan.of_topic(topic):
        section = layout.sections[stream.name]
        if not section.learned and (section.fields or stream.unlisted == "watch"):
            return True
    return False


def must_wait(layout: Layout, fold: Fold, key: Key, first: dict[str, int]) -> bool:
    """Return whether a partition must wait: it is far ahead of the slowest one of a stream, and nobody waits for it.

    The second matters where several streams share a topic: each of two partitions may be ahead in one stream and the slowest of
    the other, and would wait for the other for ever. Then both go on: the order of the logs allows no better, and panes
    beyond `stream.panes.MAX_OPEN` close partial.

    Args:
        layout: in force. fold: of the ledger.
        first: by stream, where event time of this partition stood while the stream had no watermark; kept by the caller.
    """
    streams = layout.plan.of_topic(key[0])
    ahead = [_is_ahead(layout, fold, key, stream, first) for stream in streams]
    return any(ahead) and not any(_is_waited_for(layout, fold, key, stream) for stream in streams)


def _is_ahead(layout: Layout, fold: Fold, key: Key, stream: StreamPlan, first: dict[str, int]) -> bool:
    """Also at its end: the others may still be far behind, after a start or a kill, and panes that wait for them are few.

    While nothing is known of some partition, one that catches up waits after its first entry.
    """
    position = fold.positions.get(key)
    frontier = None if position is None else _frontier(position, stream)
    if position is None or frontier is None:
        return False
    slowest, panes = _slowest(layout, fold, stream), AHEAD_PANES
    if slowest is None:
        slowest, panes = first.setdefault(stream.name, frontier), AHEAD_PANES if position.at_end else 0
    return frontier - slowest > panes * layout.plan.pane_ms


def _is_waited_for(layout: Layout, fold: Fold, key: Key, stream: StreamPlan) -> bool:
    """Return whether a partition is the slowest of a stream, has more to read, and another one is far ahead of it."""
    position = fold.positions.get(key)
    if position is None or position.at_end:
        return False
    own, slowest = _frontier(position, stream), _slowest(layout, fold, stream)
    others = [_frontier(item, stream) for partition, item in fold.of_topic(key[0]) if partition != key[1]]
    if own is None:
        return any(item is not None for item in others)
    far = own + AHEAD_PANES * layout.plan.pane_ms
    return slowest is not None and own <= slowest and any(item is not None and item > far for item in others)


def _slowest(layout: Layout, fold: Fold, stream: StreamPlan) -> int | None:
    """Return the event time of the partition that holds the stream's watermark back, None without a watermark."""
    mark = watermark(fold, stream, layout.sections[stream.name].partitions).time
    return None if mark is None else mark + stream.lateness_ms


def _frontier(position: Position, stream: StreamPlan) -> int | None:
    return position.frontier.get(stream.name, (None, None))[0]
