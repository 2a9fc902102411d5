"""A tap that reads a log of the test's own, and what its entries add up to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from stream import codec
from stream.batch import Headers, RecordBatch
from stream.counts import MAX_NAMES, PaneCounts, StreamCounts
from stream.layout import Bins, Layout, layout_zero
from stream.ledger import Fold, Position, adopt_header, open_header
from stream.plan import Field, Plan, StreamPlan
from stream.reading.sketch import Sketch
from stream.tap import Fed, Tap

TOPIC = "t"
KEY = (TOPIC, 3)
HASH_KEY = b"k" * 16
NOW = 10_000_000
FIELDS = (Field("x", "x", kind="number"), Field("c", "deep.c", show=True))
PLAN = Plan(
    "app",
    (
        StreamPlan("m.features", "m", "features", TOPIC, version="header:v", producer="key", fields=FIELDS),
        StreamPlan(
            "m.predictions",
            "m",
            "predictions",
            TOPIC,
            where=(("model", "m"),),
            time="ts",
            fields=(Field("score", "x"),),
            unlisted="ignore",
            lateness_ms=500,
        ),
        StreamPlan("other.features", "other", "features", "elsewhere"),
    ),
    (),
    pane_ms=1000,
    max_future_ms=1000,
)
NONE = np.zeros(0, np.int64)


@cache
def layout(learned: bool = True) -> Layout:
    zero = layout_zero(PLAN, {TOPIC: 4})
    section = zero.sections["m.features"]
    bins = (Bins("number", np.array([0.0, 1.0]), NONE, NONE), None)
    zero = zero.with_section(section.replace(bins=bins, learned=learned, versions=("1",), producers=("p",)))
    return zero.with_section(zero.sections["m.predictions"].replace(learned=learned))


@dataclass
class Record:
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = None
    headers: Headers = ()


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


stamps = st.integers(0, 8_000) | st.sampled_from([-1, 700_000, 1_400_000, NOW + 1001])
objects = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from([0.0, 0.5, 3, float("nan"), True, "12", None]),
        "deep": st.sampled_from([{"c": "DE"}, {"c": "FR", "d": 1}, {}, 5]),
        "model": st.sampled_from(["m", "n", 1]),
        "ts": stamps | st.sampled_from(["12", None, 2.5, True]),
        "extra": st.integers(0, 1),
    },
)
garbage = st.sampled_from([None, b"", b"oops", b"[]", b"\xff", b"\x00\x00\x00\x00\x01x"])
records = st.builds(
    Record,
    st.one_of(objects.map(lambda fields: body(**fields)), objects.map(lambda fields: body(**fields)), garbage),
    stamps,
    st.sampled_from([None, b"p", b"q", b"\xff"]),
    st.sampled_from([(), (("v", b"1"),), (("v", b"2"),), (("v", None),)]),
)
logs = st.lists(st.tuples(records, st.sampled_from([1, 1, 1, 3])), max_size=16)
"""Records and how far the next offset lies behind each: gaps are compaction or control records."""


def chunk(log: list[tuple[int, Record]], start: int, stop: int) -> RecordBatch:
    inside = [(offset, record) for offset, record in log if start <= offset < stop]
    return RecordBatch(
        TOPIC,
        KEY[1],
        start,
        stop,
        stop,
        [offset for offset, _ in inside],
        [record.timestamp for _, record in inside],
        [record.key for _, record in inside],
        [record.value for _, record in inside],
        [record.headers for _, record in inside],
    )


def placed(items: list[tuple[Record, int]], first: int = 100) -> tuple[list[tuple[int, Record]], int]:
    log = []
    for record, step in items:
        log.append((first, record))
        first += step
    return log, first


def decoded(frame: bytes) -> tuple[dict[str, Any], dict[str, StreamCounts]]:
    header, tree = codec.unpack(frame)
    return header, {name: StreamCounts.from_dict(item) for name, item in tree.items()}


class Run:
    """One tap reading a log, its entries added up as every reader of the ledger does it."""

    def __init__(self, learned: bool = True) -> None:
        self.layout = layout(learned)
        self.ledger = Fold()
        self.ledger.apply(0, adopt_header("layout", self.layout.id, None))
        self.ledger.apply(1, open_header(KEY, 0, 100, 100))
        self.tap = self.start()
        self.classes: dict[str, dict[str, int]] = {}
        self.panes: dict[tuple[str, int], PaneCounts] = {}
        self.sketches: dict[str, Sketch] = {}
        self.cuts = 0

    @property
    def position(self) -> Position:
        return self.ledger.positions[KEY]

    def start(self) -> Tap:
        return Tap(
            self.layout,
            KEY,
            Position(**{name: getattr(self.position, name) for name in ("next", "first", "frontier")}),
            HASH_KEY,
        )

    def feed(self, batch: RecordBatch) -> None:
        while (fed := self.tap.feed(batch, NOW)) is Fed.FULL:
            self.cut()
        assert fed is Fed.COUNTED

    def cut(self) -> None:
        header, streams = decoded(self.tap.cut(end=0))
        assert self.ledger.apply(self.ledger.offset, header)
        assert self.tap.settle(self.position)
        self.cuts += 1
        covered = header["to"] - header["from"]
        assert set(streams) == ({"m.features", "m.predictions"} if covered else set())
        for name, counts in streams.items():
            assert counts.covered == covered
            assert counts.section == self.layout.sections[name].id
            self.add(name, counts)

    def add(self, name: str, counts: StreamCounts) -> None:
        tree = counts.to_dict()
        classes = self.classes.setdefault(name, {})
        scalars = {key: n for key, n in tree.items() if isinstance(n, int)}
        for reason, n in (scalars | tree["rejected"]).items():
            classes[reason] = classes.get(reason, 0) + n
        for index, pane in counts.panes.items():
            assert max(map(len, (pane.versions, pane.producers, pane.unlisted))) <= MAX_NAMES
            self.panes.setdefault((name, index), PaneCounts()).add(pane)
        if counts.sketch is not None:
            fields = self.layout.sections[name].fields
            self.sketches.setdefault(name, Sketch.empty(fields)).merge(Sketch.from_dict(counts.sketch))

    def result(self) -> dict[str, Any]:
        return {
            "classes": self.classes,
            "panes": {f"{name} {index}": pane.to_dict() for (name, index), pane in self.panes.items()},
            "sketches": {name: sketch.to_dict() for name, sketch in self.sketches.items()},
            "frontier": self.position.frontier,
            "anchor": self.position.anchor,
            "next": self.position.next,
        }
