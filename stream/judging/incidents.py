"""From findings to incidents: grouping, opening, resolving, coming back. Pure: every time is an argument.

One broken stream must not send two hundred pages. A finding joins an open incident when it concerns the same stream and
began within 3 panes of it, or follows from its cause (a silent stream explains its stale features, a retyped field its own
missing numbers). Everything else opens an incident of its own. Grouping across streams was rejected: streams close their
panes independently, so two runs over the same input could group differently and give other ids.

Incident ids rest on event time alone, so a run that was killed gives the same ids as one that was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stream.codec import digest
from stream.judging.advice import NEW, sentence
from stream.judging.again import Ended
from stream.judging.findings import Finding
from stream.judging.grouping import explains, one_onset, precedence
from stream.judging.incident import Clock, Incident, blank, fingerprint, key_of, move
from stream.judging.promise import Promise
from stream.judging.verdicts import SAID
from stream.plan import Plan

__all__ = ["Clock", "Incident", "Incidents", "Transition"]

NEAR_PANES = 3
REOPEN_PANES = 10
PAGE_MS = 24 * 3_600_000
RETAIN_MS = 7 * 24 * 3_600_000
NAMED_MS = 6 * 3_600_000
MAX_OPEN = 500
MAX_RETIRED = 10_000

Transition = Incident
"""A transition is a copy of the incident as it stood then: its `status`, `seq`, `why` and `at` are the transition's."""


