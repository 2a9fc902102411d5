"""The decision event: its headers, its schema, and that nobody takes it for an alert."""

import json
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from stream.judging.alerts import event
from stream.judging.decision import SCHEMA_ID, decision, is_decision
from stream.judging.incidents import Clock, Incidents
from stream.judging.verdicts import SAID, Verdicts, note
from tests.incidents import test_alerts
from tests.incidents.timeline import FEATURES, finding, plan

SCHEMA = json.loads((files("stream") / "schema" / "decision.schema.json").read_text())
STRICT = Draft202012Validator(test_alerts.closed(SCHEMA))
NOW = Clock(1_790_000_060_000, 1_790_000_063_250, 4711)
(OPENED,) = Incidents(plan()).observe_pane(FEATURES, 0, [finding("missing", "amount", "page")], set(), NOW)


def given(verdict: str) -> dict[str, Any]:
    until = 1_790_086_400_000 if verdict == "mute" else None
    header = note("ab12", (OPENED.id, OPENED.fingerprint), verdict, "a load test", ("alice", 1_790_000_061_000), until)
    taken = Verdicts().take(header, OPENED)
    assert taken is not None
    return taken


def value_of(verdict: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(decision(given(verdict), plan(), NOW).value or b"")
    STRICT.validate(value)
    return value


def test_the_schema_is_valid_and_names_the_verdicts_of_the_code() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == SCHEMA_ID
    assert SCHEMA["properties"]["decision"]["properties"]["verdict"]["enum"] == list(SAID)


def test_a_decision_is_about_the_model_and_says_who_what_and_why() -> None:
    assert value_of("mute") == {
        "decision": {
            "verdict": "mute",
            "incident": OPENED.id,
            "fingerprint": OPENED.fingerprint,
            "stream": FEATURES,
            "check": "missing",
            "subject": "amount",
            "why": "a load test",
            "by": "alice",
            "at": "2026-09-21T14:14:21.000Z",
            "until": "2026-09-22T14:13:20.000Z",
        },
        "labels": {"model": "f", "owner": "payments-ml"},
        "product": value_of("mute")["product"],
    }
    assert value_of("incident")["decision"]["until"] is None


def test_its_headers_are_cloudevents_of_a_type_of_their_own() -> None:
    record = decision(given("incident"), plan(), NOW)
    assert record.key == b"model/f"
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": b"verdict-ab12",
        "ce_source": b"/streamgauge/sg-fraud",
        "ce_type": b"io.streamgauge.decision.v1",
        "ce_subject": b"models/f/verdict",
        "ce_time": b"2026-09-21T14:14:20.000Z",
        "ce_dataschema": SCHEMA_ID.encode(),
        "ce_partitionkey": b"model/f",
        "content-type": b"application/json",
        "ledger_offset": b"4711",
    }


def test_a_decision_outlives_its_model_in_the_configuration() -> None:
    value = json.loads(decision(given("incident"), plan(streams=(), models=()), NOW).value or b"")
    STRICT.validate(value)
    assert value["labels"] == {"model": "f"}


@pytest.mark.parametrize("under", [plan(), plan(streams=(), models=())], ids=["with a card", "without"])
def test_an_alert_is_no_decision(under: Any) -> None:
    """It has a key of that name too: the card of its model."""
    assert is_decision(value_of("incident"))
    assert not is_decision(json.loads(event(OPENED, under, {}).value or b""))
