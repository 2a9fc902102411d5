"""Rules of `Incidents` that a timeline does not show: ids, the root, other streams, bounds, memory."""

import math

from stream.judging.findings import Finding
from stream.judging.incident import MAX_MEMBERS
from stream.judging.incidents import MAX_OPEN, NAMED_MS, RETAIN_MS, Clock, Incident, Incidents, local_time
from stream.judging.verdicts import about
from tests.incidents.timeline import FEATURES, PREDICTIONS, finding, plan

MINUTE = 60_000


def at(pane: int, wall_ms: int = 0) -> Clock:
    return Clock((pane + 1) * MINUTE, wall_ms, pane)


def observe(incidents: Incidents, pane: int, *findings: Finding, stream: str = FEATURES) -> list[Incident]:
    return incidents.observe_pane(stream, pane, findings, frozenset(), at(pane))


def near(pane: int, check: str, subject: str, severity: str = "ticket", **changes: object) -> Finding:
    return finding(check, subject, severity, onset_ms=pane * MINUTE, **changes)


def test_id_is_fingerprint_and_start_of_the_pane_it_opened_in_even_when_it_began_earlier() -> None:
    (opened,) = observe(Incidents(plan()), 9, near(4, "drift", "amount", statistical=True))
    assert opened.id == f"{opened.fingerprint}-{9 * MINUTE}"
    assert (opened.started_ms, opened.seq) == (4 * MINUTE, 0)


def test_id_of_silence_is_its_onset_so_that_the_second_of_the_tick_does_not_matter() -> None:
    silent = near(4, "freshness", FEATURES, "page", reason="silent")
    ids = {Incidents(plan()).observe_state(FEATURES, "freshness", FEATURES, silent, at(n))[0].id for n in (9, 10)}
    assert len(ids) == 1
    assert ids.pop().endswith(f"-{4 * MINUTE}")


def test_fingerprint_depends_on_app_model_check_stream_and_subject_only() -> None:
    def print_of(app: str = "sg-fraud", **changes: object) -> str:
        found = near(3, **{"check": "missing", "subject": "amount", **changes})  # type: ignore[arg-type]
        return observe(Incidents(plan(app=app)), 3, found, stream=found.stream)[0].fingerprint

    usual = print_of()
    assert len(usual) == 16
    assert usual == print_of(severity="page", reason="all_missing", value=0.5)
    others = [{"app": "x"}, {"model": "g"}, {"check": "drift"}, {"stream": PREDICTIONS}, {"subject": "age"}]
    assert len({usual, *(print_of(**other) for other in others)}) == 6  # type: ignore[arg-type]


def test_root_is_the_worst_then_the_one_that_explains_then_by_checks_then_by_subject() -> None:
    findings = [
        near(3, "missing", "b", "page"),
        near(3, "missing", "a", "page"),
        near(3, "schema", "z", "page", explains=("missing",)),
        near(3, "missing", "c", "ticket", explains=("drift",)),
    ]
    for chosen in ("schema z", "missing a", "missing b", "missing c"):
        (opened,) = observe(Incidents(plan()), 3, *findings)
        assert f"{opened.check} {opened.subject}" == chosen
        findings = [item for item in findings if f"{item.check} {item.subject}" != chosen]


def test_streams_do_not_share_incidents_even_for_a_field_of_the_same_name() -> None:
    incidents = Incidents(plan())
    (one,) = observe(incidents, 3, near(3, "missing", "amount"))
    (two,) = observe(incidents, 3, near(3, "missing", "amount", stream=PREDICTIONS), stream=PREDICTIONS)
    assert one.id != two.id
    assert [observe(incidents, pane, stream=PREDICTIONS) for pane in (4, 5)] == [[], []]
    (over,) = observe(incidents, 6, stream=PREDICTIONS)
    assert (over.id, over.status) == (two.id, "resolved")
    assert [incident.id for incident in incidents.open()] == [one.id]


