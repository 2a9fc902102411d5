"""`streamgauge verdict`: what it refuses, what it writes, and what `streamgauge alerts` shows of it."""

from __future__ import annotations

import asyncio
import getpass
import json
from typing import Any

import pytest

from stream.codec import unpack
from stream.commands.verdict import find
from stream.demo.broker import EmbeddedBroker
from stream.exits import NO_INPUT, USAGE, Refusal
from stream.judging.decision import decision
from stream.judging.incidents import Clock, Incidents
from stream.judging.verdicts import Verdicts
from tests.brokers.admin import Row, produce, read_all
from tests.brokers.kafka import Kafka
from tests.cli.conftest import Command, Configuration, Configure
from tests.cli.test_alerts import told  # noqa: F401 - a fixture
from tests.cli.test_cli import NOBODY
from tests.incidents.timeline import FEATURES, finding, plan

WHY = ["--why", "load test"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["3f2a91", "incident"], "the following arguments are required: --why"),
        (["3f2a91", "wrong", *WHY], "invalid choice: 'wrong'"),
        (["3f2a91", "incident", "--why", ""], "--why: expected 1 to 400 printable characters, got 0"),
        (["3f2a91", "incident", "--why", "x" * 401], "--why: expected 1 to 400 printable characters, got 401"),
        (["3f2a91", "incident", "--why", "a\nb"], "--why: expected 1 to 400 printable characters"),
        (["3f2a91", "mute", *WHY], "mute: needs --for, such as --for 2d"),
        (["3f2a91", "incident", *WHY, "--for", "2d"], "incident: takes no --for: only mute ends by itself"),
        (["3f2a91", "mute", *WHY, "--for", "2"], "expected a time such as 90m, 8h or 2d, at most 7d, got 2"),
        (["3f2a91", "mute", *WHY, "--for", "8d"], "expected a time such as 90m, 8h or 2d, at most 7d, got 8d"),
        (["3f2a91", "mute", *WHY, "--for", "0s"], "expected a time such as 90m, 8h or 2d, at most 7d, got 0s"),
    ],
)
def test_a_wrong_command_line_is_refused_before_any_broker_is_asked(
    streamgauge: Command, configure: Configure, arguments: list[str], said: str
) -> None:
    ended = streamgauge("verdict", configure(NOBODY).file, *arguments)
    assert (ended.code, ended.out, said in ended.err) == (64, "", True), ended.err


def event(incident: str, over: bool = False) -> dict[str, Any]:
    return {
        "incident": incident,
        "fingerprint": incident[:16],
        "severity": "page",
        "check": "missing",
        "labels": {"model": "fraud", "subject": "amount"},
        "endsAt": "2026-09-21T14:14:23.250Z" if over else None,
    }


ONE, TWO, OLD = event("3f2a910000000000-60000"), event("3f2a920000000000-60000"), event("aaaaaa0000000000-99", True)


@pytest.mark.parametrize("name", ["3f2a91", "3f2a910000000000", "3f2a910000000000-60000"])
def test_an_incident_is_found_by_its_id_its_fingerprint_or_their_beginning(name: str) -> None:
    assert find(name, [ONE, TWO, OLD]) is ONE


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("3f2a9", USAGE, "incident 3f2a9: expected its id or fingerprint, or at least 6 characters of it"),
        (
            "3f2a91",
            USAGE,
            "incident 3f2a91: 2 begin like this, give more of it: 3f2a910000000000-60000 (page, fraud: missing/amount), "
            "3f2a911111111111-60000 (page, fraud: missing/amount)",
        ),
        (
            "ffffff",
            NO_INPUT,
            "incident ffffff: not known; open: 3f2a910000000000-60000 (page, fraud: missing/amount), ",
        ),
        (
            "aaaaaa0000000000-11",
            NO_INPUT,
            "incident aaaaaa0000000000-11: it is long over; the newest of this alert is aaaaaa0000000000-99",
        ),
    ],
)
def test_what_is_not_found_names_what_there_is(name: str, code: int, said: str) -> None:
    with pytest.raises(Refusal) as refused:
        find(name, [ONE, event("3f2a911111111111-60000"), OLD])
    assert (refused.value.code, str(refused.value)[: len(said)]) == (code, said)


