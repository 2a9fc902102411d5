"""The judge under references that nights have learned: what it tells, what it keeps, and that a restart is no event."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream.baseline_fit import held
from stream.codec import digest, pack
from stream.commands.explain import compared_with
from stream.gathering import Kept
from stream.judging.drift import Drift
from stream.judging.findings import Finding
from stream.judging.promise import Realised
from stream.judging.verdicts import note
from stream.layout import Bins
from stream.plan import Field
from tests.judge.hourly import NAMES, Hourly, again, plan
from tests.judge.weeks import GAUSS, HOUR, MONDAY, NONE, STREAM, hour_of, hours, learned, lesson, panes, reference

DAYS = 30
"""Of history before the judge begins: the rule of the first weeks is in force."""

UNTIL = "2026-02-09"


@functools.cache
def before() -> list[Kept]:
    return panes({name: hours(DAYS, name, n=50) for name in NAMES})


@functools.cache
def tree() -> dict[str, Any]:
    return learned(lesson(MONDAY + DAYS, *NAMES), before())


def watching(learned: dict[str, Any] | None = None) -> Hourly:
    """Return a judge that begins on the day for which the reference was learned."""
    judge = Hourly(plan(), first=MONDAY + DAYS)
    judge.refer(tree() if learned is None else learned)
    return judge


def findings(judge: Hourly) -> list[Finding]:
    assert judge.judge.incidents is not None
    members = [member for incident in judge.judge.incidents.open() for member in incident.members.values()]
    return [member.finding for member in members if member.finding.check == "drift"]


def evidence(judge: Hourly) -> dict[str, float]:
    """Return the statistic of each series."""
    return dict(zip(judge.drift.series, judge.drift.shift.statistic.tolist(), strict=True))


@pytest.mark.parametrize(("mean", "word"), [(0.5, "higher"), (-0.5, "lower")])
def test_a_step_is_told_with_size_direction_and_when_it_began(mean: float, word: str) -> None:
    """And that the limit is provisional, in the first line; nothing is told of the field that did not move."""
    judge = watching()
    judge.hours(30)
    assert judge.drifts() == []
    begin = judge.hour
    judge.hours(24, {"a": mean})
    (event, *_) = judge.drifts()
    assert (event["labels"]["subject"], event["severity"]) == ("a", "ticket")
    assert event["reference"] == f"provisional {UNTIL}"
    (found,) = [item for item in findings(judge) if item.reason == "location"]
    assert word in found.text
    assert f"(provisional until {UNTIL})" in found.text
    assert found.value > found.threshold > 0
    told = found.evidence
    onset = told["onset"]
    assert onset["earliest_ms"] <= begin * HOUR <= onset["latest_ms"]
    assert onset["earliest_ms"] <= onset["likeliest_ms"] <= onset["latest_ms"]
    assert abs(onset["likeliest_ms"] - begin * HOUR) <= 4 * HOUR
    assert found.onset_ms == onset["likeliest_ms"]
    assert told["size"] == pytest.approx(mean, rel=0.5)  # beyond the clip it is that of one pane
    assert told["contrast"] == "location"
    assert {item.subject for item in findings(judge)} == {"a"}


def test_a_size_does_not_depend_on_how_long_the_noise_of_a_field_lasts() -> None:
    """It is that of the field, while the limit is about its waves."""
    normal = tree()[STREAM]["normal"]
    slow = {**tree(), STREAM: {**tree()[STREAM], "normal": {**normal, "longrun": 2.5 * normal["longrun"]}}}
    judge = watching(slow)
    judge.hours(30)
    judge.hours(24, {"a": 0.8})
    (found,) = [item for item in findings(judge) if item.reason == "location"]
    assert found.evidence["size"] == pytest.approx(0.8, rel=0.25)


@pytest.mark.parametrize("first", [None, {STREAM: {**reference(*NAMES), "farthest": np.full(2, 5.0)}}])
def test_nothing_is_told_before_there_are_limits(first: dict[str, Any] | None) -> None:
    """Without a reference, and with one that has no limits yet, a step of half a standard deviation is nobody's alarm."""
    judge = Hourly(plan())
    if first is not None:
        judge.refer(first)
    judge.hours(24)
    judge.hours(48, {"a": 0.5})
    assert judge.drifts() == []
    assert judge.drift.status == "learning"
    assert judge.judge.incidents is not None
    assert judge.judge.incidents.promise.limits == [], "nothing was promised"


