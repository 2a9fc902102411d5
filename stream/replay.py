"""Replay: the very same taps and judge over files, in event time, as fast as the CPU allows.

One file is one partition of its topic. Records are taken in the order of their timestamps over all files; the clock is the
largest timestamp so far. Entries are cut and ticks written only at pane ends: one tick of 60 s equals sixty of 1 s. A tap counts
as at its end, and the replay stops at the last record, so the end of a file is not silence.

The lines of a file are read by `stream.jsonl`, the rows of a Parquet file by `stream.parquet`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.batch import RecordBatch
from stream.codec import unpack
from stream.gathering import DAY_MS, Kept
from stream.jsonl import Line, read_lines
from stream.judge import Judge
from stream.judging.proposal import Proposal
from stream.layout import layout_zero
from stream.learn import learn_references
from stream.ledger import adopt_header, open_header
from stream.parquet import is_parquet, read_rows
from stream.plan import Plan
from stream.publishing import Message
from stream.reading.frontier import JUMP_MS
from stream.recalibrate import REACH_DAYS, Night
from stream.tap import Fed, Tap

CHUNK = 1000
QUIET_MS = 8 * 86_400_000


@dataclass(eq=False)
class Source:
    """A file read as partition 0 of a topic."""

    topic: str
    lines: Iterator[Line]
    tap: Tap
    head: Line | None = None
    offset: int = 0
    waiting: list[Line] = field(default_factory=list)


class Replay:
    """Attributes: judge: after everything fed so far. records: how many were read. size: how many bytes of lines."""

    def __init__(self, plan: Plan, files: dict[str, Path], hash_key: bytes, emit: Callable[[Message], None]) -> None:
        self.plan = plan
        self.judge = Judge()
        self.records = 0
        self.size = 0
        self._emit = emit
        self._blobs: dict[str, Any] = {}
        self._kept: list[Kept] = []
        self._offset = 0
        self._clock: int | None = None
        self._ticked = 0
        self._adopt(Proposal("layout", layout_zero(plan, dict.fromkeys(files, 1)).to_dict(), None))
        assert self.judge.layout is not None
        self._sources = []
        for topic, path in files.items():
            self._fold(open_header((topic, 0), 0, 0, 0), None)
            tap = Tap(self.judge.layout, (topic, 0), self.judge.fold.positions[topic, 0], hash_key)
            read = read_rows if is_parquet(path) else read_lines
            self._sources.append(Source(topic, steady(read(path, plan.of_topic(topic))), tap))

    def run(self, progress: Callable[[int], None] = lambda size: None) -> None:
        """Replay everything. ``progress`` is called now and then with the number of bytes read so far."""
        for source in self._sources:
            source.head = next(source.lines, None)
        while True:
            heads = [source for source in self._sources if source.head is not None]
            if not heads:
                break
            source = min(heads, key=_when)
            self._take(source)
            if self.records % 5000 == 0:
                progress(self.size)
        self._flush()
        self._cut()
        progress(self.size)

    def _take(self, source: Source) -> None:
        line = source.head
        assert line is not None
        if self._clock is None:
            self._clock = self._ticked = line.when
        self._pass(line.when)
        source.waiting.append(line)
        self.records += 1
        self.size += line.size
        if len(source.waiting) >= CHUNK:
            self._feed(source)
        source.head = next(source.lines, None)

    def _pass(self, now: int) -> None:
        """Let time pass: at every pane end between the clock and now, cut and tick.

        After `QUIET_MS` without a record every deadline has come, and one tick covers the rest: a file with two years in it,
        or with one absurd timestamp, must not cost a tick for every minute in between.
        """
        assert self._clock is not None
        pane, quiet_since = self.plan.pane_ms, self._clock
        while now // pane > self._clock // pane:
            end = (self._clock // pane + 1) * pane
            if self._clock - quiet_since >= QUIET_MS:
                end = now // pane * pane
            self._flush()
            self._cut()
            self._tick(end)
        self._clock = max(self._clock, now)

    def _tick(self, end: int) -> None:
        assert self._clock is not None
        header = {"kind": "tick", "n": self.judge.fold.tick + 1, "elapsed": end - self._ticked, "wall": end}
        self._fold(header, None)
        self._clock = self._ticked = end
        while (proposal := self.judge.proposal()) is not None:
            self._adopt(proposal)
        lesson = self.judge.lesson()
        if lesson:
            self._adopt(self.judge.reference_proposal(learn_references(lesson)))
        self._recalibrate()
        layout = self.judge.layout
        for source in self._sources:
            if layout is not None:
                source.tap.adopt(layout)

    def _recalibrate(self) -> None:
        """Learn as a worker does at night, from the coarse panes of the last weeks."""
        lesson = self.judge.recalibration()
        if lesson is None:
            return
        night = Night(lesson)
        for pane in self._kept:
            night.add(pane)
        self._adopt(self.judge.reference_proposal(night.reference()))
        oldest = (self._clock or 0) // self.plan.coarse_ms - (REACH_DAYS + 1) * DAY_MS // self.plan.coarse_ms
        self._kept = [pane for pane in self._kept if pane.index >= oldest]

    def _flush(self) -> None:
        for source in self._sources:
            self._feed(source)

    def _feed(self, source: Source) -> None:
        lines, source.waiting = source.waiting, []
        if not lines:
            return
        start, end = source.offset, source.offset + len(lines)
        source.offset = end
        batch = RecordBatch(
            source.topic,
            0,
            start,
            end,
            end,
            list(range(start, end)),
            [line.timestamp for line in lines],
            [line.key for line in lines],
            [line.value for line in lines],
            [line.headers for line in lines],
        )
        now = self._clock or 0
        while source.tap.feed(batch, now) is Fed.FULL:
            self._entry(source)

    def _cut(self) -> None:
        for source in self._sources:
            self._entry(source)

    def _entry(self, source: Source) -> None:
        header, body = unpack(source.tap.cut(source.tap.cursor.next))
        self._fold(header, body)
        source.tap.settle(self.judge.fold.positions[source.topic, 0])

    def _adopt(self, proposal: Proposal) -> None:
        if proposal.what == "reference" and proposal.parent is not None:
            self._blobs.pop(proposal.parent, None)  # a year of nights would fill the memory
        self._blobs[proposal.new] = proposal.tree
        self._fold(adopt_header(proposal.what, proposal.new, proposal.parent), None)

    def _fold(self, header: dict[str, Any], body: Any) -> None:
        for message in self.judge.apply(self._offset, header, body, self._blobs.__getitem__):
            if message.topic == "panes" and message.value is not None and b"/coarse/" in message.key:
                self._kept.append(Kept.of(*unpack(message.value)))
            self._emit(message)
        self._offset += 1


def steady(lines: Iterator[Line]) -> Iterator[Line]:
    """Give each line its place in time. One timestamp far ahead of its neighbours must not move the clock of a replay.

    A jump of more than 10 min counts only when the next line is beyond it too, as for the frontier of a tap.
    """
    clock: int | None = None
    line = next(lines, None)
    while line is not None:
        following = next(lines, None)
        line.when = line.timestamp
        if clock is not None and line.timestamp > clock + JUMP_MS:
            confirmed = following is None or following.timestamp > clock + JUMP_MS
            line.when = line.timestamp if confirmed else clock
        clock = line.when if clock is None else max(clock, line.when)
        yield line
        line = following


def _when(source: Source) -> int:
    assert source.head is not None
    return source.head.when
