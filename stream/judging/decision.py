"""Decision events: a verdict as a record of the topic ``alerts``, a CloudEvent of a type of its own.

Whoever reads alerts tells the two apart by the type. A decision is about the model, so it has the model's key, and it is no
state of an alert: nothing of it is in ``alerts.state``. The shape of the value is ``stream/schema/decision.schema.json``.
"""

from __future__ import annotations

from typing import Any

import orjson

from stream.judging.advice import short
from stream.judging.alerts import VERSION, AlertRecord, rfc3339
from stream.judging.incidents import Clock
from stream.judging.verdicts import Verdict
from stream.plan import Plan

SCHEMA_ID = "https://streamgauge.io/schema/decision-1.json"


def decision(given: Verdict, plan: Plan, now: Clock) -> AlertRecord:
    """Return the record of a verdict."""
    model, until = given["model"], given["until_ms"]
    watched = next((item for item in plan.models if item.name == model), None)
    value = {
        "decision": {
            **{name: given[name] for name in ("verdict", "incident", "fingerprint", "stream", "check", "why", "by")},
            "subject": short(given["subject"]),
            "at": rfc3339(given["at_ms"]),
            "until": None if until is None else rfc3339(until),
        },
        "labels": {"model": model} | ({} if watched is None else {"owner": short(watched.owner)}),
        "product": f"streamgauge {VERSION}",
    }
    headers = {
        "ce_specversion": "1.0",
        "ce_id": f"verdict-{given['id']}",
        "ce_source": f"/streamgauge/{plan.app}",
        "ce_type": "io.streamgauge.decision.v1",
        "ce_subject": f"models/{model}/verdict",
        "ce_time": rfc3339(now.event_ms),
        "ce_dataschema": SCHEMA_ID,
        "ce_partitionkey": f"model/{model}",
        "content-type": "application/json",
        "ledger_offset": str(now.ledger_offset),
    }
    pairs = [(name, text.encode()) for name, text in headers.items()]
    return AlertRecord(f"model/{model}".encode(), pairs, orjson.dumps(value, option=orjson.OPT_SORT_KEYS))


def is_decision(event: dict[str, Any]) -> bool:
    """Return whether the value of a record of ``alerts`` is a decision. An alert has a ``decision`` too: its model's card."""
    return "verdict" in (event.get("decision") or {})
