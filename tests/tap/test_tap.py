"""Tap: every record in exactly one class of exactly one entry, however chunks and entries are cut."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream import codec
from stream.batch import Headers, RecordBatch
from stream.counts import MAX_NAMES, PaneCounts, StreamCounts, coordinates
from stream.layout import Bins, Layout, Section, layout_zero
from stream.ledger import Fold, Position, adopt_header, open_header
from stream.plan import Field, Plan, StreamPlan
from stream.reading import tally
from stream.reading.sketch import Sketch
from stream.tap import Fed, Tap, anchor

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


cuts = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 9), st.booleans(), st.integers(0, 9)), min_size=1, max_size=9
)
"""Per chunk: records fetched again, new offsets, whether an entry is cut after it, and (on 0) the tap thrown away."""


@given(logs, st.booleans(), cuts)
def test_any_cuts_of_chunks_and_entries_add_up_to_the_same(
    items: list[tuple[Record, int]], learned: bool, steps: list[tuple[int, int, bool, int]]
) -> None:
    """Chunks overlap, entries end anywhere, taps are thrown away: counts, frontiers and sketches are those of one pass."""
    log, end = placed(items)
    whole = Run(learned)
    whole.feed(chunk(log, 100, end))
    whole.cut()

    parts = Run(learned)
    thrown_away = 0
    for again, more, cut, luck in cycle(steps):
        at = parts.tap.cursor.next
        if at == end:
            break
        parts.feed(chunk(log, max(100, at - again), min(at + more, end)))
        if cut:
            parts.cut()
        if luck == 0 and thrown_away < 3:
            parts.tap = parts.start()
            thrown_away += 1
    parts.cut()
    assert codec.digest(parts.result()) == codec.digest(whole.result())


@given(logs)
def test_a_full_entry_is_cut_and_nothing_is_counted_twice(items: list[tuple[Record, int]]) -> None:
    log, end = placed(items)
    wide, narrow = Run(learned=False), Run(learned=False)
    wide.feed(chunk(log, 100, end))
    wide.cut()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally, "MAX_PANES", 2)
        patch.setattr(tally, "_SKETCH_BYTES", 300_000 // 4)
        narrow.feed(chunk(log, 100, end))
        narrow.cut()
    assert codec.digest(narrow.result()) == codec.digest(wide.result())


def test_an_entry_holds_few_panes() -> None:
    """A stream with one record a minute must not make an entry of a thousand panes."""
    run = Run()
    log = [(100 + i, Record(body(x=1.0), timestamp=1000 * i)) for i in range(100)]
    run.feed(chunk(log, 100, 200))
    run.cut()
    assert 4 <= run.cuts <= 8
    assert run.classes["m.features"]["applied"] == 100


def test_the_largest_entry_stays_below_the_limit_of_a_record() -> None:
    """200 fields of full precision, being learned: the entry is cut before 900 kB whatever comes."""
    fields = tuple(Field(f"f{i}", f"f{i}") for i in range(200))
    plan = Plan("app", (StreamPlan("m.features", "m", "features", TOPIC, fields=fields),), ())
    tap = Tap(layout_zero(plan, {TOPIC: 1}), KEY, Position(0, 0), HASH_KEY)
    rng = np.random.default_rng(7)
    values: list[bytes | None] = [
        body(**{f"f{i}": x for i, x in enumerate(row)}) for row in rng.lognormal(0, 3, (600, 200))
    ]
    batch = RecordBatch(TOPIC, 3, 0, 600, 600, list(range(600)), [0] * 600, [None] * 600, values, [()] * 600)
    sizes = []
    while tap.feed(batch, NOW) is Fed.FULL:
        sizes.append(len(tap.cut(600)))
    sizes.append(len(tap.cut(600)))
    assert len(sizes) > 1
    assert max(sizes) < 900_000
    assert tap.cursor.base == 600


def test_classes_in_their_order() -> None:
    """A tombstone is none even where the stream has a filter; what is filtered needs no event time."""
    run = Run()
    items = [
        Record(None),
        Record(b"oops"),
        Record(body(model="n", ts="never")),
        Record(body(model="m", ts=None)),
        Record(body(model="m", ts=NOW + 1001)),
        Record(body(model="m", ts=NOW + 1000)),
        Record(body(model="m", ts=5_000)),
        Record(body(model="m", ts=4_499)),
        Record(body(model="m", ts=4_500)),
    ]
    run.feed(chunk(placed([(record, 1) for record in items])[0], 100, 110))
    run.cut()
    counts = {name: n for name, n in run.classes["m.predictions"].items() if n}
    assert counts == {
        "tombstones": 1,
        "not_json": 1,
        "filtered": 1,
        "bad_time": 1,
        "future": 1,
        "applied": 3,
        "late": 1,
        "gaps": 1,
    }
    assert run.panes["m.predictions", 5].late == 1
    assert run.panes["m.predictions", 5].late_by_ms == 1


def test_rejected_records_count_in_the_pane_of_the_frontier_of_their_moment() -> None:
    run = Run()
    good = [Record(body(x=1.0), timestamp=time) for time in (1_500, 1_600, 7_000)]
    items = [Record(b"a"), good[0], good[1], Record(b"b"), good[2], Record(b"c"), Record(b"")]
    run.feed(chunk(placed([(record, 1) for record in items])[0], 100, 107))
    run.cut()
    assert run.classes["m.features"]["not_json"] == 3
    assert run.panes["m.features", 1].rejected == {"not_json": 1}
    assert run.panes["m.features", 7].rejected == {"not_json": 1, "empty": 1}
    assert [coordinates(code) for code in run.panes["m.features", 1].references["not_json"]] == [(3, 103)]
    assert run.panes["m.features", 7].spans == {3: (104, 107)}


def test_groups_are_named_by_the_section_and_the_others_by_the_census() -> None:
    run = Run()
    headers: list[Headers] = [(("v", b"1"),), (("v", b"9\n"),), ()]
    items = [Record(body(x=1.0), 1_000, key, header) for header in headers for key in (b"p", b"q")]
    run.feed(chunk(placed([(record, 1) for record in items])[0], 100, 106))
    run.cut()
    pane = run.panes["m.features", 1]
    assert {group: counts.records for group, counts in pane.groups.items()} == {
        ("1", "p"): 1,
        ("1", "*"): 1,
        ("*", "p"): 2,
        ("*", "*"): 2,
    }
    assert pane.versions == {"9?": 2}
    assert pane.producers == {"q": 3}


@pytest.mark.parametrize("size", [1, 7, 200])
def test_names_are_bounded_and_do_not_depend_on_the_cuts(size: int) -> None:
    """Request ids where a version belongs, and another field in every record."""
    run = Run()
    items = [
        Record(body(**{f"field {i}": 1}), 0, f"producer {i}".encode(), (("v", f"{i}".encode()),)) for i in range(200)
    ]
    log, end = placed([(record, 1) for record in items])
    for at in range(100, end, size):
        run.feed(chunk(log, at, min(at + size, end)))
        run.cut()
    pane = run.panes["m.features", 0]
    assert list(map(len, (pane.versions, pane.producers, pane.unlisted))) == [MAX_NAMES] * 3
    assert min(pane.versions, key=lambda name: zlib.crc32(name.encode())) == min(
        map(str, range(200)), key=lambda name: zlib.crc32(name.encode())
    )


@pytest.mark.parametrize(("wanted", "n"), [(1.0, 2), (True, 1), ("1", 1)])
def test_a_filter_compares_types_too(wanted: str | float | bool, n: int) -> None:
    """``true`` is not 1, and "1" is neither."""
    stream = StreamPlan("m.features", "m", "features", TOPIC, where=(("kind", wanted),))
    tap = Tap(layout_zero(Plan("app", (stream,), ()), {TOPIC: 1}), KEY, Position(100, 100), HASH_KEY)
    log, end = placed([(Record(body(kind=kind)), 1) for kind in (1, 1.0, True, "1", None, [1])])
    assert tap.feed(chunk(log, 100, end), NOW) is Fed.COUNTED
    counts = decoded(tap.cut(end))[1]["m.features"]
    assert (counts.applied, counts.filtered) == (n, 6 - n)


def test_fields_that_nobody_listed_are_counted_unless_ignored() -> None:
    run = Run()
    log, end = placed([(Record(body(x=1.0, deep={"c": "DE", "d": 2}, extra=None, many=[1], model="m", ts=0), 0), 1)])
    run.feed(chunk(log, 100, end))
    run.cut()
    assert run.panes["m.features", 0].unlisted == {"deep.d": 1, "extra": 1, "model": 1, "ts": 1}
    assert run.panes["m.predictions", 0].unlisted == {}


def test_a_sketch_travels_only_while_the_section_is_learned() -> None:
    for learned in (False, True):
        run = Run(learned)
        log, end = placed([(Record(body(x=1.5, deep={"c": "DE"}), 0), 1)])
        run.feed(chunk(log, 100, end))
        run.cut()
        assert ("m.features" in run.sketches) is not learned
        if not learned:
            assert run.sketches["m.features"].numbers(0)[0].tolist() == [1.5]
            assert list(run.sketches["m.features"].shown(1).values()) == ["DE"]


def test_a_chunk_that_does_not_continue_is_not_counted() -> None:
    """It stems from a fetch before a seek."""
    run = Run()
    log, _ = placed([(Record(body(x=1.0)), 1)] * 10)
    assert run.tap.feed(chunk(log, 103, 110), NOW) is Fed.MISPLACED
    assert run.tap.cursor.next == 100
    assert not run.tap.pending
    run.feed(chunk(log, 100, 105))
    assert run.tap.feed(chunk(log, 100, 103), NOW) is Fed.MISPLACED
    run.feed(chunk(log, 102, 110))
    run.cut()
    assert run.classes["m.features"]["applied"] == 10


def test_gaps_and_losses_are_classes_of_their_own() -> None:
    run = Run()
    run.tap.idle(107)
    run.tap.idle(90)
    run.tap.lost(120)
    run.tap.lost(110)
    run.cut()
    for name in ("m.features", "m.predictions"):
        assert {key: n for key, n in run.classes[name].items() if n} == {"gaps": 7, "lost": 13}
    assert run.position.next == 120
    assert run.position.anchor is None


def test_nothing_pending_makes_a_heartbeat_that_keeps_the_frontier() -> None:
    run = Run()
    log, end = placed([(Record(body(x=1.0), 5_000), 1)] * 2)
    run.feed(chunk(log, 100, end))
    run.cut()
    before = dict(run.position.frontier)
    header, streams = decoded(run.tap.cut(end=end))
    assert (header["from"], header["to"], streams) == (end, end, {})
    assert run.ledger.apply(run.ledger.offset, header)
    assert run.position.frontier == before == {"m.features": (5_000, None), "m.predictions": (None, None)}
    assert run.position.anchor == anchor(chunk(log, 100, end), 1)


def test_a_new_layout_is_in_force_from_the_next_cut_on() -> None:
    run = Run()
    log, end = placed([(Record(body(x=1.0), 5_000), 1)] * 4)
    run.feed(chunk(log, 100, 102))
    other = run.layout.with_section(run.layout.sections["m.features"].replace(versions=("1", "2")))
    run.tap.adopt(other)
    header, streams = decoded(run.tap.cut(end))
    assert header["layout"] == run.layout.id
    run.tap.feed(chunk(log, 102, end), NOW)
    header, later = decoded(run.tap.cut(end))
    assert header["layout"] == other.id
    assert header["frontier"]["m.features"] == [5_000, None]
    assert streams["m.features"].section != later["m.features"].section == other.sections["m.features"].id


def test_a_layout_adopted_with_nothing_pending_is_in_force_at_once() -> None:
    run = Run()
    other = run.layout.with_section(run.layout.sections["m.features"].replace(versions=()))
    run.tap.adopt(other)
    assert decoded(run.tap.cut(0))[0]["layout"] == other.id


def test_no_category_value_leaves_unless_the_field_says_show() -> None:
    section = Section("m.features", (Field("c", "c"),), (None,), False, (), (), 1)
    plan = Plan("app", (StreamPlan("m.features", "m", "features", TOPIC, fields=section.fields),), ())
    tap = Tap(Layout(plan, {"m.features": section}), KEY, Position(100, 100), HASH_KEY)
    log, end = placed([(Record(body(c="canary")), 1)])
    tap.feed(chunk(log, 100, end), NOW)
    header, tree = codec.unpack(tap.cut(end))
    assert "canary" not in repr((header, tree))
