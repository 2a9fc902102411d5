"""Verdicts through the judge: records in, a note in the ledger, and what a person is told then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.codec import pack, unpack
from stream.judge import Judge
from stream.judging.decision import is_decision
from stream.judging.drift import Drift
from stream.judging.incident import Incident
from stream.judging.incidents import Clock, Incidents
from stream.judging.proposal import Proposal
from stream.judging.verdicts import KEPT, Verdicts, excluded, note, restarts, unlearned
from stream.plan import Field, ModelPlan, Plan, StreamPlan
from tests.hostile.monitor import BEGIN, STREAM, TOPIC, Monitor
from tests.incidents.timeline import finding, plan

MINUTE, PANE = 60_000, 60_000
FIELDS = (Field("x", "x", required=True), Field("y", "y"))
PLAN = Plan("sg-v", (StreamPlan(STREAM, "m", "features", TOPIC, fields=FIELDS),), (ModelPlan("m", "team", "d", "w"),))


class Told(Monitor):
    """A monitor that keeps its ledger and what it told.

    Attributes:
        ledger: frames. blobs: all that were ever in force. events: values of ``alerts``, in order. written: every output.
    """

    def __init__(self) -> None:
        self.ledger: list[bytes] = []
        self.blobs: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.written: list[Any] = []
        super().__init__(PLAN, keep=False)

    def _adopt(self, proposal: Proposal) -> None:
        self.blobs[proposal.new] = proposal.tree
        super()._adopt(proposal)

    def _fold(self, header: dict[str, Any], body: Any) -> None:
        self.ledger.append(pack(header, body))
        messages = self.judge.apply(self._ledger, *unpack(self.ledger[-1]), self.blobs.__getitem__)
        self._ledger += 1
        self.written += messages
        self.events += [json.loads(item.value) for item in messages if item.topic == "alerts" and item.value]

    def minutes(self, n: int, x: bool = True, y: bool = True) -> list[dict[str, Any]]:
        """Let minutes pass, with fields filled or not; return what was told."""
        before = len(self.events)
        for _ in range(n):
            values = [{"x": i % 17 + 0.5 if x else None, "y": i % 13 + 0.5 if y else None} for i in range(40)]
            self.feed([json.dumps(value).encode() for value in values], [self.now_ms + 1000 * i for i in range(40)])
            self.tick(MINUTE)
        return self.events[before:]

    def say(self, verdict: str, incident: str, name: str = "1", until_ms: int | None = None) -> list[dict[str, Any]]:
        """Write a verdict; return what was told."""
        before = len(self.events)
        header = note(name, (incident, incident[:16]), verdict, "load test", ("alice", self.now_ms), until_ms)
        self._fold(header, None)
        return self.events[before:]

    def broken(self) -> str:
        """Lose the values of x until a page is told; return the incident's id."""
        self.minutes(4)
        (event,) = self.minutes(3, x=False)
        assert (event["status"], event["severity"], event["check"]) == ("firing", "page", "missing")
        return str(event["incident"])


def brief(events: list[dict[str, Any]]) -> list[str]:
    return ["decision" if is_decision(item) else f"{item['status']} {item['severity']}" for item in events]


def test_an_incident_goes_on_as_a_ticket_until_it_is_over() -> None:
    told = Told()
    name = told.broken()
    updated, given = told.say("incident", name)
    assert brief([updated, given]) == ["updated ticket", "decision"]
    assert updated["annotations"]["description"].startswith("alice says that this is an incident: Load test. Alert:")
    assert told.minutes(3, x=False) == [], "it pages again for what is known"
    assert [(item["verdict"], item["to_ms"]) for item in told.judge.said.given] == [("incident", None)]
    assert brief(told.minutes(6)) == ["resolved ticket"]
    (kept,) = told.judge.said.given
    assert {key: kept[key] for key in ("id", "stream", "check", "subject", "subjects", "why", "by", "until_ms")} == {
        "id": "1",
        "stream": STREAM,
        "check": "missing",
        "subject": "x",
        "subjects": [],
        "why": "load test",
        "by": "alice",
        "until_ms": None,
    }
    start = BEGIN + 4 * PANE
    assert (kept["from_ms"], kept["to_ms"]) == (start, start + 6 * PANE + 3 * PANE)
    assert excluded(told.judge.said.given, STREAM) == [("x", start, start + 9 * PANE)]


@pytest.mark.parametrize("verdict", ["false-alarm", "new-normal"])
def test_what_was_no_incident_ends_and_a_rule_that_still_holds_comes_back(verdict: str) -> None:
    told = Told()
    name = told.broken()
    resolved, given = told.say(verdict, name)
    assert brief([resolved, given]) == ["resolved page", "decision"]
    assert given["decision"]["verdict"] == verdict
    (back,) = told.minutes(1, x=False)
    assert (back["status"], back["incident"], back["seq"]) == ("firing", name, 2)


