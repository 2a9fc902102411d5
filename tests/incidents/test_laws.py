"""Laws that hold for every history: generated findings over two streams, panes, ticks and a wall clock."""

import json
import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.judging.findings import CHECKS, SEVERITIES
from stream.judging.incidents import Clock, Incident, Incidents
from stream.judging.verdicts import SAID, about
from tests.incidents.timeline import FEATURES, PREDICTIONS, finding, plan

PANE = 3_600_000
CHECKED, SUBJECTS = ("missing", "schema", "drift"), ("a", "b", FEATURES)
assert set(CHECKED) < set(CHECKS)

found = st.tuples(
    st.sampled_from(CHECKED),
    st.sampled_from(SUBJECTS),
    st.sampled_from(SEVERITIES),
    st.integers(0, 5),
    st.sampled_from([(), ("missing",), ("drift", "schema")]),
    st.sampled_from(["x", "y"]),
)
findings = st.lists(found, max_size=3, unique_by=lambda item: (item[0], item[1], item[5]))
pairs = st.tuples(st.sampled_from(CHECKED), st.sampled_from(SUBJECTS))
step = st.one_of(
    st.tuples(
        st.just("pane"),
        st.sampled_from([FEATURES, PREDICTIONS]),
        st.lists(found, max_size=3),
        st.sets(pairs, max_size=2),
    ),
    st.tuples(st.just("clean"), st.sampled_from([FEATURES, PREDICTIONS]), st.integers(1, 30)),
    st.tuples(st.just("state"), st.sampled_from([FEATURES, PREDICTIONS]), found, st.booleans()),
    st.tuples(st.just("wall"), st.integers(0, 30)),
    st.tuples(st.just("said"), st.sampled_from(list(SAID)), st.integers(0, 3), st.integers(0, 40)),
)
histories = st.lists(step, max_size=40)


class World:
    """Plays a history: each stream has panes of its own, and the ledger counts calls."""

    def __init__(self, shuffled: random.Random | None = None) -> None:
        self.plan = plan(pane_ms=PANE, timezone="Europe/Berlin")
        self.incidents = Incidents(self.plan)
        self.panes = {FEATURES: 0, PREDICTIONS: 0}
        self.wall = 0
        self.offset = 0
        self.shuffled = shuffled

    def play(self, one: tuple) -> list[Incident]:  # type: ignore[type-arg]
        self.offset += 1
        if one[0] == "wall":
            self.wall += one[1] * 3_600_000
            return self.incidents.observe_tick(self.now(0))
        if one[0] == "said":
            return self.say(*one[1:])
        stream = one[1]
        if one[0] == "state":
            check, subject = one[2][:2]
            what = self.finding(stream, one[2]) if one[3] else None
            return self.incidents.observe_state(stream, check, subject, what, self.now(self.panes[stream] * PANE))
        if one[0] == "clean":
            return [item for _ in range(one[2]) for item in self.pane(stream, [], set())]
        return self.pane(stream, one[2], one[3])

    def say(self, verdict: str, which: int, hours: int) -> list[Incident]:
        """Give a verdict about one of the open incidents."""
        opened = self.incidents.open()
        if not opened:
            return []
        incident = opened[which % len(opened)]
        until = self.wall + hours * 3_600_000 if verdict == "mute" else None
        given = {**about(incident), "verdict": verdict, "why": "a test", "by": "alice", "until_ms": until}
        return self.incidents.obey(given, self.now(self.panes[incident.stream] * PANE))

    def pane(self, stream: str, found: list, unjudged: set) -> list[Incident]:  # type: ignore[type-arg]
        findings = [self.finding(stream, item) for item in found]
        if self.shuffled:
            self.shuffled.shuffle(findings)
        index = self.panes[stream]
        self.panes[stream] += 1
        return self.incidents.observe_pane(stream, index, findings, unjudged, self.now((index + 1) * PANE))

    def finding(self, stream: str, item: tuple):  # type: ignore[no-untyped-def,type-arg]
        check, subject, severity, back, explains, reason = item
        onset = (self.panes[stream] - back) * PANE
        changes = {"explains": explains, "reason": reason, "statistical": check == "drift", "onset_ms": onset}
        return finding(check, subject, severity, stream=stream, **changes)

    def now(self, event_ms: int) -> Clock:
        return Clock(event_ms, self.wall, self.offset)


@given(histories)
@settings(max_examples=50, deadline=None)
def test_each_incident_opens_counts_up_and_ends_at_most_once_per_opening(history: list) -> None:  # type: ignore[type-arg]
    world = World()
    told: dict[str, list[Incident]] = defaultdict(list)
    for one in history:
        for transition in world.play(one):
            told[transition.id].append(transition)
    for transitions in told.values():
        assert [item.seq for item in transitions] == list(range(len(transitions)))
        before = "resolved"
        for status in (item.status for item in transitions):
            assert (status == "firing") == (before == "resolved")
            before = status
        assert len({(item.model, item.check, item.subject, item.fingerprint) for item in transitions}) == 1
    assert {item.id for item in world.incidents.open()} == {
        name for name, all_ in told.items() if all_[-1].status != "resolved"
    }


@given(histories)
@settings(max_examples=50, deadline=None)
def test_open_incidents_have_different_keys_and_each_still_has_something_wrong(history: list) -> None:  # type: ignore[type-arg]
    world = World()
    for one in history:
        world.play(one)
        opened = world.incidents.open()
        assert len({item.fingerprint for item in opened}) == len(opened)
        assert all(item.holds for item in opened)
        assert all(member.finding.stream == item.stream for item in opened for member in item.members.values())


@given(histories, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_the_order_of_findings_within_a_pane_does_not_matter(history: list, rng: random.Random) -> None:  # type: ignore[type-arg]
    calm, shuffled = World(), World(rng)
    for one in history:
        assert calm.play(one) == shuffled.play(one)


@given(histories)
@settings(max_examples=50, deadline=None)
def test_a_restart_at_every_position_gives_identical_transitions_and_state(history: list) -> None:  # type: ignore[type-arg]
    calm, shaken = World(), World()
    for one in history:
        saved = json.dumps(shaken.incidents.state(), allow_nan=False)
        shaken.incidents = Incidents(shaken.plan)
        shaken.incidents.restore(json.loads(saved))
        assert shaken.play(one) == calm.play(one)
        assert shaken.incidents.state() == calm.incidents.state()


@given(histories)
@settings(max_examples=50, deadline=None)
def test_interleaving_of_streams_changes_no_id_and_no_transition_of_a_stream(history: list) -> None:  # type: ignore[type-arg]
    """Panes of two streams close in any order; each stream's incidents are those it would have alone."""
    panes = [one for one in history if one[0] in ("pane", "clean")]
    both = World()
    mixed = [(item.stream, item.id, item.seq, item.status) for one in panes for item in both.play(one)]
    for stream in (FEATURES, PREDICTIONS):
        alone = World()
        own = [one for one in panes if one[1] == stream]
        assert [(item.stream, item.id, item.seq, item.status) for one in own for item in alone.play(one)] == [
            item for item in mixed if item[0] == stream
        ]
