"""What happens to a partition: records lost or set aside, a recreated topic, an operator's move, a gap in the ledger.

And references to what could not be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from stream.counts import StreamCounts, coordinates
from stream.judging.incidents import local_time
from stream.judging.news import Moment
from stream.judging.watch import Watch
from stream.ledger import Key
from stream.plan import Plan, StreamPlan

NAMED = 5
"""Disarmed rules that are named."""


def lost(key: Key, start: int, n: int) -> Moment:
    """Retention took records unread."""
    extra = f" in partition {key[1]}: offsets {start} to {start + n - 1}"
    return Moment("lost", "lost", n, extra, [[key[1], start, start + n]])


def poisoned(key: Key, start: int) -> Moment:
    """A record was set aside because it ended every worker that read it (`stream.trouble`)."""
    place = f"partition {key[1]} offset {start}"
    extra = f": {place} of {key[0]}"
    return Moment("rejected", "poison", 1, extra, [[key[1], start, start + 1]], subject=place, severity="ticket")


def disarmed(rules: Mapping[tuple[str, str, str], tuple[int, int]]) -> Moment:
    """Rules that the history would have set off too often; ``rules``: on how many days of how many, by (check, subject, reason).

    The subject is none of a rule's own: a real finding about the field must not join this ticket.
    """
    named = [
        f"{reason} of {subject} ({days} of {whole} days)"
        for (_, subject, reason), (days, whole) in sorted(rules.items())
    ]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    extra = f": {', '.join(named[:NAMED])}{more}"
    return Moment("version", "disarmed", len(rules), extra, subject="rules", severity="ticket")


def reopened(watch: Watch, key: Key, before: int, header: dict[str, Any]) -> Moment:
    """An ``open`` of a partition that was known. ``before`` is the position then."""
    to, inc, why = header["to"], header["inc"], header.get("why")
    if why is None:
        watch.reopened(key, inc, to)
        extra = f"; partition {key[1]} starts again at offset {to}"
        return Moment("lost", "recreated", 0, extra, [[key[1], to, to]])
    skipped = watch.moved(key, inc, before, to)
    low, high = min(before, to), max(before, to)
    extra = f" of partition {key[1]}, offsets {low} to {high - 1}: {why}"
    reason, severity = ("skipped", "ticket") if skipped >= 0 else ("read_again", "info")
    return Moment("lost", reason, high - low, extra, [[key[1], low, high]], severity=severity, detail={"why": why})


def blind(plan: Plan, judged: tuple[int, int], at: int, until_ms: int, unjudged: int) -> Moment:
    """The ledger lost what was not judged yet.

    Args:
        judged: (ledger offset, wall clock) up to which it was. at: ledger offset from which it is again.
        until_ms: wall clock then. unjudged: records whose counts are gone; with none of them the records wait in their topics.
    """
    since, until = (local_time(ms, plan.timezone).strftime("%Y-%m-%d %H:%M:%S %Z") for ms in (judged[1], until_ms))
    detail = {"ledger": [judged[0], at], "since": since, "until": until}
    extra = f" from {since} to {until}: offsets {judged[0]} to {at - 1} of the ledger are gone or were not judged"
    severity = "page" if unjudged else "ticket"
    return Moment("lost", "blind", unjudged, extra, subject="monitor", severity=severity, detail=detail)


def dead_letters(plan: StreamPlan, counts: StreamCounts) -> Iterator[tuple[bytes, bytes]]:
    """Yield (key, value) of references to some of the records that could not be read; never their content."""
    for pane in counts.panes.values():
        for reason, codes in pane.references.items():
            for partition, offset in filter(None, map(coordinates, codes)):
                letter = {
                    "topic": plan.topic,
                    "partition": partition,
                    "offset": offset,
                    "stream": plan.name,
                    "reason": reason,
                }
                yield f"{plan.topic}/{partition}/{offset}".encode(), orjson.dumps(letter)
