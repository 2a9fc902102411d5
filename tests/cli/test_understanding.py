"""What `check` makes of records, without a broker: classes, doubts, estimates."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import replace

import orjson
import pytest

from stream.batch import RecordBatch
from stream.commands.arming import learning_ms, lines
from stream.commands.doubts import doubts
from stream.commands.pace import Looked, Pace, pace
from stream.commands.recordview import chosen, record_lines
from stream.commands.understanding import Understood, understand
from stream.judging.watch import Watch
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


def test_a_long_path_leaves_room_for_the_value() -> None:
    """It is shortened in its middle: both ends tell people which one it is."""
    long = ".".join(["payload", *(f"level{i}" for i in range(12)), "latitude"])
    record = understood(one_field(long), {"x": {"a": 1}}).seen[0]
    (line,) = (str(text) for text in record_lines(record, one_field(long), NOW_MS, True) if "absent" in str(text))
    assert re.fullmatch(r" +a \(payload\.level0.*\.\.\..*latitude\)  absent", line)
    assert len(line) < 80


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


HOUR_MS = 3_600_000


def test_the_estimate_is_that_of_the_learner() -> None:
    """10,000 records for the bins (or a day with 500), then 200 panes with 30 values each, 10,000 values, and a day."""
    assert learning_ms(WHOLE, 3_600_000) == pytest.approx(10_000 + 24 * HOUR_MS)
    assert learning_ms(SHORT, 3_600_000) == pytest.approx(10_000 + 200 * 60_000)
    assert learning_ms(SHORT, 60) == pytest.approx(24 * HOUR_MS + 10_000 / 60 * HOUR_MS)
    assert learning_ms(SHORT, 3_600_000, seen=4_000) == pytest.approx(6_000 + 200 * 60_000)


WHOLE = Plan("app", (STREAM,), (ModelPlan("m", "o", "d", "w"),))
SHORT = replace(WHOLE, warm_up_ms=3_600_000)


def drift(pace: Pace, kept: int = 0, watch: Watch | None = None, plan: Plan = SHORT) -> str:
    return list(lines(STREAM, plan, watch, pace, kept))[-1]


def test_when_drift_will_be_watched() -> None:
    """A figure where the records that come give one; what the topic holds already counts only if it lasts for 200 panes."""
    assert drift(Pace(3_600)).startswith("drift: about 6 h after the start, at 3,600 records an hour (needed: 10,000 ")
    assert drift(Pace(3_600), kept=36_000).startswith("drift: soon after the start: the topic holds 36,000 records")
    assert drift(Pace(3_600_000), kept=50_000).startswith("drift: about 3 h after the start, at 1,000 records a second")
    assert drift(Pace(None, "why")).startswith("drift: it cannot be said when: why (needed: ")
    assert drift(Pace(None, "why"), 50_000).startswith(
        "drift: soon after the start, if the 50,000 records of the topic fill"
    )


def test_a_monitor_that_runs_says_how_far_it_is() -> None:
    """And about how long it will take at the present pace, if that is known."""
    watch = Watch(STREAM, layout_zero(SHORT, {"t": 1}).sections["m.features"], SHORT)
    watch.learning.records = 6_400
    assert drift(Pace(3_600), watch=watch) == (
        "drift: 6,400 of 10,000 records are seen from which the bins are learned; "
        "then come 200 panes with 10,000 values of a field; about 4 h to go at 3,600 records an hour"
    )
    assert drift(Pace(None, "why"), watch=watch).endswith("values of a field")


def looked(first: int, last: int, count: int, last_hour: int = 0) -> Looked:
    """Return ``count`` records at regular times; more than they, when ``last_hour`` is given."""
    stamps = tuple(int(first + i * (last - first) / max(count - 1, 1)) for i in range(count))
    return Looked(stamps, last_hour or count, older=last_hour > 0)


@pytest.mark.parametrize(
    ("parts", "per_hour"),
    [
        ([looked(NOW_MS - HOUR_MS // 6, NOW_MS, 100)], 600),  # a topic that is ten minutes old
        ([looked(NOW_MS - 1000, NOW_MS, 100, last_hour=5000)], 5000),  # a burst in a topic that has an hour behind it
        ([looked(NOW_MS - 10 * HOUR_MS, NOW_MS, 100, last_hour=3)], 10),  # few records, long ago
        ([looked(NOW_MS - HOUR_MS // 2, NOW_MS, 50), looked(NOW_MS - 50 * HOUR_MS, NOW_MS, 50, last_hour=2)], 101),
    ],
)
def test_the_pace_is_the_sum_of_what_partitions_show(parts: list[Looked], per_hour: float) -> None:
    """Each by the longer of two spans: an idle partition and a busy one have little in common."""
    assert pace(parts, NOW_MS).per_hour == pytest.approx(per_hour)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ([looked(0, 0, 0)], "the topic is empty"),
        ([looked(NOW_MS - 5000, NOW_MS, 9)], "only 9 records of it could be looked at"),
        ([looked(NOW_MS - 90 * HOUR_MS, NOW_MS - 80 * HOUR_MS, 99)], "the newest record is 3 days old"),
        ([looked(NOW_MS, NOW_MS + 90 * HOUR_MS, 99)], "the newest timestamp lies in the future"),
    ],
)
def test_no_pace_is_made_of_too_little(parts: list[Looked], why: str) -> None:
    """A wrong figure is worse than none."""
    assert pace(parts, NOW_MS) == Pace(None, why)


def test_the_pace_of_a_stream_is_its_share() -> None:
    """Of a topic that several streams read; too few records of the stream are too few."""
    assert Pace(1000.0).of(50, 200) == Pace(250.0)
    assert Pace(1000.0).of(5, 200).per_hour is None


def test_clocks_that_differ_a_little_are_not_the_future() -> None:
    """The broker's clock and ours are never equal; an event time an hour ahead is worth saying."""
    record = understood(STREAM, A).seen[0]
    texts = {
        ahead: str(list(record_lines(record, STREAM, NOW_MS - 1000 - ahead, False))[1]) for ahead in (900, HOUR_MS)
    }
    assert "just now" in texts[900]
    assert "60 min in the future" in texts[HOUR_MS]
