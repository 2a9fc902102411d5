"""``streamgauge verdict``: a person says what an incident is, by a record in the ledger."""

from __future__ import annotations

import argparse
import getpass
import os
import secrets
from collections.abc import Iterable
from typing import Any

import orjson

from stream.app import CLOCKS
from stream.commands.alerts import newest
from stream.commands.showing import moment, screen
from stream.commands.writing import run, writer
from stream.config.settings import Settings
from stream.exits import NO_INPUT, OK, TRY_AGAIN, USAGE, Refusal
from stream.judging.alerts import rfc3339
from stream.judging.verdicts import SAID, note
from stream.kafka.cluster import require_ours

MAX_WHY = 400
LEAST = 6
"""Characters of an incident's name that must be given."""
SHOWN = 5

_OPEN = {
    "incident": "It stays open, as a ticket, until it is over. What is counted while it lasts teaches nothing.",
    "new-normal": "It is resolved, and the statistics of its fields begin anew: what came before it teaches nothing any more.\n"
    "Until a night has learned what is normal now, nothing is said of their drift.\n"
    "A rule that still holds opens it again: mute it, or change the configuration.",
    "false-alarm": "It is resolved, and the statistics of its fields begin anew.\n"
    "A rule that still holds opens it again: mute it, or change the configuration.",
    "mute": "It is resolved, and nothing is said of what it found until {until}. What still holds then is told.",
}
_OVER = {
    "incident": "It is over already. What was counted while it lasted teaches nothing.",
    "new-normal": "It is over already. The statistics of its fields begin anew: what came before it teaches nothing any more.\n"
    "Until a night has learned what is normal now, nothing is said of their drift.",
    "false-alarm": "It is over already. The statistics of its fields begin anew.",
    "mute": "It is over already. Nothing is said of what it found until {until}. What holds then is told.",
}
"""What happens next, while the incident is open and when it is over."""


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Write a verdict.

    Raises:
        Refusal: no such incident, or several; a wrong option; no broker, a missing topic or right.
    """
    if not 0 < len(arguments.why) <= MAX_WHY or not arguments.why.isprintable():
        raise Refusal(f"--why: expected 1 to {MAX_WHY} printable characters, got {len(arguments.why)}", USAGE)
    if (arguments.verdict == "mute") != (arguments.duration is not None):
        hint = (
            "needs --for, such as --for 2d"
            if arguments.verdict == "mute"
            else "takes no --for: only mute ends by itself"
        )
        raise Refusal(f"{arguments.verdict}: {hint}", USAGE)
    brokers, at_ms = ",".join(settings.kafka.brokers), CLOCKS.wall_ms
    until_ms = None if arguments.duration is None else at_ms + arguments.duration
    event = run(brokers, _say(brokers, settings.app, arguments, at_ms, until_ms))
    until = "" if until_ms is None else moment(rfc3339(until_ms))
    next_ = (_OPEN if event["endsAt"] is None else _OVER)[arguments.verdict]
    out = screen()
    out.print(f"{_named(event)}: {SAID[arguments.verdict].format(until=until)}")
    out.print(next_.format(until=until))
    out.print("A worker that runs does so within seconds, otherwise the next one that is started.")
    return OK


async def _say(
    brokers: str, app: str, arguments: argparse.Namespace, at_ms: int, until_ms: int | None
) -> dict[str, Any]:
    """Find the incident and write the note; return the incident's newest event."""
    await require_ours(brokers, app)
    states = [orjson.loads(record.value) async for record in newest(brokers, f"{app}.alerts.state")]
    event = find(arguments.incident, [event for event in states if event["status"] != "suppressed"])
    incident = (event["incident"], event["fingerprint"])
    header = note(secrets.token_hex(8), incident, arguments.verdict, arguments.why, (_user(), at_ms), until_ms)
    async with writer(brokers, app) as ledger:
        if not await ledger.write(b"note", header):
            raise Refusal("the ledger did not take it; try again", TRY_AGAIN)
    return event


def find(name: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the event of the incident whose id begins with a name: an id begins with the fingerprint.

    Raises:
        Refusal: none does, or several do.
    """
    if len(name) < LEAST:
        raise Refusal(f"incident {name}: expected its id or fingerprint, or at least {LEAST} characters of it", USAGE)
    found = [event for event in events if event["incident"].startswith(name)]
    if len(found) > 1:
        raise Refusal(f"incident {name}: {len(found)} begin like this, give more of it: {_listed(found)}", USAGE)
    if found:
        return found[0]
    later = [event["incident"] for event in events if name.startswith(event["fingerprint"])]
    if later:
        raise Refusal(f"incident {name}: it is long over; the newest of this alert is {later[0]}", NO_INPUT)
    still = [event for event in events if event["endsAt"] is None]
    raise Refusal(f"incident {name}: not known; {f'open: {_listed(still)}' if still else 'none is open'}", NO_INPUT)


def _listed(events: Iterable[dict[str, Any]]) -> str:
    named = list(map(_named, events))
    return ", ".join(named[:SHOWN]) + (f" and {len(named) - SHOWN} more" if len(named) > SHOWN else "")


def _named(event: dict[str, Any]) -> str:
    labels = event["labels"]
    return f"{event['incident']} ({event['severity']}, {labels['model']}: {event['check']}/{labels['subject']})"


def _user() -> str:
    """Return the name of the user; in a container there may be a number only."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
