"""What an attacker tried: names that look like ours, names that are not YAML, clocks that run ahead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from stream.codec import FormatError, pack, unpack
from stream.judging.alerts import rfc3339
from stream.judging.incidents import Clock, Incidents
from stream.judging.news import Moment, News
from stream.plan import Field, ModelPlan, Plan, StreamPlan
from stream.publishing import Message
from stream.replay import Replay

BEGIN = 1_700_000_000_000 // 60_000 * 60_000
KEYS = st.text() | st.sampled_from(["$a", "$$a", "$"])
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from(["$a", "$$a", "$"]), inner, max_size=3)
    ),
)


@given(trees)
def test_a_frame_gives_back_any_names(tree: Any) -> None:
    """A field called like the mark of an array stopped the judge for ever."""
    assert unpack(pack({"kind": "x"}, {"names": tree}))[1] == {"names": tree}


def test_an_array_that_is_described_wrongly_is_a_damaged_frame() -> None:
    good = pack({"kind": "x"}, {"$a": 3})
    assert unpack(good)[1] == {"$a": 3}
    with pytest.raises(FormatError):
        unpack(b"SGA" + good[3:-1])


def replayed(folder: Path, lines: list[dict[str, Any]], unlisted: str = "count") -> list[dict[str, Any]]:
    plan = Plan(
        "sg-t",
        (StreamPlan("m.features", "m", "features", "t", fields=(Field("x", "x", required=True),), unlisted=unlisted),),
        (ModelPlan("m", "team", "decide", "rules"),),
    )
    file = folder / "t.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    events: list[dict[str, Any]] = []

    def emit(message: Message) -> None:
        if message.topic == "alerts" and message.value is not None:
            events.append(orjson.loads(message.value))

    Replay(plan, {"t": file}, b"k" * 32, emit).run()
    return events


def quiet(n: int) -> list[dict[str, Any]]:
    return [{"timestamp": BEGIN + i * 1500, "value": {"x": i % 17 + 0.5}} for i in range(n)]


def test_a_field_named_like_our_mark_is_counted(tmp_path: Path) -> None:
    lines = quiet(2000)
    lines[500]["value"]["$a"] = 1
    assert replayed(tmp_path, lines) == []


def test_one_timestamp_far_ahead_changes_nothing_else(tmp_path: Path) -> None:
    """The clock of a replay follows two records that agree, never one."""
    lines = quiet(4000)
    for line in lines[2400:2600]:
        line["value"]["x"] = None
    expected = [(event["check"], event["status"], event["startsAt"]) for event in replayed(tmp_path, lines)]
    lines.insert(1000, {"timestamp": BEGIN + 1000 * 1500 + 2 * 3_600_000, "value": {"x": 1.5}})
    assert expected
    assert [(event["check"], event["status"], event["startsAt"]) for event in replayed(tmp_path, lines)] == expected


def few(n: int, a_minute: int = 20) -> list[dict[str, Any]]:
    """Return records at twenty a minute: no pane of one has thirty."""
    return [{"timestamp": BEGIN + i * 60_000 // a_minute, "value": {"x": i % 17 + 0.5}} for i in range(n)]


def told(folder: Path, lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the first event of each incident, by check."""
    return {event["check"]: event for event in reversed(replayed(folder, lines))}


def test_records_that_cannot_be_read_are_told_of_a_stream_of_few(tmp_path: Path) -> None:
    """Two in five, for an hour: no pane of twenty records says it alone."""
    lines = few(3600)
    for i in range(2400, 3600):
        lines[i]["value"] = lines[i]["value"] if i % 5 < 3 else [1]
    assert told(tmp_path, few(3600)) == {}
    first = told(tmp_path, lines)["rejected"]["annotations"]["description"]
    assert "40 % of 40 records could not be read (not_an_object 16)" in first


def test_panes_that_wait_for_more_records_end_no_incident_of_a_stream_of_few(tmp_path: Path) -> None:
    """At five a minute every sixth pane can be judged: the five between are neither clean nor wrong. Three clean ones end it."""
    lines = few(1200, a_minute=5)
    for i in range(600, 900):
        lines[i]["value"] = lines[i]["value"] if i % 5 < 3 else [1]
    found = [(event["status"], event["endsAt"]) for event in replayed(tmp_path, lines) if event["check"] == "rejected"]
    assert [status for status, _ in found] == ["firing", "resolved"]
    assert found[-1][1] == rfc3339(BEGIN + (180 + 3 * 6) * 60_000)


def test_late_records_are_told_of_a_stream_of_few(tmp_path: Path) -> None:
    lines = few(3600)
    for i in range(2400, 3600, 4):
        lines[i]["timestamp"] -= 300_000
    assert "25 % of 40 records came too late" in told(tmp_path, lines)["late"]["annotations"]["description"]


def test_too_few_for_a_tick_count_beside_those_of_the_next() -> None:
    """Nothing of the stream can be read, at twenty a minute: no pane closes, and no minute alone has thirty."""
    news = News(StreamPlan("m.features", "m", "features", "t"), 60_000, "page")
    news.rejected = news.counted = 20
    assert news.on_tick(60_000, BEGIN) == []
    news.rejected, news.counted = news.rejected + 20, news.counted + 20
    ((check, _, finding),) = news.on_tick(60_000, BEGIN)
    assert finding is not None
    assert (check, finding.n, finding.value) == ("rejected", 40, 1.0)


def test_a_frontier_that_ran_ahead_is_told_on_ticks() -> None:
    """Two records of a wrong clock blind a partition until real time gets there: every record is late, no pane closes."""
    news = News(StreamPlan("m.features", "m", "features", "t"), 60_000, "page")
    news.late, news.counted = 90, 100
    ((check, subject, finding),) = news.on_tick(60_000, BEGIN)
    assert (check, subject) == ("late", "m.features")
    assert finding is not None
    assert (finding.severity, finding.value) == ("ticket", 0.9)
    assert news.on_tick(60_000, BEGIN) == [], "a window without a record says nothing"
    news.late, news.counted = 0, 100
    assert news.on_tick(60_000, BEGIN) == [("late", "m.features", None)]


def test_two_things_that_happen_at_once_are_both_said() -> None:
    """An operator moves one partition forward and another back: the ticket does not vanish behind the information."""
    stream = StreamPlan("m.features", "m", "features", "t")
    news, board = News(stream, 60_000, "page"), Incidents(Plan("a", (stream,), (ModelPlan("m", "o", "d", "w"),)))
    for moment in (
        Moment("lost", "skipped", 7, severity="ticket"),
        Moment("lost", "read_again", 9, severity="info"),
        Moment("lost", "skipped", 5, severity="ticket"),
    ):
        news.happened(0, BEGIN, moment)
    assert [(finding.reason, finding.n, holds) for finding, holds in news.noticed(1_000)] == [
        ("skipped", 12, True),
        ("read_again", 9, True),
    ]
    said = [
        transition.status
        for now in (1_000, 2_000, 200_000, 201_000)
        for finding, holds in news.noticed(now)
        for transition in board.observe_notice("m.features", finding, holds, Clock(BEGIN, BEGIN, now))
    ]
    assert said == ["firing", "updated", "resolved"]


@pytest.mark.parametrize("name", ["a: b", "*", "#x", "123", "yes", "p}, q: {show: true"])
def test_the_line_to_paste_is_yaml_whatever_the_name(name: str) -> None:
    quoted = orjson.dumps(name).decode()
    assert yaml.safe_load(f"{quoted}: {{path: {quoted}}}") == {name: {"path": name}}
