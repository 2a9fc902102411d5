"""What a worker exports: its state read at scrape time, nothing kept twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from detectors import Status
from stream.hosting import JudgeHost
from stream.judging.watch import Watch
from stream.learn import MIN_PANES
from stream.proposing import Proposing
from stream.recalibrate import EPOCH
from stream.serving import metrics as m
from stream.serving.exposition import PAUSE, Registry
from stream.serving.metrics import Sample

if TYPE_CHECKING:
    from stream.worker import Worker


def attach(registry: Registry, worker: Worker) -> None:
    """Register what a scrape reads. One callback per concern; the large one pauses after each stream."""
    registry.collect(lambda: _worker(worker))
    registry.collect(m.process_samples)
    registry.collect(lambda: _incidents(worker))
    registry.collect(lambda: _streams(worker))
    registry.collect(lambda: _features(worker))


def _worker(worker: Worker) -> Iterator[Sample]:
    fold = worker.ledger.fold
    plan = worker.layout.plan if worker.layout else worker.plan
    in_force = fold.in_force
    yield m.BUILD, (worker.version, worker.python), 1
    yield m.CONFIG, (plan.config_hash, in_force.get("layout", ""), in_force.get("reference", "")), 1
    yield m.JUDGE, (), float(worker.host is not None)
    yield m.ASSIGNED, (), len(worker.tapping.lanes)
    yield m.REBALANCES, (), worker.rebalances
    yield m.LEDGER_RECORDS, (), fold.offset - worker.started_at - (fold.dropped - worker.dropped_before)
    yield m.LEDGER_DROPPED, (), fold.dropped - worker.dropped_before
    yield m.TICK, (), fold.wall_ms / 1000
    stalled = set(worker.progress.stalled())
    for key, lane in worker.tapping.lanes.items():
        labels = (key[0], str(key[1]))
        position = fold.positions.get(key)
        yield m.STALLED, labels, float(key in stalled)
        if position is not None:
            yield m.LAG, labels, max(lane.end - position.next, 0)


def _incidents(worker: Worker) -> Iterator[Sample]:
    """Incidents are exported with the lease and a recent tick of our own only: rule 7 wants one voice."""
    host = worker.host
    if host is None:
        return
    yield m.HEARTBEAT, (), host.heartbeat
    yield m.ALERTS_UNDELIVERED, (), float(any(".alerts" in topic for topic in host.refusals))
    yield m.ALERT_SENDS_FAILED, (), host.failed_sends
    yield m.PUBLISH_LAG, (), max(worker.ledger.fold.offset - host.host.published, 0)
    yield m.CHECKPOINT, (), host.checkpointed
    yield m.GAPS, (), host.judge.gaps
    yield from learning(host.proposing)
    if host.judge.incidents is None or not worker.speaks:
        return
    yield m.FALSE_ALARMS, (), (worker.layout.plan if worker.layout else worker.plan).false_alarms
    realised = host.judge.realised()
    if realised.days:
        yield m.FALSE_ALARMS_REALISED, (), realised.per_week
    if "budget" in host.judge.reference:
        yield m.DRIFT_LIMITS, (), (host.judge.reference["budget"]["day"] - EPOCH) * 86_400
    owners = {} if worker.layout is None else {model.name: model.owner for model in worker.layout.plan.models}
    for item in host.judge.incidents.open():
        yield m.INCIDENT, (item.model, item.check, item.subject, item.severity), 1
        yield m.INCIDENT_INFO, (item.model, item.check, item.subject, item.id, owners.get(item.model, "")), 1
    for (check, severity, status), count in host.events.items():
        yield m.ALERT_EVENTS, (check, severity, status), count


def learning(proposing: Proposing) -> Iterator[Sample]:
    """Every reason from the start: a counter that begins with 1 did not rise, as Prometheus sees it."""
    yield m.LEARNED, (), proposing.learned
    for reason, count in proposing.failures.items():
        yield m.LEARNING_FAILURES, (reason,), count


def _streams(worker: Worker) -> Iterator[Sample]:
    for watch in _watches(worker.host):
        name = watch.plan.name
        classes: Counter[str] = Counter()
        reasons: Counter[str] = Counter()
        for (topic, partition), account in watch.accounts.items():
            classes.update(account.classes)
            reasons.update(account.rejected)
            yield m.ACCOUNTING_DIFFERENCE, (topic, str(partition), name), account.difference
        for kind, count in {**classes, "rejected": sum(reasons.values())}.items():
            yield m.RECORDS, (name, kind), count
        for reason, count in reasons.items():
            yield m.REJECTED, (name, reason), count
        yield m.AFTER_CLOSE, (name,), watch.panes.after_close
        for kind, count in watch.closed.items():
            yield m.PANES, (name, kind), count
        if watch.panes.watermark is not None:
            yield m.WATERMARK, (name,), watch.panes.watermark / 1000
        for state in ("learning", "provisional", "calibrated"):
            yield m.DRIFT_STATE, (name, state), float(watch.bank.drift.status == state)
        yield (
            m.REFERENCE_PANES,
            (name,),
            0 if watch.bank.drift.armed.any() else max(_panes_needed(watch), 1),
        )
        frontiers = [
            p.frontier.get(name, (None, None))[0] or 0 for _, p in worker.ledger.fold.of_topic(watch.plan.topic)
        ]
        if any(frontiers):
            yield m.NEWEST, (name,), max(frontiers) / 1000


def _features(worker: Worker) -> Iterator[Sample | None]:
    host = worker.host
    firing = set()
    if host is not None and host.judge.incidents is not None:
        for item in host.judge.incidents.open():
            firing |= {(item.stream, key[1]) for key, member in item.members.items() if member.holds}
    # A copy: a layout may be adopted during a pause. What it replaces is then shown for the last time.
    for watch in list(_watches(host)):
        states = watch.bank.health()
        for row, field in enumerate(watch.section.names):
            labels = (watch.plan.model, watch.plan.name, field)
            state = m.FEATURE_STATES["firing"] if (watch.plan.name, field) in firing else _STATES[int(states[row])]
            yield m.FEATURE_STATE, labels, state
        for check, ratio in watch.bank.ratios():
            known = np.flatnonzero(np.isfinite(ratio))
            for row, value in zip(known.tolist(), ratio[known].tolist(), strict=True):
                yield m.FEATURE_STATISTIC, (watch.plan.model, watch.plan.name, watch.section.names[row], check), value
        yield PAUSE


def _panes_needed(watch: Watch) -> int:
    lesson = watch.learning.lesson
    return max(MIN_PANES - len(lesson), watch.learning.span - lesson.spans)


_STATES = {
    int(Status.WARMING_UP): m.FEATURE_STATES["learning"],
    int(Status.STABLE): m.FEATURE_STATES["ok"],
    int(Status.WARNING): m.FEATURE_STATES["suspect"],
    int(Status.DRIFT): m.FEATURE_STATES["suspect"],
}
"""The one place where the detectors' words become the words for people."""


def _watches(host: JudgeHost | None) -> Iterable[Watch]:
    return () if host is None else host.judge.watches.values()
