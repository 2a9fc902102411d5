"""The end of a replay: what would have been sent, and whether every record is accounted for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.text import Text

from stream.commands.arming import progress
from stream.commands.pace import HOUR_MS, Pace
from stream.commands.showing import aligned, number, severity_style
from stream.config.errors import visible
from stream.counts import CLASSES
from stream.judging.describe import span
from stream.judging.findings import SEVERITIES
from stream.judging.promise import KEPT_DAYS, Realised
from stream.judging.watch import Watch
from stream.plan import Plan
from stream.reading.eventtime import milliseconds
from stream.replay import Replay

JOINED = 5
"""Findings that joined an incident which are shown of it."""


@dataclass(eq=False)
class Told:
    """One incident as a person would have heard of it.

    Attributes:
        first, last: its events. severity: the highest told. worst: the last event that found something.
        joined: what a later event found beside what the first one did, in the newest words.
    """

    first: dict[str, Any]
    last: dict[str, Any]
    severity: str
    worst: dict[str, Any] | None = None
    joined: dict[tuple[str, ...], str] = field(default_factory=dict)

    def hear(self, event: dict[str, Any]) -> None:
        """Take a later event of it."""
        self.last = event
        self.severity = max(self.severity, event["severity"], key=SEVERITIES.index)
        if event["status"] != "resolved":
            self.worst = event
            known = set(map(_name, self.first["evidence"]["findings"]))
            findings = event["evidence"]["findings"]
            self.joined |= {_name(item): item["text"] for item in findings if _name(item) not in known}


def _name(finding: dict[str, Any]) -> tuple[str, ...]:
    return finding["check"], finding["subject"], finding["reason"]


def incidents(events: Iterable[dict[str, Any]]) -> list[Told]:
    """Return the incidents of some alert events, in the order in which they opened."""
    told: dict[str, Told] = {}
    for event in events:
        known = told.get(event["incident"])
        if known is None:
            told[event["incident"]] = Told(event, event, event["severity"])
        else:
            known.hear(event)
    return list(told.values())


def summing_up(replay: Replay, events: list[dict[str, Any]]) -> Iterator[Text]:
    """Yield the lines that end a replay."""
    told = incidents(events)
    counts = {name: sum(item.severity == name for item in told) for name in reversed(SEVERITIES)}
    amounts = ", ".join(number(count, name) for name, count in counts.items())
    yield Text(f"What would have been sent: {amounts}; {number(len(events), 'event')}", "bold")
    for item in told:
        yield Text()
        yield from _incident(item)
    yield Text()
    yield Text(budget(replay))
    yield Text()
    yield from map(Text, _account(replay))


def budget(replay: Replay) -> str:
    """Return how much of the false-alarm budget would have been used."""
    judge, promised = replay.judge, replay.plan.false_alarms
    allowed = f"False alarms of drift: the configuration allows {promised:.3g} a week."
    early, used = (judge.realised(KEPT_DAYS, status) for status in ("provisional", "calibrated"))
    if not early.days and not used.days:
        return f"{allowed} None was counted: drift has no limits before a whole day was learned from."
    said, told = [allowed], judge.reference.get("budget", {})
    if early.days:
        said.append(f"At provisional limits, of which nothing is promised, {_opened(early)}.")
    if used.days:
        part = f"{100 * used.per_week / promised:.0f} % of what is allowed"
        said.append(f"At calibrated limits {_opened(used)}: if all of them were false, that is {part}.")
    if told.get("status") == "provisional":
        said.append(f"Its limits are provisional until {told['until']}.")
    return " ".join(said)


def _opened(found: Realised) -> str:
    days = number(found.openings, "day")
    return f"drift incidents opened on {days} in {found.days / 7:.1f} weeks, {found.per_week:.2f} a week"


def _incident(item: Told) -> Iterator[Text]:
    labels = item.first["labels"]
    line = Text("  ").append(f"{item.severity:<8}", severity_style(item.severity))
    line.append(visible(f"{labels['model']}  {item.first['check']}/{labels['subject']}"), "bold")
    yield line
    yield Text(f"          {_when(item)}")
    # The model and the onset stand in the lines above.
    summary = _summary(item.first)
    yield Text(visible(f"          {summary}"))
    if item.worst is not None and (grown := _summary(item.worst)) != summary:
        yield Text(visible(f"          at {_moment(item.worst['detectedAt'])}: {grown}"))
    texts = list(item.joined.values())
    for text in texts[:JOINED]:
        yield Text(visible(f"          joined later: {text}"))
    if len(texts) > JOINED:
        yield Text(f"          and {len(texts) - JOINED} more joined later")


def _summary(event: dict[str, Any]) -> str:
    summary: str = event["annotations"]["summary"]
    return summary.removeprefix(f"{event['labels']['model']}: ").rpartition(", since ")[0]


def _when(item: Told) -> str:
    since, until = item.first["startsAt"], item.last["endsAt"]
    if until is None:
        return f"since {_moment(since)}, still open at the end"
    start, end = milliseconds([since, until], "rfc3339").tolist()
    return f"since {_moment(since)}, resolved after {span(end - start)}"


def _moment(rfc3339: str) -> str:
    return rfc3339[:19].replace("T", " ") + " UTC"


def _account(replay: Replay) -> Iterator[str]:
    watches = [watch for watch in replay.judge.watches.values() if watch.accounts]
    yield "Every record, by what became of it"
    head = ("stream", "records", *CLASSES, "rejected", "difference")
    yield from aligned([head, *map(_row, watches)], "  ")
    yield ""
    yield "What was learned"
    yield from aligned([_learned(replay, watch) for watch in watches], "  ")
    for watch in watches:
        if not replay.judge.reference.get(watch.plan.name):
            yield f"drift of {watch.plan.name}: {progress(watch, replay.plan, _pace(watch, replay.plan))}"
    silent = sorted(set(replay.judge.watches) - {watch.plan.name for watch in watches})
    if silent:
        yield f"not replayed, no file was given: {', '.join(silent)}"


def _row(watch: Watch) -> tuple[str, ...]:
    accounts = watch.accounts.values()
    classes = [sum(account.classes[name] for account in accounts) for name in CLASSES]
    rejected: dict[str, int] = {}
    for account in accounts:
        for reason, count in account.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
    reasons = f" ({', '.join(f'{reason} {count}' for reason, count in sorted(rejected.items()))})" if rejected else ""
    covered = sum(account.next - account.start for account in accounts)
    difference = sum(account.difference for account in accounts)
    return (watch.plan.name, *map(str, (covered, *classes, f"{sum(rejected.values())}{reasons}", difference)))


def _pace(watch: Watch, plan: Plan) -> Pace:
    """Return how many records came in an hour of the event time that was replayed."""
    ms = sum(watch.closed.values()) * plan.pane_ms
    counted = sum(account.classes["applied"] for account in watch.accounts.values())
    return Pace(counted / ms * HOUR_MS if ms else None, "no pane was completed")


def _learned(replay: Replay, watch: Watch) -> tuple[str, str, str]:
    closed = sum(watch.closed.values())
    bins = sum(item is not None for item in watch.section.bins)
    reference = replay.judge.reference.get(watch.plan.name)
    what = "a reference: drift was watched" if reference else "no reference: drift was not watched"
    return (
        watch.plan.name,
        f"{number(closed, 'pane')} closed",
        f"{number(len(watch.section.fields), 'field')}, {bins} with bins, {what}",
    )
