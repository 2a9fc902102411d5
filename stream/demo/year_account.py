"""The account of a year: every incident with the weather beside it, and the count against the promise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from stream.commands.showing import aligned, number
from stream.commands.summing_up import Told
from stream.contrasts import FAMILIES
from stream.demo.brief import told
from stream.demo.report import Alert
from stream.demo.weather import Weather
from stream.judging.findings import SEVERITIES
from stream.judging.promise import KEPT_DAYS
from stream.replay import Replay


def account(replay: Replay, events: list[dict[str, Any]], left_out: Iterable[str], weather: Weather) -> list[str]:
    """Return the lines.

    Args:
        events: of the alerts topic. left_out: days that taught nothing.
    """
    zone, pane = ZoneInfo(replay.plan.timezone), replay.plan.pane_ms
    shown = openings(events)
    statistical = [item for item in shown if is_statistical(item.first)]
    rules = [item for item in shown if not is_statistical(item.first)]
    lines = [f"{number(replay.records, 'record')}; of all flights {weather.year}", ""]
    for title, items in (("Drift", statistical), ("Rules", rules)):
        lines += [
            f"{title}: {number(len(items), 'incident')}. When it was told, field and what moved, others that followed"
        ]
        for item in items:
            lines += told_with_weather(item, weather, zone, pane)
        lines.append("")
    return lines + list(counts(replay)) + ["", *others(replay, rules, left_out)]


def openings(events: Iterable[dict[str, Any]]) -> list[Told]:
    """Return every opening, those of an incident that came back too, in their order."""
    found: list[Told] = []
    newest: dict[str, Told] = {}
    for event in events:
        if event["status"] == "firing":
            newest[event["incident"]] = Told(event, event, event["severity"])
            found.append(newest[event["incident"]])
        elif event["status"] == "updated":
            known = newest[event["incident"]]
            known.last, known.severity = event, max(known.severity, event["severity"], key=SEVERITIES.index)
    return found


def is_statistical(event: dict[str, Any]) -> bool:
    """Return whether an incident stands under the false-alarm budget: of drift, all but the rule on gross change."""
    return event["check"] == "drift" and event["labels"]["reason"] in FAMILIES


def told_with_weather(item: Told, weather: Weather, zone: ZoneInfo, pane_ms: int) -> Iterator[str]:
    """Yield the lines of one incident. The pane that told it had just ended: the hour shown is the one before."""
    event = item.first
    at, onset = (_local(event[name], zone) for name in ("eventTime", "startsAt"))
    more = sorted({finding["subject"] for finding in item.last["evidence"]["findings"]} - {event["labels"]["subject"]})
    also = f"; also {', '.join(more)}" if more else ""
    same = "" if event["grouped_with"] is None else " [told before, not counted again]"
    yield f"{at:%a %d %b %H:%M}  {item.severity:6}  {told(Alert(0, event))}{also}{same}"
    days = dict.fromkeys((onset.date(), at.date()))
    yield f"    onset {onset:%a %d %b %H:%M}; {'; '.join(map(weather.day, days))}"
    yield f"    {weather.hour(int(at.timestamp() * 1000) - pane_ms)}"


def counts(replay: Replay) -> Iterator[str]:
    """Yield the openings by the limits they came of; promised is a number of those at calibrated ones."""
    kinds = [(status, replay.judge.realised(KEPT_DAYS, status)) for status in ("provisional", "calibrated")]
    used, promised = kinds[-1][1], replay.plan.false_alarms
    if not any(found.days for _, found in kinds):
        yield "No limits were in force: drift was not watched."
        return
    yield f"Drift against the promise of {promised:.3g} a week for the whole file"
    rows = [
        (status, f"{found.days / 7:.1f}", str(found.openings), f"{found.per_week:.2f}")
        for status, found in kinds
        if found.days
    ]
    yield from aligned([("limits", "weeks", "days with an opening", "a week"), *rows], "  ")
    if used.days:
        kept = used.per_week <= promised
        said = "no more than promised" if kept else "more than promised; real years have real storms"
        yield f"{number(used.openings, 'opening')} at calibrated limits, {used.per_week:.2f} a week: {said}."


def others(replay: Replay, rules: list[Told], left_out: Iterable[str]) -> Iterator[str]:
    """Yield what stands outside the budget: rules, what is disarmed, and the days that taught nothing."""
    kinds = Counter(f"{item.first['check']} ({item.first['labels']['reason']})" for item in rules)
    yield f"Rules, outside of the budget: {', '.join(f'{kind} {n}' for kind, n in kinds.most_common()) or 'none fired'}."
    disarmed = [
        f"{check}/{subject} ({reason})"
        for watch in replay.judge.watches.values()
        for check, subject, reason in sorted(watch.disarmed.rules)
    ]
    yield f"Disarmed by history: {', '.join(disarmed) or 'nothing'}."
    yield f"Days that taught nothing, since everything stood apart: {', '.join(sorted(left_out)) or 'none'}."


def _local(rfc3339: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(rfc3339).astimezone(zone)
