"""One incident: what it knows, and what counts as news about it. `stream.judging.incidents` decides which finding belongs where.

An incident is the alert. Its labels are frozen from the finding that opened it (the *root*); everything that joins later
is evidence inside it. It is over when none of its findings holds any more.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from stream.codec import digest
from stream.judging.findings import SEVERITIES, Finding, finding_from, finding_plain

CLEAN_PANES = 3
MAX_MEMBERS = 256
"""Findings kept in one incident; what comes beyond is only said to exist."""

Key = tuple[str, str, str]
"""(check, subject, reason) of a finding: the same three are the same finding with newer numbers."""


@dataclass(frozen=True, slots=True)
class Clock:
    """When something is decided. All of it stems from the ledger, so that folding the ledger again gives the same bytes.

    Attributes:
        event_ms: event time: the end of the pane that closed, or the stream's watermark.
        wall_ms: wall clock of the newest accepted tick.
        ledger_offset: of the ledger record that is being folded.
    """

    event_ms: int
    wall_ms: int
    ledger_offset: int


@dataclass(slots=True)
class Member:
    """A finding inside an incident.

    Attributes:
        finding: its newest version.
        live: seen on ticks: it ends at once. Otherwise it is seen in panes and needs clean ones to end.
        severity: the highest it has had.
        holds: whether it is still wrong.
        clean: consecutive judged panes without it.
        bad_day: local day (ordinal) on which it was last seen. quiet_day: first later day that was judged; 0 when none was.
    """

    finding: Finding
    live: bool
    severity: str
    holds: bool = True
    clean: int = 0
    bad_day: int = 0
    quiet_day: int = 0


@dataclass(slots=True)
class Incident:
    """An incident as it stands, or (as a copy) as it stood at one transition.

    Attributes:
        id: fingerprint and start of the pane it opened in (findings on ticks: their onset).
        model, stream, check, subject, reason: frozen from the root finding. root: key of the root finding.
        started_ms: onset at the first opening: since when. onset_ms: onset at the latest opening; grouping goes by it.
        severity: highest of its findings, until 24 hours make a ticket of it.
        status: of the newest transition: ``firing``, ``updated``, ``resolved`` or ``suppressed``. seq: its number, from 0.
        why: what the newest transition was about, for a person. at: when it was decided.
        openings: 1, and one more for each time it came back.
        paged_ms: wall clock since when it is a page; None when it is none.
        resolved_ms: event time at which it was over; None while it is open.
        grouped_with: id of the statistical incident that its owner was told of on the same day; empty where it is the first.
        again: id of the incident that told of the same change some days ago (`stream.judging.again`); empty where it is new.
        full: findings were left out because there were more than `MAX_MEMBERS`.
    """

    id: str
    fingerprint: str
    model: str
    stream: str
    check: str
    subject: str
    reason: str
    root: Key
    started_ms: int
    onset_ms: int
    at: Clock
    severity: str = SEVERITIES[0]
    status: str = "firing"
    seq: int = 0
    why: str = ""
    openings: int = 1
    paged_ms: int | None = None
    resolved_ms: int | None = None
    grouped_with: str = ""
    again: str = ""
    full: bool = False
    members: dict[Key, Member] = dataclasses.field(default_factory=dict)

    @property
    def finding(self) -> Finding:
        """The numbers that stand on the page: those of the worst finding that holds, the root before its equals."""
        first = self.members[self.root]
        _, worst = min(
            self.members.items(),
            key=lambda item: (not item[1].holds, -rank(item[1].severity), item[1] is not first, item[0]),
        )
        return worst.finding

    @property
    def holds(self) -> bool:
        return any(member.holds for member in self.members.values())

    def add(self, finding: Finding, live: bool, day: int, wall_ms: int) -> bool:
        """Take a finding in; return whether a person should hear of it.

        News is a subject not named before, another reason of a rule, or a severity that rises. Another number is not,
        nor is a second statistic that says the same of the same field. A severity that 24 hours had lowered rises only
        when a finding becomes worse than it ever was.
        """
        key = key_of(finding)
        member = self.members.get(key)
        if member is None and len(self.members) >= MAX_MEMBERS:
            self.full = True
            return False
        news = member is None and not (finding.statistical and any(key[:2] == known[:2] for known in self.members))
        worse = member is None or rank(finding.severity) > rank(member.severity)
        if member is not None and finding.statistical and _clearer(member.finding, finding):
            finding = (
                member.finding
            )  # long after a change its statistic is still above the limit, and dates nothing any more
        peak = finding.severity if member is None or worse else member.severity
        self.members[key] = Member(finding, live, peak, bad_day=day)
        if worse and rank(finding.severity) > rank(self.severity):
            self.severity, news = finding.severity, True
            self.paged_ms = wall_ms if finding.severity == "page" else None
        return news

    def clean_pane(
        self,
        seen: AbstractSet[Key],
        unjudged: AbstractSet[tuple[str, str]],
        day: int,
        end_day: int,
    ) -> None:
        """Count a closed pane for the findings it did not confirm.

        A rule needs 3 clean panes; a statistic needs a quiet local day, because it may be right and yet silent for
        hours. A statistic that merely joined a rule's incident ends like the rule: if it still holds then, it opens an
        incident of its own, and the page does not stay open for a drift.

        Args:
            seen: keys of the findings of this pane. unjudged: (check, subject) that it could not judge.
            day, end_day: local day (ordinal) at the start and at the end of the pane.
        """
        by_day = self.finding.statistical
        for key, member in self.members.items():
            if member.live or not member.holds or key in seen:
                continue
            if key[:2] not in unjudged:
                member.clean += 1
                if not member.quiet_day and day > member.bad_day:
                    member.quiet_day = day
            if by_day and member.finding.statistical:
                member.holds = not 0 < member.quiet_day < end_day
            else:
                member.holds = member.clean < CLEAN_PANES

    def clear_live(self, check: str, subject: str, reason: str | None) -> bool:
        """End what ticks had found about a subject, except for ``reason``; return whether anything ended."""
        ended = False
        for key, member in self.members.items():
            if member.live and member.holds and key[:2] == (check, subject) and key[2] != reason:
                member.holds, ended = False, True
        return ended

    def end_live(self, key: tuple[str, str, str]) -> bool:
        """End one thing that ticks had found; return whether it held until now."""
        member = self.members.get(key)
        if member is None or not member.live or not member.holds:
            return False
        member.holds = False
        return True

    def copy(self) -> Incident:
        members = {key: dataclasses.replace(member) for key, member in self.members.items()}
        return dataclasses.replace(self, members=members)

    def to_dict(self) -> dict[str, Any]:
        """Return the incident as plain JSON."""
        plain = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        members = [
            {**_members_plain(member), "finding": finding_plain(member.finding)} for member in self.members.values()
        ]
        return {
            **plain,
            "root": list(self.root),
            "at": dataclasses.asdict(self.at),
            "members": members,
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Incident:
        members = [Member(**{**item, "finding": finding_from(item["finding"])}) for item in tree["members"]]
        keyed = {key_of(member.finding): member for member in members}
        check, subject, reason = tree["root"]
        return Incident(
            **{
                **tree,
                "root": (check, subject, reason),
                "at": Clock(**tree["at"]),
                "members": keyed,
            }
        )


def fingerprint(app: str, finding: Finding) -> str:
    """Return the identity of an incident over its life: 16 hexadecimal digits.

    A subject is a field *of a stream*: without the stream a field that the features and the predictions of a model share
    would give two open incidents one key.
    """
    return digest([app, finding.model, finding.check, finding.stream, finding.subject])


def blank(name: str, finding: Finding, begin: int, now: Clock) -> Incident:
    """Return an incident that a finding opens in the pane that begins then, without findings yet. ``name``: its fingerprint."""
    return Incident(
        id=f"{name}-{begin}",
        fingerprint=name,
        model=finding.model,
        stream=finding.stream,
        check=finding.check,
        subject=finding.subject,
        reason=finding.reason,
        root=key_of(finding),
        started_ms=finding.onset_ms,
        onset_ms=finding.onset_ms,
        at=now,
        seq=-1,
    )


def move(incident: Incident, status: str, why: str, now: Clock) -> Incident:
    """Take a transition; return the incident as it stands then."""
    incident.status, incident.why, incident.at = status, why, now
    incident.seq += 1
    return incident.copy()


def _clearer(one: Finding, other: Finding) -> bool:
    return one.value - one.threshold > other.value - other.threshold


def key_of(finding: Finding) -> Key:
    return (finding.check, finding.subject, finding.reason)


def change_of(finding: Finding) -> list[str]:
    """Return what a statistic tells of: two values of a category have one reason and are two contrasts."""
    return [*key_of(finding), str(finding.evidence.get("contrast", ""))]


def rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _members_plain(member: Member) -> dict[str, Any]:
    return {item.name: getattr(member, item.name) for item in dataclasses.fields(member)}
