"""When a recalibration is due, and what it is told beside the panes that were kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream.baselines import LEARNED
from stream.judging.incidents import local_time
from stream.judging.verdicts import Verdict, excluded, restarts
from stream.judging.watch import Watch
from stream.plan import Plan


def night_lesson(
    plan: Plan, watches: Mapping[str, Watch], reference: Mapping[str, Any], verdicts: list[Verdict]
) -> dict[str, Any] | None:
    """Return the lesson of `stream.recalibrate.Night`; None when no local day has ended since the last one.

    A stream takes part from its first reference on. The day is that of the stream that is furthest: the others' last panes of
    a day may be missing from a night, and are there in the next one. With another budget or other holidays one is due at
    once, also where a lesson was under way when they changed; new weights, which share out the same budget, wait for the next
    day, and so does what follows a reference that a person brought back into force.
    """
    marks = [watch.panes.watermark for watch in watches.values() if watch.panes.watermark is not None]
    known = {name: watch for name, watch in watches.items() if name in reference}
    if not known or not marks:
        return None
    today = local_time(max(marks), plan.timezone).toordinal()
    told = reference.get("budget", {})
    settings = {"holidays": list(plan.holidays), "false_alarms": plan.false_alarms}
    if told.get("day", 0) >= today and _fits(told, plan) and (_holds(told, settings) or LEARNED in told):
        return None
    return {
        "day": today,
        "timezone": plan.timezone,
        "coarse_ms": plan.coarse_ms,
        **settings,
        "weights": {name: plan.model(plan.stream(name).model).weight for name in known},
        "sections": {name: watch.section.to_dict() for name, watch in known.items()},
        "reference": {name: part_of(reference, name, plan) for name in known},
        "excluded": {name: excluded(verdicts, name) for name in known},
        "restarts": {name: restarts(verdicts, name) for name in known},
    }


def part_of(reference: Mapping[str, Any], stream: str, plan: Plan) -> dict[str, Any] | None:
    """Return what a stream goes by. Limits of another time zone, or of coarse panes of another length, mean nothing now."""
    tree: dict[str, Any] | None = reference.get(stream)
    if tree is None or _fits(reference.get("budget", {}), plan):
        return tree
    return {**tree, "normal": None, "status": "learning", "until": ""}


def _fits(told: Mapping[str, Any], plan: Plan) -> bool:
    return _holds(told, {"coarse_ms": plan.coarse_ms, "timezone": plan.timezone})


def _holds(told: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return all(told.get(name, value) == value for name, value in settings.items())
