"""The faults: pure, bounded in time, and placed by the seed."""

from __future__ import annotations

from itertools import pairwise

import orjson
import pytest

from stream.demo.faults import CLEAN_PANES, PANES, Fault, schedule, through
from stream.demo.timeline import FEATURES, PANE_MS, PREDICTIONS, Record

START = 1_700_000_000_000


def _records(topic: str, start_ms: int, count: int = 300) -> list[Record]:
    origins = ("EWR", "JFK", "LGA")
    if topic == PREDICTIONS:
        values = [{"flight": f"f{i}", "score": (i % 100) / 100, "model_version": "1.0"} for i in range(count)]
    else:
        values = [
            {"origin": origins[i % 3], "temp": 40.0, "dep_delay": i - 5, "distance": 1000 + i} for i in range(count)
        ]
    return [Record(topic, f"f{i}", start_ms + i, value) for i, value in enumerate(values)]


def _fault(name: str) -> Fault:
    return next(fault for fault in schedule(1, START) if fault.name == name)


def _broken(name: str) -> tuple[list[Record], list[Record]]:
    fault = _fault(name)
    records = _records(fault.topic, fault.start_ms)
    return records, list(through([fault], records))


@pytest.mark.parametrize("seed", range(1, 30))
def test_seven_faults_begin_at_pane_edges_with_clean_panes_between(seed: int) -> None:
    faults = schedule(seed, START)
    assert len({fault.name for fault in faults}) == 7
    assert faults[0].start_ms == START
    for fault in faults:
        assert fault.start_ms % PANE_MS == 0
        assert fault.end_ms - fault.start_ms >= PANES * PANE_MS
    for one, other in pairwise(faults):
        assert other.start_ms - one.end_ms >= CLEAN_PANES * PANE_MS


def test_the_seed_decides_the_order_and_the_times_and_nothing_else_does() -> None:
    def places(seed: int) -> list[tuple[str, str, int]]:
        return [(fault.name, fault.says, fault.start_ms) for fault in schedule(seed, START)]

    assert places(3) == places(3)
    assert len({tuple(name for name, _, _ in places(seed)) for seed in range(1, 6)}) == 5


def test_records_outside_the_window_or_of_another_topic_pass_untouched() -> None:
    faults = schedule(2, START)
    before = [record for topic in (FEATURES, PREDICTIONS) for record in _records(topic, START - 1000)]
    assert list(through(faults, before)) == before
    silent = next(fault for fault in faults if fault.name == "predictions silent")
    features = _records(FEATURES, silent.start_ms)
    assert list(through(faults, features)) == features


def test_a_fault_never_changes_the_record_it_was_given() -> None:
    for fault in schedule(1, START):
        records = _records(fault.topic, fault.start_ms)
        before = [orjson.dumps(record.value) for record in records]
        list(through([fault], records))
        assert [orjson.dumps(record.value) for record in records] == before


def test_a_feature_goes_missing_for_one_origin_only() -> None:
    _, sent = _broken("feature missing")
    missing = {record.value["origin"] for record in sent if record.value["temp"] is None}  # type: ignore[call-overload, index]
    present = {record.value["origin"] for record in sent if record.value["temp"] is not None}  # type: ignore[call-overload, index]
    assert (len(missing), len(present)) == (1, 2)


def test_a_field_changes_its_type_and_keeps_its_digits() -> None:
    records, sent = _broken("type changed")
    assert [r.value["dep_delay"] for r in sent] == [str(r.value["dep_delay"]) for r in records]  # type: ignore[call-overload, index]


def test_a_distance_in_kilometres() -> None:
    _, sent = _broken("distribution moved")
    assert sent[0].value["distance"] == 1609  # type: ignore[call-overload, index]


def test_a_silent_topic_carries_nothing() -> None:
    _, sent = _broken("predictions silent")
    assert sent == []


def test_about_a_quarter_is_late_and_comes_in_its_turn() -> None:
    records, sent = _broken("late data")
    assert [record.key for record in sent] == [record.key for record in records]
    behind = [new.timestamp_ms - old.timestamp_ms for new, old in zip(sent, records, strict=True)]
    assert set(behind) == {0, -6000}
    assert 0.15 < behind.count(-6000) / len(behind) < 0.35


def test_an_unreadable_copy_follows_every_record() -> None:
    records, sent = _broken("unreadable records")
    assert sent[::2] == records
    for record in sent[1::2]:
        with pytest.raises(orjson.JSONDecodeError):
            orjson.loads(record.value)  # type: ignore[arg-type]


def test_the_new_version_scores_about_half_of_the_flights_and_every_one_higher() -> None:
    records, sent = _broken("model too high")
    pairs = [
        (old.value, new.value) for old, new in zip(records, sent, strict=True) if new.value["model_version"] == "1.1"
    ]  # type: ignore[call-overload, index]
    assert 0.35 < len(pairs) / len(records) < 0.65
    assert all(old["score"] < new["score"] <= 1 for old, new in pairs)  # type: ignore[call-overload, index]
