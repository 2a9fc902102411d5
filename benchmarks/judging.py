"""The judge by itself: one pane of 1,000 features, and the entries of 64 partitions.

A stream has at most 200 fields (`stream.layout.MAX_FIELDS`), so 1,000 features are five streams of 200. Each has a learned layout
and a reference, every detector is on, and every pane differs: its counts are drawn from the reference. Reading the ledger from
the broker is not part of it.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from benchmarks.monitor import BEGIN_MS, PANE_MS, Learned, Monitor, learn, plan_of
from benchmarks.payloads import Shape, values
from stream.codec import pack, unpack
from stream.counts import NUMBER, STRING, VARIED, FieldCounts, PaneCounts, StreamCounts
from stream.judge import Judge
from stream.judging.incidents import Clock
from stream.layout import MAX_FIELDS, OTHER
from stream.ledger import entry_header, tick_header
from stream.panes import ClosedPane

STREAMS = 5
PARTITIONS = 64
RATE = 1000
"""Records per second and partition: it sets how wide the counts are, little else."""
KINDS = 5_003
WARM_PANES = 250
"""Detectors are armed and ADWIN's windows are as long as they stay."""
PANES = 100
MINUTES = 2
FIRST = BEGIN_MS // PANE_MS


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, details)."""
    learned = learned_wide()
    draw = Draw(learned)
    judged = _judged(learned, draw, max(int(PANES * scale), 20))
    closed = _closed(learned, draw, max(int(PANES * scale), 20))
    share, entry_ms = _core(learned, draw, max(int(MINUTES * scale), 1))
    figures = {
        "judge_pane": statistics.median(judged),
        "judge_close": statistics.median(closed),
        "judge_core_share": 100 * share,
        "judge_entry": entry_ms,
    }
    return figures, {"judge_pane_p99_ms": float(np.percentile(judged, 99)), "panes": len(judged)}


def learned_wide() -> Learned:
    """Return what is learned from records of 200 fields: 198 fractions, the id and the text."""
    learned = learn(values(Shape(MAX_FIELDS - 2), KINDS))
    assert len(learned.section.fields) == MAX_FIELDS
    return learned


class Draw:
    """Counts as taps would send them, drawn from a reference; a field without one (an id) has strings and no bins."""

    def __init__(self, learned: Learned, seed: int = 1) -> None:
        self._rng = np.random.default_rng(seed)
        shares = learned.reference["shares"]
        self._binned = np.isfinite(shares).all(axis=1)
        self._shares = shares[self._binned] / shares[self._binned].sum(axis=1, keepdims=True)
        self._kinds = np.array([bins.kind == "number" if bins else False for bins in learned.section.bins], np.bool_)

    def fields(self, records: int) -> FieldCounts:
        counts = FieldCounts.zero(len(self._binned))
        counts.records = records
        counts.types[np.arange(len(self._kinds)), np.where(self._kinds, NUMBER, STRING)] = records
        counts.bins[self._binned] = self._rng.multinomial(records, self._shares)
        counts.only[self._kinds] = VARIED
        return counts

    def pane(self, records: int) -> PaneCounts:
        return PaneCounts(groups={(OTHER, OTHER): self.fields(records)}, applied=records, spans={0: (0, records)})


def _judged(learned: Learned, draw: Draw, count: int) -> list[float]:
    """Return ms of CPU that detectors and incidents take for one pane of all streams, by pane."""
    judge = Monitor(plan_of(STREAMS), 1, learned).judge
    assert judge.incidents is not None
    took = []
    for index in range(FIRST, FIRST + WARM_PANES + count):
        spent = 0.0
        for name, watch in judge.watches.items():
            pane = ClosedPane(name, index, watch.section, draw.pane(60 * RATE), np.ones(MAX_FIELDS, np.bool_))
            begun = time.process_time()
            verdict = watch.bank.judge(pane, watch.closing(pane))
            findings = [*verdict.findings, *watch.news.of_pane(pane, watch.learning.established)]
            now = Clock((index + 1) * PANE_MS, (index + 1) * PANE_MS, index)
            judge.incidents.observe_pane(name, index, findings, verdict.unjudged, now)
            spent += time.process_time() - begun
        took.append(1000 * spent)
    return took[WARM_PANES:]


def _closed(learned: Learned, draw: Draw, count: int) -> list[float]:
    """Return ms of CPU for the one ledger record that closes a pane of all streams: added up, written, judged."""
    ledger = Entries(learned, draw, 1)
    took = []
    for minute in range(WARM_PANES + count):
        frames = ledger.frames(minute, 60 * RATE)
        took.append(1000 * ledger.fold(0, frames[0], minute, 60))
    return took[WARM_PANES:]


def _core(learned: Learned, draw: Draw, minutes: int) -> tuple[float, float]:
    """Return the share of a core that the judge takes, and ms per entry, over so many simulated minutes after one to warm up."""
    ledger = Entries(learned, draw, PARTITIONS)
    spent = 0.0
    for minute in range(minutes + 1):
        frames = ledger.frames(minute, RATE)
        took = sum(
            ledger.fold(partition, frame, minute, second + 1)
            for second in range(60)
            for partition, frame in enumerate(frames)
        )
        spent += took if minute else 0.0
    return spent / (60 * minutes), 1000 * spent / (60 * minutes * PARTITIONS)


class Entries:
    """A judge, and entries for it: one topic that all streams read."""

    def __init__(self, learned: Learned, draw: Draw, partitions: int) -> None:
        monitor = Monitor(plan_of(STREAMS), partitions, learned)
        assert monitor.judge.layout is not None
        self.judge: Judge = monitor.judge
        self._layout = monitor.judge.layout
        self._draw = draw
        self._partitions = partitions
        self._second = 0

    def frames(self, minute: int, records: int) -> list[bytes]:
        """Return an entry for each partition that holds so many records of a minute; only its header says which second it is."""
        frames = []
        for _ in range(self._partitions):
            body = {
                name: StreamCounts(
                    applied=records, panes={FIRST + minute: self._draw.pane(records)}, section=section.id
                )
                for name, section in self._layout.sections.items()
            }
            frames.append(pack(self._header(0, 0, records), {name: counts.to_dict() for name, counts in body.items()}))
        return frames

    def fold(self, partition: int, frame: bytes, minute: int, second: int) -> float:
        """Read and fold one entry that ends at a second of a minute, and the tick before it; return seconds of CPU."""
        time_ms = (FIRST + minute) * PANE_MS + 1000 * second
        key = ("bench.0", partition)
        at = self.judge.fold.positions[key].next
        header = self._header(partition, at, at + RATE) | {
            "frontier": {name: [time_ms + PANE_MS // 4, None] for name in self._layout.sections}
        }
        begun = time.process_time()
        if partition == 0:
            step = 1000 * (60 * minute + second) - self._second
            self._second += step
            self._apply(tick_header(self.judge.fold.tick + 1, step, time_ms), None)
        self._apply(header, unpack(frame)[1])
        return time.process_time() - begun

    def _apply(self, header: dict[str, Any], body: Any) -> None:
        self.judge.apply(self.judge.fold.offset, header, body, _no_blobs)

    def _header(self, partition: int, start: int, end: int) -> dict[str, Any]:
        frontier: dict[str, tuple[int | None, int | None]] = dict.fromkeys(self._layout.sections, (BEGIN_MS, None))
        return entry_header(("bench.0", partition), 0, (start, end), self._layout.id, None, end, frontier)


def _no_blobs(name: str) -> Any:
    raise LookupError(f"{name}: nothing is adopted while entries are measured")