def test_labels_stay_those_of_the_opening_when_the_root_has_ended() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount", "page"), near(3, "missing", "zip"))
    for pane in range(4, 9):
        assert observe(incidents, pane, near(3, "missing", "zip")) == []
    (incident,) = incidents.open()
    assert (incident.subject, incident.finding.subject) == ("amount", "zip"), "the page shows what holds"
    assert [member.holds for member in incident.members.values()] == [False, True]


def test_what_comes_back_in_an_open_incident_under_its_name_joins_it_again() -> None:
    """Otherwise two open incidents would have one key."""
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount"), near(3, "missing", "zip"))
    for pane in range(4, 30):
        observe(incidents, pane, near(3, "missing", "zip"))
    assert observe(incidents, 30, near(30, "missing", "amount"), near(3, "missing", "zip")) == []
    assert len(incidents.open()) == 1


def test_a_cause_that_has_ended_explains_nothing_any_more() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "schema", "amount", "page", explains=("drift",)), near(3, "missing", "zip"))
    for pane in range(4, 9):
        observe(incidents, pane, near(3, "missing", "zip"))
    (own,) = observe(incidents, 9, near(9, "drift", "amount", statistical=True), near(3, "missing", "zip"))
    assert (own.check, own.status) == ("drift", "firing")


def test_a_rule_for_another_reason_is_news_once() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount", reason="missing_share"))
    told = [observe(incidents, pane, near(3, "missing", "amount", reason="all_missing")) for pane in (4, 5)]
    assert [[item.status for item in step] for step in told] == [["updated"], []]


def test_coming_back_keeps_the_first_onset_and_groups_by_the_new_one() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount"))
    for pane in range(4, 12):
        observe(incidents, pane)
    (again,) = observe(incidents, 12, near(12, "missing", "amount"))
    assert (again.started_ms, again.onset_ms, again.openings, again.seq) == (3 * MINUTE, 12 * MINUTE, 2, 2)
    (joined,) = observe(incidents, 13, near(12, "missing", "amount"), near(13, "missing", "zip"))
    assert (joined.id, joined.seq) == (again.id, 3)


def test_a_transition_does_not_change_afterwards() -> None:
    incidents = Incidents(plan())
    (opened,) = observe(incidents, 3, near(3, "missing", "amount"))
    before = opened.to_dict()
    observe(incidents, 4, near(3, "missing", "amount", "page", value=0.4))
    assert opened.to_dict() == before


def test_at_most_500_are_open_and_one_event_says_that_there_were_more() -> None:
    incidents = Incidents(plan(pane_ms=1))
    for pane in range(MAX_OPEN):
        found = finding("missing", f"f{pane}", onset_ms=10 * pane)
        incidents.observe_pane(FEATURES, pane, [found], {("missing", f"f{n}") for n in range(pane)}, at(pane))
    more = [finding("missing", name, "page", onset_ms=-(10**6) - 10 * n) for n, name in enumerate("abc")]
    everything = {("missing", f"f{n}") for n in range(MAX_OPEN)}
    (event,) = incidents.observe_pane(FEATURES, MAX_OPEN, more, everything, at(MAX_OPEN))
    assert (event.status, event.severity, event.subject, event.seq) == ("suppressed", "page", "a", 0)
    assert incidents.observe_pane(FEATURES, MAX_OPEN + 1, more, everything, at(MAX_OPEN)) == []
    assert (len(incidents.open()), incidents.suppressed) == (MAX_OPEN, 6)
    for pane in range(MAX_OPEN + 2, MAX_OPEN + 5):
        told = incidents.observe_pane(FEATURES, pane, [], everything - {("missing", "f0")}, at(pane))
    assert [(item.status, item.subject) for item in told] == [("resolved", "f0")]
    told = incidents.observe_pane(FEATURES, MAX_OPEN + 5, more, everything, at(MAX_OPEN))
    assert [(item.status, item.seq) for item in told] == [("firing", 0), ("suppressed", 1)]


def test_one_incident_holds_at_most_256_findings_and_says_so() -> None:
    incidents = Incidents(plan())
    (opened,) = observe(incidents, 3, *(near(3, "missing", f"f{n:04}") for n in range(MAX_MEMBERS + 5)))
    assert (len(opened.members), opened.full) == (MAX_MEMBERS, True)
    assert len(incidents.open()) == 1


