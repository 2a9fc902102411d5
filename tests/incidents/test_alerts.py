"""The alert event: CloudEvents headers, the value against its schema, its size, and what a person reads."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stream.judging.alerts import MAX_VALUE, SCHEMA_ID, event, state_record, to_line, tombstone
from stream.judging.findings import CHECKS, SEVERITIES, Finding
from stream.judging.incidents import Clock, Incident, Incidents
from stream.plan import Plan
from tests.incidents.timeline import FEATURES, finding, parse, plan

SCHEMA = json.loads((files("stream") / "schema" / "alert.schema.json").read_text())
NOW = Clock(1_790_000_060_000, 1_790_000_063_250, 4711)
IN_FORCE = {"layout": "00aa00aa00aa00aa", "reference": "11bb11bb11bb11bb"}
MISSING = finding(
    "missing",
    "amount",
    "page",
    reason="all_missing",
    onset_ms=1_790_000_000_000,
    evidence={
        "topic": "fraud.features",
        "spans": [[0, 500, 560], [3, 200, 260]],
        "examples": [[3, 217], [3, 218]],
        "groups": [
            {"version": "v1", "producer": "app-a", "n": 60, "share": 1.0},
            {"version": "v1", "producer": "app-b", "n": 60, "share": 0.0},
        ],
        "types": {"null": 120},
    },
)


def closed(schema: Any) -> Any:
    """Return the schema with every object closed: what we write must be described, though readers must accept more."""
    if isinstance(schema, dict):
        shut = (
            {"additionalProperties": False} if "properties" in schema and "additionalProperties" not in schema else {}
        )
        return {name: closed(item) for name, item in schema.items()} | shut
    return [closed(item) for item in schema] if isinstance(schema, list) else schema


STRICT = Draft202012Validator(closed(SCHEMA))


def opened(*findings: Finding, under: Plan | None = None) -> Incident:
    incidents = Incidents(under or plan())
    (transition,) = incidents.observe_pane(FEATURES, NOW.event_ms // 60_000 - 1, findings, frozenset(), NOW)
    return transition


def value_of(transition: Incident, under: Plan | None = None) -> dict[str, Any]:
    record = event(transition, under or plan(), IN_FORCE)
    assert record.value is not None
    assert len(record.value) <= MAX_VALUE
    tree: dict[str, Any] = json.loads(record.value)
    STRICT.validate(tree)
    return tree


def test_schema_is_valid_and_names_the_checks_and_severities_of_the_code() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == SCHEMA_ID
    assert SCHEMA["$defs"]["check"]["enum"] == list(CHECKS)
    assert set(SCHEMA["$defs"]["severity"]["enum"]) == set(SEVERITIES)


def test_readers_must_accept_what_a_later_release_adds() -> None:
    tree = value_of(opened(MISSING)) | {"added_later": 1}
    Draft202012Validator(SCHEMA).validate(tree)
    assert [error.validator for error in STRICT.iter_errors(tree)] == ["additionalProperties"]


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("*.scenario")), ids=lambda path: path.stem)
def test_every_event_of_every_timeline_follows_the_schema(path: Path) -> None:
    under, steps = parse(path)
    incidents = Incidents(under)
    for transition in (item for step in steps for call in step.calls for item in call(incidents)):
        value_of(transition, under)


def test_headers_are_cloudevents_in_binary_mode() -> None:
    transition = opened(MISSING)
    record = event(transition, plan(), IN_FORCE)
    assert record.key == transition.fingerprint.encode()
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": f"{transition.id}-0".encode(),
        "ce_source": b"/streamgauge/sg-fraud",
        "ce_type": b"io.streamgauge.alert.firing.v1",
        "ce_subject": b"models/f/missing/amount",
        "ce_time": b"2026-09-21T14:14:20.000Z",
        "ce_dataschema": SCHEMA_ID.encode(),
        "ce_partitionkey": record.key,
        "content-type": b"application/json",
        "ledger_offset": b"4711",
    }


def test_times_come_from_the_data_and_the_tick() -> None:
    tree = value_of(opened(MISSING))
    times = [tree[name] for name in ("startsAt", "eventTime", "detectedAt", "endsAt")]
    assert times == ["2026-09-21T14:13:20.000Z", "2026-09-21T14:14:20.000Z", "2026-09-21T14:14:23.250Z", None]


def test_the_same_transition_gives_the_same_bytes() -> None:
    assert event(opened(MISSING), plan(), IN_FORCE) == event(opened(MISSING), plan(), IN_FORCE)


def test_evidence_leads_to_the_records() -> None:
    evidence = value_of(opened(MISSING))["evidence"]
    assert evidence["coordinates"] == [
        {"topic": "fraud.features", "partition": 0, "from": 500, "to": 560},
        {"topic": "fraud.features", "partition": 3, "from": 200, "to": 260},
    ]
    assert evidence["kcat"] == [
        "kcat -C -b $BROKERS -t fraud.features -p 3 -o 217 -c 1 -e",
        "kcat -C -b $BROKERS -t fraud.features -p 3 -o 218 -c 1 -e",
    ]
    assert evidence["findings"][0]["detail"]["types"] == {"null": 120}


def test_without_an_example_kcat_shows_the_first_records_of_the_pane() -> None:
    spans = finding(
        "volume", FEATURES, onset_ms=MISSING.onset_ms, evidence={"topic": "t", "spans": [[2, 5, 9], [4, 7, 7]]}
    )
    assert value_of(opened(spans))["evidence"]["kcat"] == ["kcat -C -b $BROKERS -t t -p 2 -o 5 -c 4 -e"]


def test_cause_hint_tells_one_from_many() -> None:
    one = value_of(opened(MISSING))["evidence"]["pattern"]
    assert one == "One field, amount; the examples lie in partition 3; only from producer app-a."
    others = [finding("missing", name, onset_ms=MISSING.onset_ms) for name in "abcdef"]
    many = value_of(opened(MISSING, *others))["evidence"]["pattern"]
    assert many.startswith("7 fields at once (a, amount, b, c, d and 2 more);")


def test_page_says_what_since_when_how_bad_what_is_at_stake_and_what_to_do_first() -> None:
    under = plan(timezone="Europe/Berlin")
    tree = value_of(opened(MISSING, under=under), under)
    assert tree["annotations"]["summary"] == (
        "f: amount has no usable value in any of 120 records, since 2026-09-21 16:13:20 CEST"
    )
    assert tree["annotations"]["description"].splitlines() == [
        "It began. Alert: missing/amount in f.features, since 2026-09-21 16:13:20 CEST.",
        "What: Amount has no usable value in any of 120 records.",
        "Extent: One field, amount; the examples lie in partition 3; only from producer app-a.",
        "What is at stake: the model f decides: hold a card payment for review. "
        "One false positive costs 4 EUR, one false negative costs 120 EUR.",
        "If it cannot be trusted: Rules engine v3 decides.",
        "First: Ask the producer of f.features why it stopped filling amount; the model works without it now.",
        "Owner: payments-ml. Runbook: https://wiki.example.org/fraud",
    ]
    assert tree["decision"]["first_action"] in tree["annotations"]["description"]


def test_an_update_names_what_is_new_and_what_to_do_goes_with_what_is_said() -> None:
    """The first fault is over, but not for three panes yet; another joins, and in the end it is the only one that holds."""
    incidents = Incidents(plan())
    pane = NOW.event_ms // 60_000 - 1
    unread = finding("rejected", FEATURES, onset_ms=MISSING.onset_ms, reason="rejected")
    retyped = finding("schema", "amount", onset_ms=MISSING.onset_ms, reason="retyped", text="amount changed its type")
    steps = [[unread], [retyped], [retyped], [retyped]]
    told = [
        item for n, found in enumerate(steps) for item in incidents.observe_pane(FEATURES, pane + n, found, set(), NOW)
    ]
    first, update = map(value_of, told)
    (now,) = map(value_of, incidents.latest())
    assert "new:" not in first["annotations"]["summary"]
    assert update["annotations"]["summary"].endswith("UTC; new: schema/amount")
    assert first["decision"]["first_action"].startswith("Look at some of these records")
    assert now["annotations"]["summary"].startswith("f: amount changed its type")
    assert now["annotations"]["summary"].endswith("UTC")
    assert now["decision"]["first_action"].startswith("Ask the producer of f.features which release changed amount")


def test_labels_are_identity_and_do_not_change_over_the_life_of_an_incident() -> None:
    incidents = Incidents(plan())
    pane = NOW.event_ms // 60_000 - 1
    worse = finding("schema", "zip", "page", onset_ms=MISSING.onset_ms, reason="removed")
    steps = [[finding("missing", "amount", onset_ms=MISSING.onset_ms)], [worse], [], [], []]
    told = [
        item for n, found in enumerate(steps) for item in incidents.observe_pane(FEATURES, pane + n, found, set(), NOW)
    ]
    trees = [value_of(item) for item in told]
    assert [tree["status"] for tree in trees] == ["firing", "updated", "resolved"]
    assert [tree["severity"] for tree in trees] == ["ticket", "page", "page"]
    assert len({json.dumps(tree["labels"]) for tree in trees}) == 1
    assert trees[2]["endsAt"] > trees[2]["startsAt"]
    assert trees[2]["annotations"]["summary"].startswith("Over: f: missing/amount")


def test_an_event_never_exceeds_64_kib_and_says_what_it_left_out() -> None:
    heavy = {"topic": "t", "spans": [], "examples": [], "bins": list(range(4_000))}
    names = [f"field_{n:03}_" + "x" * 600 for n in range(200)]
    findings = [finding("missing", name, onset_ms=MISSING.onset_ms, text=name * 3, evidence=heavy) for name in names]
    evidence = value_of(opened(*findings))["evidence"]
    assert (evidence["truncated"], evidence["findings_total"]) == (True, 200)
    assert 1 <= len(evidence["findings"]) < 50
    assert value_of(opened(MISSING))["evidence"]["truncated"] is False


def test_numbers_that_are_none_become_null() -> None:
    tree = value_of(opened(finding("missing", "amount", onset_ms=0, value=float("nan"), threshold=float("inf"))))
    assert (tree["value"], tree["threshold"]) == (None, None)


def test_an_incident_outlives_its_model_in_the_configuration() -> None:
    smaller = plan(streams=(), models=())
    tree = value_of(opened(MISSING), smaller)
    assert (tree["decision"], tree["labels"]["subject"]) == (None, "amount")


def test_line_of_replay_is_the_value_and_the_attributes() -> None:
    record = event(opened(MISSING), plan(), IN_FORCE)
    line = json.loads(to_line(record))
    attributes = line.pop("ce")
    assert record.value is not None
    assert line == json.loads(record.value)
    assert attributes["id"] == f"{line['incident']}-{line['seq']}"
    assert attributes["type"] == "io.streamgauge.alert.firing.v1"


def test_state_record_carries_a_newer_ledger_offset_and_a_tombstone_has_no_value() -> None:
    record = event(opened(MISSING), plan(), IN_FORCE)
    kept = state_record(record, 5000)
    assert (kept.key, kept.value, dict(kept.headers)["ledger_offset"]) == (record.key, record.value, b"5000")
    assert len(kept.headers) == len(record.headers)
    gone = tombstone(record.key.decode(), 5001)
    assert (gone.key, gone.value) == (record.key, None)
    with pytest.raises(ValueError, match="a tombstone has no value, expected an alert event"):
        to_line(gone)
