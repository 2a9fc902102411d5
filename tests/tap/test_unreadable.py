"""A part of the log that cannot be unpacked is rejected as a whole, by reason, and its neighbours are counted."""

from __future__ import annotations

from stream import codec
from stream.batch import RecordBatch
from stream.counts import StreamCounts
from stream.layout import layout_zero
from stream.ledger import Position
from stream.plan import Plan, StreamPlan
from stream.tap import Fed, Tap

PLAN = Plan("app", (StreamPlan("m.features", "m", "features", "t"),), (), pane_ms=1000)


def batch(start: int, end: int, unreadable: str = "") -> RecordBatch:
    offsets = [] if unreadable else list(range(start, end))
    n = len(offsets)
    return RecordBatch("t", 0, start, end, end, offsets, [5_000] * n, [None] * n, [b"{}"] * n, [()] * n, unreadable)


def test_every_offset_of_an_unreadable_batch_is_rejected_for_its_reason() -> None:
    tap = Tap(layout_zero(PLAN, {"t": 1}), ("t", 0), Position(0, 0), b"k" * 16)
    assert tap.feed(batch(0, 10), 10_000) is Fed.COUNTED
    assert tap.feed(batch(10, 35, "too_large"), 10_000) is Fed.COUNTED
    assert tap.feed(batch(35, 40), 10_000) is Fed.COUNTED
    header, body = codec.unpack(tap.cut(40))
    counts = StreamCounts.from_dict(body["m.features"])
    assert (header["from"], header["to"]) == (0, 40)
    assert counts.rejected == {"too_large": 25}
    assert counts.applied == 15
    assert counts.covered == 40
    assert counts.panes[5].references == {"too_large": [10]}