def test_a_mute_passes_over_its_findings_and_no_others_until_its_time() -> None:
    told = Told()
    name = told.broken()
    assert brief(told.say("mute", name, until_ms=told.now_ms + 20 * MINUTE)) == ["resolved page", "decision"]
    assert told.minutes(10, x=False) == []
    assert [(item["check"], item["labels"]["subject"]) for item in told.minutes(9, x=False, y=False)] == [
        ("missing", "y")
    ]
    assert told.judge.incidents is not None
    assert told.judge.incidents.muted == 19
    told.minutes(1, x=False, y=False)
    (later,) = told.minutes(1, x=False, y=False)
    assert (later["status"], later["labels"]["subject"]) == ("firing", "x")
    assert later["incident"] != name
    assert told.judge.incidents.muted <= 20


def test_a_mute_of_a_silent_stream_ends_in_the_incident_it_was() -> None:
    """Its onset, hence its id, is the same, so the number of the transition must go on: no id with two contents."""
    told = Told()
    told.minutes(10)
    while not told.events:
        told.tick(5_000)
    (event,) = told.events
    assert event["labels"]["reason"] == "silent"
    told.say("mute", event["incident"], until_ms=told.now_ms + 60 * MINUTE)
    for _ in range(59 * 12):
        told.tick(5_000)
    assert brief(told.events[1:]) == [f"resolved {event['severity']}", "decision"]
    for _ in range(13):
        told.tick(5_000)
    assert [(item["incident"], item["status"], item["seq"]) for item in told.events[3:]] == [
        (event["incident"], "firing", 2)
    ]


def test_one_note_counts_once_and_an_unknown_incident_not_at_all() -> None:
    told = Told()
    name = told.broken()
    told.say("incident", name)
    state = told.judge.state()["verdicts"]
    assert told.say("incident", name) == []
    assert told.judge.state()["verdicts"] == state
    assert told.say("mute", f"{'0' * 16}-1", name="2", until_ms=told.now_ms + MINUTE) == []
    assert (len(told.judge.said.given), told.judge.said.unknown) == (1, 1)


def test_an_incident_can_be_judged_when_it_is_over() -> None:
    """A person looks in the morning. The incident stays resolved, and the learner knows when it was."""
    told = Told()
    name = told.broken()
    told.minutes(100)
    assert brief(told.say("incident", name)) == ["decision"]
    start = BEGIN + 4 * PANE
    assert excluded(told.judge.said.given, STREAM) == [("x", start, start + 6 * PANE)]


def test_what_comes_back_after_a_verdict_is_open_again_for_the_learner() -> None:
    told = Told()
    told.say("incident", told.broken())
    told.minutes(6)
    assert excluded(told.judge.said.given, STREAM)[0][2] is not None
    told.minutes(1, x=False)
    told.minutes(1)
    assert [item["status"] for item in told.events if not is_decision(item)] == [
        "firing",
        "updated",
        "resolved",
        "firing",
    ]
    assert excluded(told.judge.said.given, STREAM)[0][2] is None


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("incident", []), ("mute", []), ("new-normal", [["x", "y"]]), ("false-alarm", [["x", "y"]])],
)
def test_statistics_begin_anew_where_nothing_was_wrong(
    monkeypatch: pytest.MonkeyPatch, verdict: str, expected: list[list[str]]
) -> None:
    """Only those of the incident's fields."""
    told = Told()
    forgotten: list[list[str]] = []
    monkeypatch.setattr(Drift, "forget", lambda self, names: forgotten.append(list(names)))
    board, watch = told.judge.incidents, told.judge.watches[STREAM]
    assert board is not None
    found = [finding("drift", name, stream=STREAM, model="m", statistical=True) for name in ("y", "x")]
    rule = finding("missing", "z", stream=STREAM, model="m")
    (opened,) = board.observe_pane(STREAM, 0, [*found, rule], set(), told.judge._now(watch))
    assert len(told.say(verdict, opened.id, until_ms=0 if verdict == "mute" else None)) == 2
    assert forgotten == expected


def folded(told: Told, restart: int | None) -> tuple[bytes, list[Any]]:
    """Fold a ledger again, perhaps with a restart before one record; return the packed state and the outputs."""
    judge, outputs = Judge(), []
    for offset, frame in enumerate(told.ledger):
        if offset == restart:
            saved = unpack(pack({}, judge.state()))[1]
            judge = Judge.restore(saved, told.blobs.__getitem__)
        outputs += judge.apply(offset, *unpack(frame), told.blobs.__getitem__)
    return pack({}, judge.state()), outputs