def test_keys_expire_7_days_after_the_end_unless_it_came_back() -> None:
    incidents = Incidents(plan())
    names = [
        observe(incidents, 3, near(3, "missing", "amount"))[0].fingerprint,
        observe(incidents, 3, near(-90, "missing", "zip"))[0].fingerprint,
    ]
    for pane in range(4, 8):
        observe(incidents, pane)
    assert incidents.expired(at(0, RETAIN_MS - 1)) == []
    observe(incidents, 8, near(8, "missing", "amount"))
    assert incidents.expired(at(0, RETAIN_MS)) == [names[1]]
    incidents.observe_tick(at(0, RETAIN_MS + NAMED_MS - 1))
    assert incidents.expired(at(0, RETAIN_MS + NAMED_MS)) == [names[1]]
    incidents.observe_tick(at(0, RETAIN_MS + NAMED_MS))
    assert incidents.expired(at(0, RETAIN_MS + NAMED_MS)) == []


def test_closed_incidents_are_forgotten_when_they_cannot_come_back() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount"))
    for pane in range(4, 17):
        observe(incidents, pane)
    assert [item.status for item in incidents.latest()] == ["resolved"]
    observe(incidents, 18)
    assert incidents.latest() == []


def test_another_plan_ends_the_incidents_of_streams_it_does_not_watch() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount"))
    (kept,) = observe(incidents, 3, near(3, "missing", "p", stream=PREDICTIONS), stream=PREDICTIONS)
    smaller = plan(streams=plan().streams[1:])
    (over,) = incidents.adopt(smaller, at(4))
    assert (over.status, over.stream) == ("resolved", FEATURES)
    assert [item.id for item in incidents.open()] == [kept.id]


def test_what_was_dismissed_while_ticks_found_it_comes_back_under_its_id_and_the_next_number() -> None:
    """Its onset has not changed, so a new incident would have the same id, and the ids of its events another content."""
    incidents = Incidents(plan())
    stale = near(4, "freshness", FEATURES, reason="stale")
    (opened,) = incidents.observe_state(FEATURES, "freshness", FEATURES, stale, at(4))
    given = {**about(opened), "verdict": "mute", "why": "known", "by": "alice", "until_ms": 60 * MINUTE}
    assert [item.status for item in incidents.obey(given, at(4))] == ["resolved"]
    for pane in range(5, 60):
        observe(incidents, pane)
    assert incidents.observe_state(FEATURES, "freshness", FEATURES, stale, at(59, 60 * MINUTE - 1)) == []
    (back,) = incidents.observe_state(FEATURES, "freshness", FEATURES, stale, at(60, 60 * MINUTE))
    assert (back.id, back.seq, back.openings, incidents.muted) == (opened.id, 2, 2, 1)


def test_an_incident_that_is_over_stays_so_whatever_is_said() -> None:
    incidents = Incidents(plan())
    (opened,) = observe(incidents, 3, near(3, "missing", "amount", "page"))
    given = {**about(opened), "why": "known", "by": "alice", "until_ms": None}
    assert len(incidents.obey({**given, "verdict": "false-alarm"}, at(3))) == 1
    before = incidents.state()
    assert [incidents.obey({**given, "verdict": word}, at(4)) for word in ("incident", "new-normal")] == [[], []]
    assert incidents.state() == before


def test_state_is_plain_json_also_without_finite_numbers() -> None:
    incidents = Incidents(plan())
    observe(incidents, 3, near(3, "missing", "amount", value=math.nan, threshold=math.inf))
    (plain,) = incidents.state()["open"]
    assert (plain["members"][0]["finding"]["value"], plain["members"][0]["finding"]["threshold"]) == (None, None)
    restored = Incidents(plan())
    restored.restore(incidents.state())
    assert restored.state() == incidents.state()


def test_a_time_outside_the_calendar_does_not_stop_the_judge() -> None:
    assert local_time(10**18, "Asia/Tokyo").year == 9999
    assert local_time(-(10**18), "America/New_York").year == 1
