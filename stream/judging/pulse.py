"""Rules on silence and age: what a stream says by not moving. They run on ticks and need no pane.

Silence grows only while every partition's newest entry says "at its end" and is at most 3 heartbeats old; otherwise the
stream is *blind* (the monitor cannot know), not *silent*.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from detectors import Freshness, Silence
from stream.judging.describe import Facts, span
from stream.judging.findings import Finding, found
from stream.ledger import HEARTBEAT_MS, Fold, Position
from stream.plan import StreamPlan


class Pulse:
    """Attributes: silent_ms: ledger time without a record of the stream, as far as the monitor could know. blind: it cannot
    know at present. stirred: a record of the stream, of whatever class, came since the last tick; set by the caller.
    """

    def __init__(self, plan: StreamPlan, severity: str) -> None:
        self.plan = plan
        self.severity = severity
        self.silence = Silence(1, limit_ms=plan.silence_ms)
        self.freshness = Freshness(1)
        self.silent_ms = 0
        self.stirred = False
        self.blind = True

    def inherit(self, other: Pulse) -> None:
        """Go on where another configuration of the same stream stood, or every edit of the file would cost it its week.

        Of other records, or of times read elsewhere, nothing that was learned holds.
        """
        if beat(self.plan) == beat(other.plan):
            self.restore(other.state())

    def tick(self, fold: Fold, elapsed_ms: int, history: bool) -> list[tuple[str, Finding | None]]:
        """Fold one accepted tick; return (check, finding or None) for every check that could be judged.

        Args:
            fold: the ledger after the tick. elapsed_ms: the tick's length.
            history: the stream is still catching up with what the topic held at first.
        """
        known = dict(fold.of_topic(self.plan.topic))
        before = fold.time_ms - elapsed_ms
        self.blind = not known or any(not _at_end(position, before) for position in known.values())
        fresh, self.stirred = self.stirred, False
        if fresh:
            self.silent_ms = 0
        elif not self.blind:
            self.silent_ms += elapsed_ms
        if history or self.blind:
            return []
        frontier = max((_frontier(position, self.plan.name) for position in known.values()), default=0)
        if not frontier:
            return []
        judged = [("volume", self._silent(fold, frontier))]
        if fresh:
            judged.append(("freshness", self._stale(fold, frontier)))
        return judged

    def _silent(self, fold: Fold, frontier: int) -> Finding | None:
        self.silence.update(np.array([float(self.silent_ms)]), np.array([1]), fold.time_ms)
        if not self.silence.drift_detected[0]:
            return None
        # The stream's own days, not those of the ledger: a stream that was added today has no week behind it.
        young = self.plan.silence_ms is None and not self.silence.week_seen[0]
        extra = ", learned from less than 7 days of this stream" if young else ""
        severity = "ticket" if young else self.severity
        return self._finding("volume", "silent", self.silence, frontier, severity, extra, ("freshness", "missing"))

    def _stale(self, fold: Fold, frontier: int) -> Finding | None:
        self.freshness.update(np.array([float(fold.wall_ms - frontier)]), np.array([1]), fold.time_ms)
        if not self.freshness.drift_detected[0]:
            return None
        return self._finding("freshness", "stale", self.freshness, frontier, "ticket", "", ())

    def _finding(
        self,
        check: str,
        reason: str,
        detector: Silence | Freshness,
        onset: int,
        severity: str,
        extra: str,
        explains: tuple[str, ...],
    ) -> Finding:
        value, threshold = float(detector.statistic[0]), float(detector.threshold[0])
        return found(
            self.plan,
            reason,
            Facts(self.plan.name, value, threshold, 0, extra),
            check=check,
            onset_ms=onset,
            severity=severity,
            reference=f"limit {span(threshold)}",
            explains=explains,
            evidence={"topic": self.plan.topic, "spans": []},
        )

    def state(self) -> dict[str, Any]:
        return {
            "silence": self.silence.state(),
            "freshness": self.freshness.state(),
            "silent_ms": self.silent_ms,
            "stirred": self.stirred,
            "blind": self.blind,
        }

    def restore(self, tree: dict[str, Any]) -> None:
        self.silence.restore(tree["silence"])
        self.freshness.restore(tree["freshness"])
        self.silent_ms, self.stirred, self.blind = tree["silent_ms"], tree["stirred"], tree["blind"]


def beat(plan: StreamPlan) -> tuple[object, ...]:
    """Return what makes the records of a stream, and their times, the same ones."""
    return plan.topic, plan.where, plan.time, plan.time_unit


def _at_end(position: Position, time_ms: int) -> bool:
    return position.at_end and time_ms - position.heard_ms <= 3 * HEARTBEAT_MS


def _frontier(position: Position, stream: str) -> int:
    frontier, candidate = position.frontier.get(stream, (None, None))
    return frontier or candidate or 0
