"""What `check` makes of records, without a broker: classes, doubts, estimates."""

from __future__ import annotations

import dataclasses

import orjson
import pytest

from stream.batch import RecordBatch
from stream.commands.arming import learning_ms, lines
from stream.commands.doubts import doubts
from stream.commands.recordview import chosen, record_lines
from stream.commands.understanding import Understood, understand
from stream.layout import layout_zero
from stream.plan import Field, ModelPlan, Plan, StreamPlan

NOW_MS = 1_800_000_000_000
STREAM = StreamPlan("m.features", "m", "features", "t", unlisted="count", fields=(Field("a", "x.a"),))


def batch(*values: object) -> RecordBatch:
    raw = [value if value is None or isinstance(value, bytes) else orjson.dumps(value) for value in values]
    n = len(raw)
    stamps = [NOW_MS - 1000 * (n - i) for i in range(n)]
    return RecordBatch("t", 0, 0, n, n, list(range(n)), stamps, [None] * n, raw, [()] * n)


def understood(stream: StreamPlan, *values: object) -> Understood:
    plan = Plan("app", (stream,), (ModelPlan("m", "o", "d", "w"),))
    return understand([batch(*values)], layout_zero(plan, {"t": 1}), stream, NOW_MS)


def change(**changes: object) -> StreamPlan:
    return dataclasses.replace(STREAM, **changes)  # type: ignore[arg-type]


def one_field(source: str, **more: object) -> StreamPlan:
    return change(fields=(Field("a", source, **more),))  # type: ignore[arg-type]


def test_every_record_has_one_class() -> None:
    """The classes of the tap, by name."""
    stream = change(where=(("type", "pay"),), time="ts")
    seen = understood(
        stream,
        {"type": "pay", "ts": NOW_MS, "x": {"a": 1}},
        {"type": "other", "ts": NOW_MS},
        None,
        b"oops",
        {"type": "pay", "ts": NOW_MS + 7_200_000},
        {"type": "pay", "ts": None},
    ).seen
    assert [record.what for record in seen] == ["counted", "filtered", "tombstone", "not_json", "future", "bad_time"]


def test_three_are_shown_and_a_rejected_one_is_among_them() -> None:
    """The newest of the stream; what is not of the stream is shown only where nothing else is there."""
    mixed = understood(STREAM, b"old", {"x": {"a": 1}}, {"x": {"a": 2}}, {"x": {"a": 3}}, b"new", None)
    assert [record.offset for record in chosen(mixed)] == [2, 3, 4]
    assert [record.offset for record in chosen(understood(STREAM, None, None, None, None, {"x": {}}))] == [2, 3, 4]
    assert chosen(understood(STREAM)) == []


def test_what_steers_a_terminal_is_not_printed() -> None:
    """Names and values come from other people's records."""
    stream = change(unlisted="watch")
    record = understood(stream, {"x": {"a": "\u001b[2Jgone\u009b"}, "na\u0007me": 1}).seen[0]
    text = "\n".join(str(line) for line in record_lines(record, stream, NOW_MS, values=True))
    assert "gone" in text
    assert all(char == "\n" or char.isprintable() for char in text)


NONE = "occurs in none of 3 records"
SELECTS = "selects none of 3 records"
DAYS = "event times are 20812 days away from the records' timestamps"
A = {"x": {"a": 1}}


@pytest.mark.parametrize(
    ("stream", "value", "doubt"),
    [
        (one_field("x.b"), {"x": {"bb": 1}}, f"fields.a: 'x.b' {NONE}; did you mean 'x.bb'?"),
        (one_field("a"), A, f"fields.a: 'a' {NONE}; did you mean 'x.a'?"),
        (change(version="header:mv"), A, f"version: 'header:mv' {NONE}"),
        (
            one_field("x.a", kind="number"),
            {"x": {"a": "12"}},
            "fields.a: stated as number, but of 3 values some are of another type (string 3)",
        ),
        (one_field("x.a", range=(2.0, 3.0)), A, "fields.a: 3 of 3 numbers lie outside [2, 3]"),
        (one_field("x"), A, "fields.a: 'x' holds objects or lists: a field is one number, text or true/false"),
        (
            change(time="x.a", time_unit="ms"),
            {"x": {"a": "2027-01-15T08:00:00Z"}},
            "time: 'x.a' is no time in the unit ms; did you mean unit: rfc3339?",
        ),
        (
            change(time="x.a", time_unit="ms"),
            {"x": {"a": NOW_MS // 1000}},
            f"time: {DAYS}; did you mean unit: s?",
        ),
        (
            change(where=(("type", "pay"),)),
            {"typ": "pay", **A},
            f"where.type: {SELECTS}: no record has 'type'; did you mean 'typ'?",
        ),
        (change(where=(("n", 1.0),)), {"n": True, **A}, f"where.n: {SELECTS}: other values or types are there"),
    ],
)
def test_a_doubt_names_key_and_hint(stream: StreamPlan, value: object, doubt: str) -> None:
    """One sentence that can be acted on."""
    found = [text for text in doubts(understood(stream, value, value, value)) if "are rejected" not in text]
    assert found == [f"models.m.features.{doubt}"]


def test_sound_records_raise_no_doubt() -> None:
    """A field that is null now and then, late records, tombstones and other streams' records are ordinary."""
    stream = change(where=(("type", "pay"),), fields=(Field("a", "x.a", kind="number", range=(0.0, 5.0)),))
    values = ({"type": "pay", "x": {"a": 1}}, {"type": "pay", "x": {"a": None}}, {"type": "no"}, None)
    assert list(doubts(understood(stream, *values))) == []


def test_the_estimate_is_that_of_the_learner() -> None:
    """10,000 records for the bins (or a day with 500), then 200 panes with 30 values each and 10,000 values."""
    hour = 3_600_000
    assert learning_ms(60_000, 3_600_000) == pytest.approx(10_000 + 200 * 60_000)
    assert learning_ms(60_000, 60) == pytest.approx(24 * hour + 10_000 / 60 * hour)
    text = "\n".join(lines(STREAM, None, 60_000, 0.0, 50_000))
    assert "drift: soon after the start: the topic holds 50000 records to learn from" in text
