"""The year on today's clock: a pane is half a day, nothing is lost or doubled at the seams."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from stream.demo.data import DAY, Flights
from stream.demo.timeline import (
    DAY_MS,
    FEATURES,
    FIRST_DAY,
    HISTORY_DAYS,
    OUTCOMES,
    PANE_MS,
    PREDICTIONS,
    TOPICS,
    Clock,
    Timeline,
)

NOW = 1_700_000_000_777
YEAR_MS = 365 * DAY_MS


@pytest.fixture
def timeline(small: Flights) -> Timeline:
    return Timeline(small, np.linspace(0, 1, len(small)), Clock.starting(NOW))


def test_panes_begin_at_seven_and_nineteen_utc_and_history_ends_now() -> None:
    clock = Clock.starting(NOW)
    assert [
        clock.date(ms).strftime("%H:%M") for ms in (NOW // PANE_MS * PANE_MS, NOW // PANE_MS * PANE_MS + PANE_MS)
    ] == [
        "07:00",
        "19:00",
    ]
    first = clock.edge_ms + FIRST_DAY * DAY_MS
    assert clock.date(first).strftime("%d %B") == "06 October"
    assert 0 <= NOW - (first + HISTORY_DAYS * DAY_MS) < PANE_MS


def test_moments_go_to_milliseconds_and_back() -> None:
    clock = Clock.starting(NOW)
    minutes = np.array([0.0, 420.0, 100_000.0])
    assert [clock.minutes(int(ms)) for ms in clock.ms(minutes)] == pytest.approx(minutes.tolist(), abs=DAY / DAY_MS)


@pytest.mark.parametrize("topic", TOPICS)
def test_any_division_into_intervals_yields_the_same_records(timeline: Timeline, topic: str) -> None:
    start = timeline.begin_ms
    edges = [start, start + 1, start + 7001, start + 7001, start + YEAR_MS, start + YEAR_MS + 12_345]
    pieces = [record for a, b in pairwise(edges) for record in timeline.between(topic, a, b)]
    assert pieces == list(timeline.between(topic, edges[0], edges[-1]))
    times = [record.timestamp_ms for record in pieces]
    assert times == sorted(times)
    assert edges[0] <= times[0] <= times[-1] < edges[-1]


@pytest.mark.parametrize("topic", TOPICS)
def test_the_year_begins_again_with_the_same_flights_under_new_names(timeline: Timeline, topic: str) -> None:
    start = timeline.begin_ms
    year = list(timeline.between(topic, start, start + YEAR_MS))
    again = list(timeline.between(topic, start + YEAR_MS, start + 2 * YEAR_MS))
    assert [record.timestamp_ms + YEAR_MS for record in year] == [record.timestamp_ms for record in again]
    assert {record.key[4:] for record in year} == {record.key[4:] for record in again}
    keys = [record.key for record in year + again]
    assert len(keys) == len(set(keys))


def test_prediction_and_outcome_name_the_flight_and_the_features_carry_fifteen_fields(timeline: Timeline) -> None:
    end = timeline.begin_ms + 2 * DAY_MS
    features, predictions, outcomes = (
        {record.key: record.value for record in timeline.between(topic, timeline.begin_ms, end)}
        for topic in (FEATURES, PREDICTIONS, OUTCOMES)
    )
    assert features.keys() == predictions.keys()
    assert all(isinstance(value, dict) and len(value) == 15 for value in features.values())
    assert all(value["flight"] == key and 0 <= value["score"] <= 1 for key, value in predictions.items())  # type: ignore[index]
    assert all(value["is_late"] == (value["arr_delay"] >= 30) for value in outcomes.values())  # type: ignore[index]
    assert {value["is_late"] for value in outcomes.values()} == {True, False}  # type: ignore[index]


def test_an_outcome_comes_when_the_plane_has_landed_and_never_for_a_diverted_one(timeline: Timeline) -> None:
    departed = {
        r.key: r.timestamp_ms for r in timeline.between(FEATURES, timeline.begin_ms, timeline.begin_ms + 40_000)
    }
    landed = {r.key: r.timestamp_ms for r in timeline.between(OUTCOMES, timeline.begin_ms, timeline.begin_ms + 40_000)}
    both = departed.keys() & landed.keys()
    assert both
    assert {landed[key] - departed[key] for key in both} <= {round(60 * DAY_MS / DAY) + d for d in (-1, 0, 1)}
    assert not any(int(key[4:8]) % 100 == 0 for key in landed)


def test_panes_of_the_published_flights_hold_enough_records_for_the_rules(published: Flights) -> None:
    clock = Clock.starting(NOW)
    panes = np.bincount((clock.ms(published.departed) - clock.edge_ms)[published.departed >= 420] // PANE_MS)
    begin = 2 * (FIRST_DAY + HISTORY_DAYS - 365)
    live = panes[begin : begin + 150]
    assert live.min() >= 180
    assert np.median(live) > 400