def test_the_list_of_what_is_open_is_short() -> None:
    with pytest.raises(Refusal) as refused:
        find("ffffff", [event(f"{number:016x}-1") for number in range(9)])
    assert str(refused.value).endswith("0000000000000004-1 (page, fraud: missing/amount) and 4 more")
    with pytest.raises(Refusal, match="not known; none is open"):
        find("ffffff", [OLD])


def notes(broker: Kafka | EmbeddedBroker, app: str) -> list[dict[str, Any]]:
    """Return the headers in the ledger."""
    return [unpack(record.value)[0] for record in asyncio.run(read_all(broker.address, f"{app}.ledger"))]


def test_a_verdict_is_one_note_and_says_what_happens_next(
    broker: Kafka | EmbeddedBroker,
    told: Configuration,  # noqa: F811
    streamgauge: Command,
) -> None:
    """About an incident that is over: what is to come of it is said, and the alert is in the note by its id."""
    (state,) = [json.loads(line) for line in streamgauge("alerts", told.file, "--state", "--json").out.splitlines()]
    ended = streamgauge("verdict", told.file, state["fingerprint"], "incident", *WHY)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines() == [
        f"{state['incident']} (page, fraud: missing/amount): an incident",
        "It is over already. What was counted while it lasted teaches nothing.",
        "A worker that runs does so within seconds, otherwise the next one that is started.",
    ]
    ended = streamgauge("verdict", told.file, state["incident"][:6], "mute", "--for", "2d", *WHY)
    assert ended.code == 0
    assert "Nothing is said of what it found until 2" in ended.out
    first, second = notes(broker, told.app)
    assert {name: first[name] for name in ("note", "incident", "fingerprint", "verdict", "until", "why", "by")} == {
        "note": "verdict",
        "incident": state["incident"],
        "fingerprint": state["fingerprint"],
        "verdict": "incident",
        "until": None,
        "why": "load test",
        "by": getpass.getuser(),
    }
    assert second["until"] - second["at"] == 2 * 86_400_000
    assert first["id"] != second["id"]


def test_an_unknown_incident_writes_nothing(
    broker: Kafka | EmbeddedBroker,
    told: Configuration,  # noqa: F811
    streamgauge: Command,
) -> None:
    ended = streamgauge("verdict", told.file, "ffffff", "incident", *WHY)
    assert (ended.code, ended.err) == (66, "streamgauge verdict: incident ffffff: not known; none is open\n")
    assert notes(broker, told.app) == []


def test_a_decision_is_a_line_for_people_and_one_for_programs(
    broker: Kafka | EmbeddedBroker,
    told: Configuration,  # noqa: F811
    streamgauge: Command,
) -> None:
    (opened,) = Incidents(plan()).observe_pane(FEATURES, 0, [finding("missing", "amount")], set(), Clock(0, 0, 0))
    header = {
        "id": "1",
        "incident": opened.id,
        "verdict": "mute",
        "why": "known",
        "by": "alice",
        "at": 0,
        "until": 60_000,
    }
    given = Verdicts().take(header, opened)
    assert given is not None
    record = decision(given, plan(), Clock(0, 0, 7))
    asyncio.run(
        produce(broker.address, f"{told.app}.alerts", [Row(record.value, record.key, headers=tuple(record.headers))])
    )
    line = "1970-01-01 00:00:00Z  decision          f: alice says that missing/amount is muted until 1970-01-01 00:01:00Z: known"
    assert streamgauge("alerts", told.file).out.splitlines()[-1] == line
    tree = json.loads(streamgauge("alerts", told.file, "--json").out.splitlines()[-1])
    assert (tree["ce"]["type"], tree["decision"]["verdict"]) == ("io.streamgauge.decision.v1", "mute")
