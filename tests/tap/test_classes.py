"""What an entry says: every record in exactly one class, groups and names within their bounds, no category value."""

from __future__ import annotations

import zlib

import pytest

from stream import codec
from stream.batch import Headers
from stream.counts import MAX_NAMES, coordinates
from stream.layout import Layout, Section, layout_zero
from stream.ledger import Position
from stream.plan import Field, Plan, StreamPlan
from stream.tap import Fed, Tap
from tests.tap.taps import (
    HASH_KEY,
    KEY,
    NOW,
    TOPIC,
    Record,
    Run,
    body,
    chunk,
    decoded,
    placed,
)


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


def test_no_category_value_leaves_unless_the_field_says_show() -> None:
    section = Section("m.features", (Field("c", "c"),), (None,), False, (), (), 1)
    plan = Plan("app", (StreamPlan("m.features", "m", "features", TOPIC, fields=section.fields),), ())
    tap = Tap(Layout(plan, {"m.features": section}), KEY, Position(100, 100), HASH_KEY)
    log, end = placed([(Record(body(c="canary")), 1)])
    tap.feed(chunk(log, 100, end), NOW)
    header, tree = codec.unpack(tap.cut(end))
    assert "canary" not in repr((header, tree))