class Incidents:
    """All incidents of one plan.

    A stream's panes must be observed in order. Different streams may be interleaved in any way.

    Attributes:
        suppressed: number of findings that opened nothing because `MAX_OPEN` incidents were open.
        promise: the false-alarm budget, and what came of it.
        muted: number of findings that were passed over because somebody had muted them.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._open: dict[str, Incident] = {}
        self._closed: dict[str, Incident] = {}
        self._retired: dict[str, int] = {}
        self._overflows = 0
        self._overflowing = False
        self._mutes: dict[tuple[str, str, str], int] = {}
        self.suppressed = self.muted = 0
        self.promise = Promise()
        self._ended = Ended()

    def observe_pane(
        self,
        stream: str,
        pane: int,
        findings: Sequence[Finding],
        unjudged: AbstractSet[tuple[str, str]],
        now: Clock,
    ) -> list[Transition]:
        """Take the findings of one closed pane of a stream, also when there are none.

        Args:
            pane: index of the pane.
            unjudged: (check, subject) that this pane could not judge: they are neither clean nor wrong.
        """
        pane_ms = self._plan.pane_ms
        begin, end = pane * pane_ms, (pane + 1) * pane_ms
        self._forget(stream, begin)
        transitions = self._take(findings, begin, False, now)
        seen = {key_of(finding) for finding in findings}
        day, end_day = self._day(begin), self._day(end)
        self.promise.watch(day)
        for incident in self._of(stream):
            incident.clean_pane(seen, unjudged, day, end_day)
            transitions += self._resolve_if_over(incident, end, "It is over.", now)
        return transitions

    def observe_state(
        self, stream: str, check: str, subject: str, finding: Finding | None, now: Clock
    ) -> list[Transition]:
        """Take what a rule on ticks says: its finding while it holds, None when it does not. It ends at once."""
        transitions = [] if finding is None else self._take([finding], finding.onset_ms, True, now)
        for incident in self._of(stream):
            if incident.clear_live(check, subject, None if finding is None else finding.reason):
                transitions += self._resolve_if_over(incident, now.event_ms, "It is over.", now)
        return transitions

    def observe_notice(self, stream: str, finding: Finding, holds: bool, now: Clock) -> list[Transition]:
        """Take what happened at one moment. Beside it other things may have happened to the same subject: each ends by itself."""
        if holds:
            return self._take([finding], finding.onset_ms, True, now)
        transitions = []
        for incident in self._of(stream):
            if incident.end_live(key_of(finding)):
                transitions += self._resolve_if_over(incident, now.event_ms, "It is over.", now)
        return transitions

    def observe_tick(self, now: Clock) -> list[Transition]:
        """Make tickets of the pages that have been open for 24 hours: whoever can be woken has been woken.

        The age is that of the wall clock on the ledger's ticks. If that clock is set forward by a day a page becomes a
        ticket early; nothing is lost by it.
        """
        self._drop_retired(now)
        self._mutes = {what: until for what, until in self._mutes.items() if until > now.wall_ms}
        transitions = []
        for incident in self._open.values():
            if incident.paged_ms is not None and now.wall_ms - incident.paged_ms >= PAGE_MS:
                incident.severity, incident.paged_ms = "ticket", None
                transitions.append(
                    move(incident, "updated", "It has been open for 24 hours and goes on as a ticket.", now)
                )
        return transitions

    def adopt(self, plan: Plan, now: Clock) -> list[Transition]:
        """Go on under another plan. Incidents of streams that it does not watch any more are resolved."""
        self._plan = plan
        watched = {stream.name for stream in plan.streams}
        gone = [incident for incident in self._open.values() if incident.stream not in watched]
        return [self._resolve(incident, now.event_ms, "Its stream is not watched any more.", now) for incident in gone]

    def obey(self, given: Mapping[str, Any], now: Clock) -> list[Transition]:
        """Do what a verdict (`stream.judging.verdicts`) asks for; an incident that is over stays as it is.

        One that is called an incident goes on as a ticket: somebody knows of it, so only what is new or worse than ever pages
        again. Any other verdict ends it; what still holds opens it again, unless it is muted.
        """
        verdict, until = given["verdict"], given["until_ms"]
        if verdict == "mute":
            self._mutes |= {(given["stream"], check, subject): until for check, subject in given["findings"]}
        elif verdict != "incident":
            self._ended.forget(given["incident"])
            self._ended.forget(self.promise.grouped.get(given["incident"], ""))
        incident = self._open.get(given["incident"])
        if incident is None:
            return []
        end = "" if until is None else local_time(until, self._plan.timezone).strftime("%Y-%m-%d %H:%M:%S %Z")
        why = f"{given['by']} says that this is {SAID[verdict].format(until=end)}: {sentence(given['why'])}"
        if verdict != "incident":
            return [self._resolve(incident, now.event_ms, why, now)]
        if incident.severity == "page":
            incident.severity, incident.paged_ms = "ticket", None
        return [move(incident, "updated", why, now)]

    def named(self, name: str) -> Incident | None:
        """Return the open incident with an id. It goes on changing; callers only read it."""
        return self._open.get(name)

    def open(self) -> list[Incident]:
        """Return the open incidents, oldest first. They go on changing; callers only read them."""
        return list(self._open.values())

    def latest(self) -> list[Transition]:
        """Return the newest transition of every open and recently closed incident, with its newest numbers."""
        return [incident.copy() for incident in (*self._open.values(), *self._closed.values())]

    def expired(self, now: Clock) -> list[str]:
        """Return the fingerprints over for 7 days: their keys in ``alerts.state`` may be deleted.

        They are named for 6 hours more, because a question must not change the state, and a tombstone may get lost in a
        crash. Writing one again does no harm.
        """
        return [name for name, over_ms in self._retired.items() if now.wall_ms - over_ms >= RETAIN_MS]

    def state(self) -> dict[str, Any]:
        """Return everything as plain JSON."""
        return {
            "open": [incident.to_dict() for incident in self._open.values()],
            "closed": [incident.to_dict() for incident in self._closed.values()],
            "retired": [[name, wall_ms] for name, wall_ms in self._retired.items()],
            "overflows": self._overflows,
            "overflowing": self._overflowing,
            "suppressed": self.suppressed,
            "mutes": [[*what, until] for what, until in self._mutes.items()],
            "muted": self.muted,
            "promise": self.promise.state(),
            "ended": self._ended.state(),
        }

    def restore(self, tree: dict[str, Any]) -> None:
        """Go on from what `state` returned, as if nothing had happened."""
        self._open = {incident.id: incident for incident in map(Incident.from_dict, tree["open"])}
        self._closed = {incident.fingerprint: incident for incident in map(Incident.from_dict, tree["closed"])}
        self._retired = dict(tree["retired"])
        self._overflows, self._overflowing = tree["overflows"], tree["overflowing"]
        self.suppressed, self.muted = tree["suppressed"], tree.get("muted", 0)
        self.promise.restore(tree["promise"])
        self._ended.restore(tree["ended"])
        mutes = tree.get("mutes", [])
        self._mutes = {(stream, check, subject): until for stream, check, subject, until in mutes}

    def _take(self, findings: Sequence[Finding], begin: int, live: bool, now: Clock) -> list[Transition]:
        """Give every finding a home; one transition for each incident that has news."""
        news: dict[str, tuple[Incident, list[Finding]]] = {}
        opened: dict[str, str] = {}
        suppressed: list[Transition] = []
        day = self._day(begin)
        for finding in sorted(self._audible(findings, now), key=precedence):
            incident, after_all = self._home(finding), False
            if incident is None and len(self._open) >= MAX_OPEN:
                suppressed += self._suppress(finding, begin, live, now)
                continue
            if incident is None:
                incident = self._opening(finding, begin, now)
                opened[incident.id] = self._count(incident, finding, begin)
            elif incident.again and finding.statistical and not self._ended.tells(incident.again, finding):
                self._count(incident, finding, begin)
                after_all = not incident.again
            elif finding.statistical and not finding.provisional:
                self.promise.calibrated(incident.id)
            if incident.add(finding, live, day, now.wall_ms) or after_all:
                news.setdefault(incident.id, (incident, []))[1].append(finding)
        transitions = []
        for name, (incident, found) in news.items():
            status = "firing" if name in opened else "updated"
            transitions.append(move(incident, status, opened.get(name) or _new(found), now))
        return transitions + suppressed

    def _count(self, incident: Incident, finding: Finding, begin: int) -> str:
        """Count an opening unless it tells of a known change; return why it is told. Something new in it counts after all."""
        why = "It began." if incident.openings == 1 else "It came back."
        if not finding.statistical:
            return why
        cause = self._ended.cause(incident, finding, begin, self._day)
        if cause:
            incident.again = cause
            self.promise.group(cause, incident.id)
            since = local_time(finding.onset_ms, self._plan.timezone).strftime("%Y-%m-%d %H:%M %Z")
            return f"Again since {since}: the change of the incident {cause}, which was over for a while."
        first = self.promise.open(self._day(begin), self._owner(finding.model), incident.id, finding.provisional)
        incident.again, incident.grouped_with = "", first or ""
        return why

    def _audible(self, findings: Sequence[Finding], now: Clock) -> list[Finding]:
        """Return the findings that nobody has muted."""
        audible = [
            item for item in findings if self._mutes.get((item.stream, item.check, item.subject), 0) <= now.wall_ms
        ]
        self.muted += len(findings) - len(audible)
        return audible

    def _home(self, finding: Finding) -> Incident | None:
        """Return the open incident that the finding belongs to: its own, its cause's, or the nearest in time.

        Statistics are near when the intervals overlap in which they may have begun: one cause moves many fields, some later
        than others. A rule does not join a statistic's incident for being near: a page would hide behind a drift, and stay
        open until the end of its quiet day.
        """
        key, name = key_of(finding), fingerprint(self._plan.app, finding)
        near: list[tuple[int, int, Incident]] = []
        for order, incident in enumerate(self._of(finding.stream)):
            member = incident.members.get(key)
            if incident.fingerprint == name or (member is not None and member.holds):
                return incident
            distance = abs(finding.onset_ms - incident.onset_ms)
            close = distance <= NEAR_PANES * self._plan.pane_ms or one_onset(incident, finding)
            if explains(incident, finding):
                near.append((-1, order, incident))
            elif close and incident.finding.statistical <= finding.statistical:
                near.append((distance, order, incident))
        return min(near)[2] if near else None

    def _opening(self, finding: Finding, begin: int, now: Clock) -> Incident:
        """Return a new open incident without findings, or the one that was over a moment ago."""
        name = fingerprint(self._plan.app, finding)
        incident = self._closed.pop(name, None)
        self._retired.pop(name, None)
        if incident is None or begin - (incident.resolved_ms or 0) > REOPEN_PANES * self._plan.pane_ms:
            incident = blank(name, finding, begin, now)
        else:
            incident.root, incident.onset_ms = key_of(finding), finding.onset_ms
            incident.severity, incident.paged_ms, incident.resolved_ms = "info", None, None
            incident.openings += 1
            incident.members, incident.full, incident.again = {}, False, ""
        self._open[incident.id] = incident
        return incident

    def _suppress(self, finding: Finding, begin: int, live: bool, now: Clock) -> list[Transition]:
        """Count a finding for which there is no room; the first of an overflow is said, under a fingerprint of its own."""
        self.suppressed += 1
        if self._overflowing:
            return []
        name = digest([self._plan.app, "suppressed"])
        incident = blank(name, finding, begin, now)
        incident.add(finding, live, 0, now.wall_ms)
        incident.status, incident.seq = "suppressed", self._overflows
        incident.why = (
            f"{MAX_OPEN} incidents are open: this one and further ones are counted, not reported, until some end."
        )
        self._overflowing, self._overflows = True, self._overflows + 1
        self._retire(name, now)
        return [incident]

    def _resolve_if_over(self, incident: Incident, over_ms: int, why: str, now: Clock) -> list[Transition]:
        if incident.holds:
            return []
        told = self._resolve(incident, over_ms, why, now)
        self._ended.take(incident)
        return [told]

    def _resolve(self, incident: Incident, over_ms: int, why: str, now: Clock) -> Transition:
        del self._open[incident.id]
        incident.resolved_ms = max(over_ms, incident.onset_ms)
        self._closed[incident.fingerprint] = incident
        self._retire(incident.fingerprint, now)
        if len(self._closed) > MAX_OPEN:
            del self._closed[next(iter(self._closed))]
        self._overflowing = False
        return move(incident, "resolved", why, now)

    def _retire(self, name: str, now: Clock) -> None:
        self._retired.pop(name, None)
        self._retired[name] = now.wall_ms

    def _drop_retired(self, now: Clock) -> None:
        """Drop what has been named long enough, and the oldest beyond the bound (its key then stays, as resolved)."""
        while self._retired:
            name, over_ms = next(iter(self._retired.items()))
            if len(self._retired) <= MAX_RETIRED and now.wall_ms - over_ms < RETAIN_MS + NAMED_MS:
                return
            del self._retired[name]
            self._closed.pop(name, None)

    def _forget(self, stream: str, begin: int) -> None:
        """Drop closed incidents of a stream that are too old to come back.

        What was dismissed while a rule on ticks held may come back with the onset, hence the id, that it had.
        """
        horizon = begin - REOPEN_PANES * self._plan.pane_ms
        own = [item for item in self._closed.values() if item.stream == stream and not item.holds]
        old = [item.fingerprint for item in own if (item.resolved_ms or 0) < horizon]
        for name in old:
            del self._closed[name]

    def _of(self, stream: str) -> list[Incident]:
        return [incident for incident in self._open.values() if incident.stream == stream]

    def _owner(self, model: str) -> str:
        return next((item.owner for item in self._plan.models if item.name == model), "")

    def _day(self, event_ms: int) -> int:
        return local_time(event_ms, self._plan.timezone).toordinal()


def local_time(event_ms: int, timezone: str) -> datetime:
    """Return an event time as local time; what lies outside the calendar (year 1 to 9999) becomes its first or last day."""
    bounded = min(max(event_ms, -62_135_510_400_000), 253_402_214_400_000)
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=bounded)).astimezone(ZoneInfo(timezone))


def _new(findings: list[Finding]) -> str:
    """Name what is new, at most five of it."""
    named = list(dict.fromkeys(f"{finding.check}/{finding.subject}" for finding in findings))
    more = f" and {len(named) - 5} more" if len(named) > 5 else ""
    return f"{NEW} {', '.join(named[:5])}{more}."
