"""Taps and judge in one process without Kafka: what they cost by themselves, and what they learn from quiet records.

As in a replay, ledger records are folded in the order in which they are written. The caller says when entries are cut and how
time passes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from stream.batch import RecordBatch
from stream.codec import unpack
from stream.gathering import DAY_MS, Kept
from stream.judge import Judge
from stream.judging.proposal import Proposal
from stream.layout import Layout, Section, layout_zero
from stream.learn import learn_references
from stream.ledger import Key, adopt_header, open_header, tick_header
from stream.plan import ModelPlan, Plan, StreamPlan
from stream.publishing import Message
from stream.recalibrate import EPOCH, Night
from stream.tap import Fed, Tap

SECRET = b"benchmark-benchmark-benchmark-32"
BEGIN_MS = 1_700_000_000_000 // 60_000 * 60_000
PANE_MS = 60_000
LESSONS = (*[1000] * 18, *[52] * 212)
"""Records of each pane to learn from: 10,000 for the bins once all fields are named (64 at a time), then 200 panes and 10,000
values for the reference."""


@dataclass(frozen=True)
class Learned:
    """What a quiet time has taught about one stream."""

    section: Section
    reference: dict[str, Any]

    def named(self, stream: str, partitions: int) -> Section:
        return self.section.replace(stream=stream, partitions=partitions)


class Monitor:
    """Attributes: judge: after everything so far. taps: by partition. outputs: of the judge, until they are taken."""

    def __init__(self, plan: Plan, partitions: int, learned: Learned | None = None, secret: bytes = SECRET) -> None:
        self.plan = plan
        self.judge = Judge()
        self.outputs: list[Message] = []
        self._blobs: dict[str, Any] = {}
        self._offset = 0
        layout = layout_zero(plan, dict.fromkeys(plan.topics, partitions))
        if learned is not None:
            layout = Layout(plan, {item.name: learned.named(item.name, partitions) for item in plan.streams})
        self.adopt(Proposal("layout", layout.to_dict(), None))
        if learned is not None:
            self.adopt(Proposal("reference", reference_of(plan, learned), None))
        assert self.judge.layout is not None
        self.taps: dict[Key, Tap] = {}
        for topic in plan.topics:
            for partition in range(partitions):
                key = (topic, partition)
                self._fold(open_header(key, 0, 0, 0), None)
                self.taps[key] = Tap(self.judge.layout, key, self.judge.fold.positions[key], secret)

    def feed(self, key: Key, values: Sequence[bytes], times: Sequence[int]) -> None:
        """Count the next records of a partition, at most a thousand."""
        start = self.taps[key].cursor.next
        batch = batch_of(key, start, values, times)
        while self.taps[key].feed(batch, max(times)) is Fed.FULL:
            self.cut(key)

    def cut(self, key: Key) -> int:
        """Write the entry of a partition and judge it; return its bytes, those of its key included."""
        tap = self.taps[key]
        frame = tap.cut(tap.cursor.next)
        self._fold(*unpack(frame))
        tap.settle(self.judge.fold.positions[key])
        return len(frame) + len(f"{key[0]}/{key[1]}")

    def tick(self, elapsed_ms: int, wall_ms: int) -> None:
        """Let ledger time pass, and bring into force what the judge wants then."""
        self._fold(tick_header(self.judge.fold.tick + 1, elapsed_ms, wall_ms), None)
        while (proposal := self.judge.proposal()) is not None:
            self.adopt(proposal)
        lesson = self.judge.lesson()
        if lesson:
            self.adopt(self.judge.reference_proposal(learn_references(lesson)))
        layout = self.judge.layout
        assert layout is not None
        for key, tap in self.taps.items():
            if tap.pending:
                self.cut(key)
            tap.adopt(layout)

    def adopt(self, proposal: Proposal) -> None:
        """Bring a layout or a reference into force."""
        self._blobs[proposal.new] = proposal.tree
        self._fold(adopt_header(proposal.what, proposal.new, proposal.parent), None)

    def restart(self) -> None:
        """Go on with a judge that knows only what a checkpoint holds."""
        self.judge = Judge.restore(self.judge.state(), self._blobs.__getitem__)

    def take(self) -> list[Message]:
        """Return the outputs since the last call."""
        taken, self.outputs = self.outputs, []
        return taken

    def _fold(self, header: dict[str, Any], body: Any) -> None:
        self.outputs += self.judge.apply(self._offset, header, body, self._blobs.__getitem__)
        self._offset += 1


def batch_of(key: Key, start: int, values: Sequence[bytes], times: Sequence[int]) -> RecordBatch:
    """Return records as the transport hands them to a tap."""
    count, end = len(values), start + len(values)
    return RecordBatch(
        *key, start, end, end, list(range(start, end)), list(times), [None] * count, list(values), [()] * count
    )


def plan_of(streams: int, topics: int = 1, pane_ms: int = PANE_MS, warm_up_ms: int = DAY_MS) -> Plan:
    """Return a plan of so many models with a stream of features each, dealt out over so many topics."""
    models = [f"m{i:03d}" for i in range(streams)]
    return Plan(
        "bench",
        tuple(StreamPlan(f"{name}.features", name, "features", f"bench.{i % topics}") for i, name in enumerate(models)),
        tuple(ModelPlan(name, "bench", "none", "nothing") for name in models),
        pane_ms=pane_ms,
        warm_up_ms=warm_up_ms,
    )


def learn(values: Sequence[bytes], secret: bytes = SECRET) -> Learned:
    """Return bins and reference of a stream of such records, limits of drift included: about 29,000 of them are read.

    Raises:
        RuntimeError: they do not suffice.
    """
    monitor = Monitor(plan_of(1, warm_up_ms=200 * PANE_MS), 1, secret=secret)
    key = ("bench.0", 0)
    source = itertools.cycle(values)
    kept: list[Kept] = []
    for pane, count in enumerate(LESSONS):
        begin = BEGIN_MS - (len(LESSONS) - pane) * PANE_MS
        picked = list(itertools.islice(source, count))
        monitor.feed(key, picked, [begin + i * PANE_MS // count for i in range(count)])
        monitor.cut(key)
        monitor.tick(PANE_MS, begin + PANE_MS)
        kept += [Kept.of(*unpack(out.value)) for out in monitor.take() if b"/coarse/" in out.key and out.value]
    if not monitor.judge.reference:
        raise RuntimeError("no reference was learned from the records of the benchmark")
    assert monitor.judge.layout is not None
    return Learned(monitor.judge.layout.sections["m000.features"], _with_limits(monitor, kept))


def _with_limits(monitor: Monitor, kept: list[Kept]) -> dict[str, Any]:
    """Return the reference with limits, as if its panes had come again and again for three days."""
    name, day = "m000.features", datetime.fromtimestamp(BEGIN_MS / 1000, UTC).toordinal()
    night = Night(
        {
            "day": day,
            "timezone": "UTC",
            "holidays": [],
            "coarse_ms": PANE_MS,
            "false_alarms": 1.0,
            "weights": {name: 1.0},
            "excluded": {},
            "restarts": {},
            "reference": {name: monitor.judge.reference[name]},
            "sections": {name: monitor.judge.watches[name].section.to_dict()},
        }
    )
    begin = (day - EPOCH - 3) * DAY_MS // PANE_MS
    known = [pane for pane in kept if pane.fields]
    for index in range(3 * DAY_MS // PANE_MS):
        night.add(replace(known[index % len(known)], index=begin + index))
    tree: dict[str, Any] = night.reference()[name]
    assert np.isfinite(tree["normal"]["limit"]).all(), "every contrast is to be watched"
    return tree


def reference_of(plan: Plan, learned: Learned) -> dict[str, Any]:
    """Return a reference for all streams of a plan. No night falls on it: a benchmark does not measure a recalibration."""
    return {"budget": {"day": date.max.toordinal()}} | {item.name: learned.reference for item in plan.streams}
