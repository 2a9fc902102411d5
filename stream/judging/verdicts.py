"""Verdicts: what people say of incidents (``streamgauge verdict``), as the judge keeps it, and what a learner takes from it.

A verdict is one note in the ledger, so that it is folded like everything else: nobody tells the judge anything beside it.
Its id makes repetitions harmless. What it does to an incident stands in `stream.judging.incidents`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stream.judging.incident import Incident

KEPT = 500
SAID = {
    "incident": "an incident",
    "new-normal": "the new normal",
    "false-alarm": "a false alarm",
    "mute": "muted until {until}",
}
"""Every verdict, as a sentence goes on after "this is"."""
RESET = ("new-normal", "false-alarm")
"""Verdicts after which statistics begin anew."""

Verdict = dict[str, Any]
"""Plain JSON: id, what `about` returns, verdict, why, by, at_ms, until_ms (None where it is not muted)."""


def note(
    name: str, incident: tuple[str, str], verdict: str, why: str, by: tuple[str, int], until_ms: int | None
) -> Verdict:
    """Return the header of the ledger note.

    Args:
        name: random text that no other verdict has. incident: its id and its fingerprint.
        by: who says so, and the wall clock (ms) then. until_ms: end of a ``mute``.
    """
    return {
        "kind": "note",
        "note": "verdict",
        "id": name,
        "incident": incident[0],
        "fingerprint": incident[1],
        "verdict": verdict,
        "until": until_ms,
        "why": why,
        "by": by[0],
        "at": by[1],
    }


def about(incident: Incident) -> dict[str, Any]:
    """Return what is kept of the incident a verdict is about.

    ``findings`` are all [check, subject] in it, ``subjects`` the fields whose distribution moved. ``from_ms`` is when it may have
    begun first, ``settled_ms`` when last: a pane between the two is of before or of after, and neither a calm one nor of a new
    normal. ``to_ms`` is None while it is open.
    """
    findings = [member.finding for member in incident.members.values()]
    # a rule knows no interval
    onsets = [onset for item in findings if (onset := item.evidence.get("onset")) is not None]
    return {
        "incident": incident.id,
        "fingerprint": incident.fingerprint,
        "model": incident.model,
        "stream": incident.stream,
        "check": incident.check,
        "subject": incident.subject,
        "findings": _union([[item.check, item.subject] for item in findings]),
        "subjects": _union([item.subject for item in findings if item.statistical or item.check == "drift"]),
        "from_ms": min([incident.started_ms, *(int(onset["earliest_ms"]) for onset in onsets)]),
        "settled_ms": max([incident.started_ms, *(int(onset["latest_ms"]) for onset in onsets)]),
        "to_ms": incident.resolved_ms,
    }


class Verdicts:
    """What was said.

    Attributes:
        given: the newest 500, in the order of the ledger.
        over: `about` the newest 500 incidents that have ended, by id: people judge in the morning what was over at night.
        unknown: how many verdicts were about an incident that nobody knows (any more).
    """

    def __init__(self) -> None:
        self.given: list[Verdict] = []
        self.over: dict[str, dict[str, Any]] = {}
        self.unknown = 0

    def take(self, header: dict[str, Any], incident: Incident | None) -> Verdict | None:
        """Take a note; return the verdict, None when it says nothing new.

        Args:
            incident: the one it names, if that is open.
        """
        if any(known["id"] == header["id"] for known in self.given):
            return None
        known = self.over.get(header["incident"]) if incident is None else about(incident)
        if known is None:
            self.unknown += 1
            return None
        said = {"verdict": header["verdict"], "why": header["why"], "by": header["by"]}
        given = {"id": header["id"], **known, **said, "at_ms": header["at"], "until_ms": header["until"]}
        self.given = [*self.given, given][-KEPT:]
        return given

    def follow(self, transition: Incident) -> None:
        """Go along with an incident: what joins it after a verdict is meant too, and one that comes back is open again."""
        known = about(transition)
        for given in self.given:
            if given["incident"] == transition.id:
                given["to_ms"] = known["to_ms"]
                given.update({name: _union([*given[name], *known[name]]) for name in ("findings", "subjects")})
        self.over.pop(transition.id, None)
        if transition.resolved_ms is not None:
            self.over[transition.id] = known
        for name in list(self.over)[:-KEPT]:
            del self.over[name]

    def state(self) -> dict[str, Any]:
        return {
            "given": [dict(given) for given in self.given],
            "over": [dict(known) for known in self.over.values()],
            "unknown": self.unknown,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Go on from what `state` returned; earlier releases left nothing."""
        self.given = [dict(given) for given in tree.get("given", [])]
        self.over = {known["incident"]: dict(known) for known in tree.get("over", [])}
        self.unknown = tree.get("unknown", 0)


def excluded(verdicts: Iterable[Verdict], stream: str) -> list[tuple[str, int, int | None]]:
    """Return (subject, from, to) of a stream that must not teach: during incidents the data were not normal.

    Times are event time in ms, ``to`` is None while the incident is open. The stream's own name stands for all of its fields.
    """
    wrong = [given for given in _last(verdicts, stream) if given["verdict"] == "incident"]
    return [
        (subject, given["from_ms"], given["to_ms"])
        for given in wrong
        for subject in sorted({subject for _, subject in given["findings"]})
    ]


def restarts(verdicts: Iterable[Verdict], stream: str) -> dict[str, int]:
    """Return for the fields of a stream that have a new normal since when (event time, ms): what was before does not teach."""
    found: dict[str, int] = {}
    for given in _last(verdicts, stream):
        if given["verdict"] == "new-normal":
            since = given["settled_ms"]
            found |= {name: max(since, found.get(name, since)) for name in given["subjects"]}
    return found


def unlearned(verdicts: Iterable[Verdict], stream: str, reference: Mapping[str, Any] | None) -> list[str]:
    """Return the fields of a stream with a new normal that a night did not know of when it learned the reference."""
    known = (reference or {}).get("restarts", {})
    since = restarts(verdicts, stream)
    return sorted(name for name in since if name not in known or known[name] < since[name])


def _last(verdicts: Iterable[Verdict], stream: str) -> list[Verdict]:
    """Return the newest verdict about each incident of a stream; a mute says nothing about the data."""
    known = [given for given in verdicts if given["stream"] == stream and given["verdict"] != "mute"]
    return list({given["incident"]: given for given in known}.values())


def _union(items: list[Any]) -> list[Any]:
    """Return the items in order, each once; pairs are lists, which JSON gives back as they were."""
    return sorted(item for place, item in enumerate(items) if item not in items[:place])