def unlimited(learned: dict[str, Any]) -> dict[str, Any]:
    """Return a reference in which no series of field a may alarm, and none of them was learned."""
    normal = learned[STREAM]["normal"]
    own = np.array([name.startswith("a/") for name in normal["series"]])
    blank = {"limit": np.inf, "mean": 0.0, "between": 1.0, "sampling": 0.0, "rhythm": 1.0, "longrun": 1.0}
    changed = {name: np.where(own, value, normal[name]) for name, value in blank.items()}
    return {**learned, STREAM: {**learned[STREAM], "normal": {**normal, **changed}}}


def unlearned(learned: dict[str, Any]) -> dict[str, Any]:
    """Return a reference that says nothing of the series of field a."""
    normal = learned[STREAM]["normal"]
    kept = [k for k, name in enumerate(normal["series"]) if not name.startswith("a/")]
    rest = {name: normal[name][..., kept] for name in normal if name != "series"}
    series = [normal["series"][k] for k in kept]
    return {**learned, STREAM: {**learned[STREAM], "normal": {"series": series, **rest}}}


@pytest.mark.parametrize("less", [unlimited, unlearned])
def test_a_series_without_a_limit_only_watches(less: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """However far it goes; the field beside it alarms."""
    judge = watching(less(tree()))
    judge.hours(48, {"a": 0.5, "b": 0.5})
    assert {item.subject for item in findings(judge)} == {"b"}
    assert evidence(judge)["a/location"] > 4


def test_a_series_begins_anew_when_it_gets_its_first_limit() -> None:
    """What it added up before was against no baseline: a new normal would be an alarm on the day on which it is learned."""
    judge = watching(unlimited(tree()))
    judge.hours(72, {"a": 1.0})
    taught = panes({"a": hours(DAYS + 3, "a", 1.0, n=50), "b": hours(DAYS + 3, "b", n=50)})
    judge.refer(learned(lesson(MONDAY + DAYS + 3, *NAMES), taught))
    assert np.isfinite(judge.drift.shift.limit).all()
    judge.hours(48, {"a": 1.0})
    assert [item.reason for item in findings(judge) if "onset" in item.evidence] == []
    assert evidence(judge)["a/location"] < 5


def test_evidence_is_kept_over_the_night() -> None:
    """A drift that began in the evening is not forgotten at midnight, whatever reference comes into force."""
    judge = watching()
    judge.hours(20)
    judge.hours(3, {"a": 0.4})
    before_it = pack({}, judge.drift.state()["recent"]), judge.drift.shift.ratio.copy()
    assert 1 < evidence(judge)["a/location"] < judge.drift.shift.limit[0], "not told yet"
    other = learned(lesson(MONDAY + DAYS + 1, *NAMES), [*before(), *judge.kept])
    assert digest(other) != digest(tree())
    judge.refer(other)
    assert (pack({}, judge.drift.state()["recent"]), *judge.drift.shift.ratio[:, 0]) == (
        before_it[0],
        *before_it[1][:, 0],
    )
    assert judge.drift.shift.limit[0] == other[STREAM]["normal"]["limit"][0]
    assert not judge.drift.shift.status.any(), "nothing was concluded yet at the new limits"
    assert np.isinf(judge.drift.shift.threshold).all()
    begin = len(judge.records)
    for _ in range(24):
        judge.hours(1, {"a": 0.4})
        if judge.drifts(begin):
            break
    onset = findings(judge)[0].evidence["onset"]
    assert onset["earliest_ms"] <= hour_of(MONDAY + DAYS) * HOUR + 20 * HOUR <= onset["latest_ms"]


def say(judge: Hourly, verdict: str, name: str = "one") -> None:
    assert judge.judge.incidents is not None
    (incident,) = [item for item in judge.judge.incidents.open() if item.check == "drift"]
    header = note(name, (incident.id, incident.fingerprint), verdict, "test", ("alice", judge.hour * HOUR), None)
    judge.fold(header, None)


@pytest.mark.parametrize(("verdict", "forgotten"), [("false-alarm", True), ("new-normal", True), ("incident", False)])
def test_a_verdict_forgets_the_fields_it_is_about(verdict: str, forgotten: bool) -> None:
    """Evidence and ring of these begin anew; the field beside it loses nothing, and an incident forgets nothing at all."""
    judge = watching()
    judge.hours(24)
    judge.hours(12, {"a": 0.5})
    kept = {name: value for name, value in evidence(judge).items() if name.startswith("b/")}
    ratio = judge.drift.shift.ratio[judge.drift.series.index("b/location")].copy()
    say(judge, verdict)
    now = evidence(judge)
    assert (now["a/location"] == 0.0) is forgotten
    assert np.isnan(judge.drift.recent.values(0)).all() == forgotten
    assert {name: now[name] for name in kept} == kept
    assert np.array_equal(judge.drift.shift.ratio[judge.drift.series.index("b/location")], ratio)
    assert judge.drift.shift.ratio[0].any() != forgotten
    assert np.isfinite(judge.drift.recent.values(judge.drift.series.index("b/location"))).any()


def test_another_section_keeps_what_is_known_of_unchanged_fields() -> None:
    """In whatever row they are; a field with other bins begins anew and has no limit."""
    judge = watching()
    judge.hours(20)
    judge.hours(3, {"a": 0.4, "b": 0.4})
    held, ring = evidence(judge), judge.drift.recent.values(judge.drift.series.index("b/location"))
    section = judge.layout.sections[STREAM]
    other = Bins("number", GAUSS.edges[::2].copy(), NONE, NONE)
    fields = (Field("new", "new", declared=False), section.fields[1], section.fields[0])
    judge.section(section.replace(fields=fields, bins=(None, GAUSS, other)))
    of_b = [name for name in judge.drift.series if name.startswith("b/")]
    assert set(judge.drift.series) == {*of_b, "new/missing", "a/missing"}
    assert {name: held[name] for name in of_b} == {name: evidence(judge)[name] for name in of_b}
    assert np.array_equal(judge.drift.recent.values(judge.drift.series.index("b/location")), ring, equal_nan=True)
    assert np.array_equal(judge.drift.armed, [False, True, False])
    judge.hours(24, {"a": 2.0, "b": 0.4})
    assert {item.subject for item in findings(judge)} == {"b"}


def test_a_night_is_due_once_a_day_and_not_before_a_first_reference() -> None:
    judge = Hourly(plan())
    judge.hours(30)
    assert judge.judge.recalibration() is None, "there is no reference to start from"
    judge.refer({STREAM: reference(*NAMES)})
    assert judge.night() is not None
    assert judge.judge.recalibration() is None
    judge.hours(18)
    assert judge.hour % 24 == 0
    assert judge.judge.recalibration() is None, "the last hour of the day is not closed yet"
    judge.hours(1)
    told = judge.night()
    assert told is not None
    assert (told["day"], told["days"], told["status"]) == (MONDAY + 2, 2, "provisional")
    assert judge.judge.recalibration() is None


@pytest.mark.parametrize("changed", [{"false_alarms": 2.0}, {"holidays": ("2026-02-03",)}])
def test_changed_settings_are_learned_at_once(changed: dict[str, Any]) -> None:
    """Also when they changed while a night was learning: what it learned is of the old ones, and another lesson follows."""
    judge = watching({STREAM: reference(*NAMES)})
    judge.hours(25)
    old = judge.judge.recalibration()
    assert old is not None
    judge.adopt("layout", replace(judge.layout, plan=replace(judge.layout.plan, **changed)).to_dict())
    judge.refer(learned(old, judge.kept))
    new = judge.judge.recalibration()
    assert new is not None
    assert [name for name in new if new[name] != old[name] and name != "reference"] == list(changed)
    assert judge.night() is not None
    assert judge.judge.recalibration() is None
    judge.refer(held(tree(), judge.judge.reference, old["day"]))
    assert judge.judge.recalibration() is None, "what a person brought back holds until midnight"
    judge.until_night()
    assert judge.judge.recalibration() is not None


def test_a_night_without_panes_is_not_asked_for_again_before_the_next() -> None:
    """Whatever was lost of the topic: it waits for a day, and the reference in force goes on."""
    judge = watching({STREAM: reference(*NAMES)})
    judge.hours(25)
    judge.kept.clear()
    told = judge.night()
    assert told is not None
    assert told["status"] == "learning"
    assert judge.judge.recalibration() is None
    assert judge.drift.armed.all()
    judge.kept.clear()
    judge.until_night()
    assert judge.judge.recalibration() is not None


def test_limits_that_stay_for_want_of_panes_are_still_told_and_counted_as_what_they_are() -> None:
    judge = watching(calibrated())
    judge.until_night()
    judge.kept.clear()
    told = judge.night()
    assert told is not None
    assert (told["status"], judge.drift.status) == ("calibrated", "calibrated")
    judge.hours(20, {"a": 0.5})
    assert judge.judge.realised() == Realised(1, 0, 2)


def calibrated(*young: str) -> dict[str, Any]:
    """Return a reference of a file that is calibrated, but for the series of some fields."""
    normal = tree()[STREAM]["normal"]
    known = np.array([name.partition("/")[0] not in young for name in normal["series"]])
    status = {"status": "calibrated", "until": ""}
    own = {**tree()[STREAM], **status, "normal": {**normal, "calibrated": known}}
    return {"budget": {**tree()["budget"], **status}, STREAM: own}


def test_what_opens_at_provisional_limits_is_counted_apart() -> None:
    """Nothing was promised of it."""
    judge = watching()
    judge.hours(24)
    judge.hours(20, {"a": 0.5})
    assert judge.judge.realised() == Realised(0, 0, 0)
    assert judge.judge.realised(status="provisional") == Realised(1, 0, 2)


@pytest.mark.parametrize(("young", "openings"), [((), 1), (("a",), 0), (("b",), 1)])
def test_a_young_field_of_a_calibrated_file_says_that_it_is_provisional(young: tuple[str, ...], openings: int) -> None:
    """In the first line, in the evidence and where it is explained; of it nothing was promised."""
    judge = watching(calibrated(*young))
    judge.hours(24)
    judge.hours(20, {"a": 0.5})
    (event, *_) = judge.drifts()
    assert judge.judge.realised() == Realised(openings, 0, 2)
    assert event["reference"] == ("calibrated" if openings else "provisional")
    assert ("(provisional)" in event["annotations"]["summary"]) == (not openings)
    kept = (
        "calibrated for at most 1 false alarm a week"
        if openings
        else "its limit is provisional, since its field is young"
    )
    assert compared_with(event, judge.judge, STREAM).endswith(f"; {kept}")


def test_a_promise_begins_with_the_first_calibrated_limits() -> None:
    """And counts the day of an opening; calling it an incident takes it off the false ones."""
    judge = watching(calibrated())
    assert judge.judge.incidents is not None
    promise = judge.judge.incidents.promise
    assert promise.limits == [(MONDAY + DAYS, "calibrated")]
    judge.hours(24)
    judge.hours(20, {"a": 0.5})
    realised = judge.judge.realised()
    assert (realised.openings, realised.true, realised.days) == (1, 0, 2)
    say(judge, "incident")
    assert (judge.judge.realised().openings, judge.judge.realised().true, judge.judge.realised().per_week) == (
        1,
        1,
        0.0,
    )
    judge.refer({"budget": {**calibrated()["budget"], "day": MONDAY + DAYS + 1}})
    assert promise.limits == [(MONDAY + DAYS, "calibrated")], "a later night promises nothing new"


@functools.cache
def eventful() -> Hourly:
    """Return a judge over six days: thin hours, nights, a new field, a drift, a verdict, a disarmed rule."""
    judge = Hourly(plan(), history=50 * 60)
    judge.refer({STREAM: reference(*NAMES)})
    for day in range(6):
        for hour in range(24):
            mean = {"a": np.nan if day < 2 and hour == 4 else 0.0, "b": 0.9 if day >= 3 and hour > 5 else 0.0}
            judge.hours(1, mean, n=20 if hour < 4 else 50)
            judge.night()
        if day == 2:
            section = judge.layout.sections[STREAM]
            fields = (*section.fields, Field("late", "late", declared=False))
            judge.section(section.replace(fields=fields, bins=(*section.bins, None)))
        if day == 4:
            say(judge, "false-alarm")
    return judge


def test_all_of_it_happened() -> None:
    """Nights, an alarm, a verdict, a disarmed rule: otherwise the restarts below prove little."""
    judge = eventful()
    adopted = [header["what"] for header, _ in judge.records if header.get("note") == "adopt"]
    assert adopted.count("reference") == 7
    assert (judge.drift.status, "late" in judge.drift.section.names) == ("provisional", True)
    found = [
        (event["labels"]["subject"], event["labels"]["reason"], event["status"])
        for event in judge.alerts()
        if "check" in event
    ]
    assert {("b", "location", "firing"), ("b", "location", "resolved")} <= set(found)
    assert ("rules", "disarmed", "firing") in found


@pytest.mark.parametrize("restarts", [False, True])
def test_folding_again_gives_the_same_bytes(restarts: bool) -> None:
    """State and outputs, also with a restart from a checkpoint before every single record."""
    judge = eventful()
    plain = again(judge, restarts=False) if restarts else None
    last = b""
    for number, (state, said) in enumerate(again(judge, restarts)):
        assert said == judge.said[number], judge.records[number][0]
        if plain is not None:
            assert state == next(plain)[0], judge.records[number][0]
        last = state
    assert last == pack({}, judge.judge.state())


def test_a_drift_without_bins_asks_only_whether_values_are_there() -> None:
    """A stream of ids has fields and nothing else to compare."""
    watched = Hourly(plan(), bins=False)
    watched.refer({STREAM: {**reference(*NAMES), "bins": [None, None], "shares": np.full((2, 36), np.nan)}})
    watched.hours(3)
    assert isinstance(watched.drift, Drift)
    assert watched.drift.series == ["a/missing", "b/missing"]