def test_folding_again_or_with_a_restart_anywhere_gives_the_same_bytes() -> None:
    told = Told()
    name = told.broken()
    told.say("incident", name, "1")
    told.say("incident", name, "1")
    told.say("mute", name, "2", told.now_ms + 4 * MINUTE)
    told.minutes(6, x=False)
    told.say("new-normal", str(told.events[-1]["incident"]), "3")
    told.say("false-alarm", "unknown", "4")
    told.minutes(8)
    state, outputs = folded(told, None)
    assert (pack({}, told.judge.state()), told.written) == (state, outputs)
    assert [item["verdict"] for item in told.judge.said.given] == ["incident", "mute", "new-normal"]
    for restart in range(1, len(told.ledger)):
        assert folded(told, restart) == (state, outputs), restart


def test_a_state_of_an_earlier_release_is_restored() -> None:
    told = Told()
    told.broken()
    tree = told.judge.state()
    del tree["verdicts"], tree["incidents"]["mutes"], tree["incidents"]["muted"]
    judge = Judge.restore(tree, told.blobs.__getitem__)
    assert pack({}, judge.state()) == pack({}, told.judge.state())


def incident(number: int, *subjects: str, stream: str = STREAM, to_ms: int | None = None) -> Incident:
    """Return an incident of drift that began at ``number``."""
    found = [finding("drift", name, stream=stream, statistical=True, onset_ms=number) for name in subjects]
    (opened,) = Incidents(plan()).observe_pane(stream, number, found, set(), Clock(0, 0, 0))
    opened.resolved_ms = to_ms
    return opened


def said(verdicts: Verdicts, verdict: str, about: Incident, name: str) -> None:
    verdicts.take(note(name, (about.id, about.fingerprint), verdict, "w", ("b", 0), None), about)


def test_the_newest_500_are_kept_and_so_are_those_that_ended() -> None:
    verdicts = Verdicts()
    for number in range(KEPT + 3):
        verdicts.follow(incident(number, "x", to_ms=number))
        said(verdicts, "incident", incident(number, "x"), str(number))
    assert [len(verdicts.given), len(verdicts.over)] == [KEPT, KEPT]
    assert verdicts.given[0]["id"] == "3"
    assert next(iter(verdicts.over.values()))["to_ms"] == 3


def test_what_must_not_teach_and_what_alone_teaches() -> None:
    """The newest verdict about an incident counts; a mute says nothing about the data; other streams have their own."""
    verdicts = Verdicts()
    said(verdicts, "incident", incident(10, "x", "y", to_ms=50), "1")
    said(verdicts, "incident", incident(20, "z"), "2")
    said(verdicts, "false-alarm", incident(20, "z"), "3")
    said(verdicts, "new-normal", incident(30, "x"), "4")
    said(verdicts, "new-normal", incident(25, "x", "w"), "5")
    said(verdicts, "mute", incident(30, "x"), "6")
    said(verdicts, "incident", incident(40, "x", stream="other"), "7")
    assert excluded(verdicts.given, STREAM) == [("x", 10, 50), ("y", 10, 50)]
    assert restarts(verdicts.given, STREAM) == {"x": 30, "w": 25}
    assert excluded(verdicts.given, "other") == [("x", 40, None)]
    assert restarts(verdicts.given, "other") == {}


def test_panes_that_may_be_of_before_or_of_after_teach_neither() -> None:
    """An incident begins when it may have begun first, a new normal when it may have begun last."""
    moved = finding(
        "drift",
        "x",
        stream=STREAM,
        statistical=True,
        onset_ms=50,
        evidence={"onset": {"earliest_ms": 30, "likeliest_ms": 50, "latest_ms": 80}},
    )
    (opened,) = Incidents(plan()).observe_pane(STREAM, 1, [moved], set(), Clock(0, 0, 0))
    verdicts = Verdicts()
    said(verdicts, "incident", opened, "1")
    assert excluded(verdicts.given, STREAM) == [("x", 30, None)]
    said(verdicts, "new-normal", opened, "2")
    assert restarts(verdicts.given, STREAM) == {"x": 80}
    assert unlearned(verdicts.given, STREAM, None) == ["x"]
    assert unlearned(verdicts.given, STREAM, {"restarts": {"x": 79, "y": 80}}) == ["x"]
    assert unlearned(verdicts.given, STREAM, {"restarts": {"x": 80}}) == []


def test_a_field_that_joins_after_the_verdict_does_not_teach_either() -> None:
    verdicts = Verdicts()
    said(verdicts, "incident", incident(10, "x"), "1")
    wider = incident(10, "x", "y")
    wider.id = verdicts.given[0]["incident"]
    verdicts.follow(wider)
    assert excluded(verdicts.given, STREAM) == [("x", 10, None), ("y", 10, None)]
