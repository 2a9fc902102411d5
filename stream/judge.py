"""The judge: a pure fold of the ledger. ``state, outputs = judge(state, ledger record)``; its only clock is the ledger's ticks.

It adds entries up into panes, closes a pane when its stream's watermark passes, hands it to the detectors and turns
findings into incidents. Folding the same ledger again, or with a restart at any record, gives the same state and outputs
to the bit. What it wants to come into force (names, bins, a reference) it only *proposes*; the host stores the blob and
writes the ``adopt`` note, and the note is what changes a count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from stream.codec import digest, pack
from stream.counts import StreamCounts, coordinates
from stream.judging.alerts import AlertRecord, event, state_record, tombstone
from stream.judging.findings import Finding
from stream.judging.incidents import Clock, Incidents, Transition
from stream.judging.watch import Watch
from stream.layout import Layout
from stream.learn import merge_reference
from stream.ledger import Fold, Key
from stream.panes import ClosedPane, watermark
from stream.plan import Plan, StreamPlan
from stream.publishing import Message

MAX_LAYOUTS = 16

Blobs = Callable[[str], Any]
"""Content address -> tree. The host has fetched it before the note is folded."""


Outputs = list[Message]
"""What one ledger record caused: events for ``alerts`` and ``alerts.state``, closed panes, references to unreadable records."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something to bring into force: ``what`` is ``layout`` or ``reference``, ``tree`` its blob."""

    what: str
    tree: dict[str, Any]
    parent: str | None

    @property
    def new(self) -> str:
        return digest(self.tree)


class Judge:
    """Attributes: fold: positions, ticks, what is in force. layout: the one in force, None before the first. watches: by
    stream name. incidents: open ones and those that may come back.
    """

    def __init__(self) -> None:
        self.fold = Fold()
        self.layout: Layout | None = None
        self.layouts: dict[str, Layout] = {}
        self.reference: dict[str, Any] = {}
        self.watches: dict[str, Watch] = {}
        self.incidents: Incidents | None = None

    def apply(self, offset: int, header: dict[str, Any], body: Any, blobs: Blobs) -> Outputs:
        """Fold one ledger record.

        Args:
            offset: its ledger offset. header, body: its frame (`stream.codec.unpack`).
            blobs: resolves the content addresses of ``adopt`` notes.
        """
        outputs: Outputs = []
        before = self.fold.time_ms
        if not self.fold.apply(offset, header):
            return outputs
        kind = header["kind"]
        if kind == "entry":
            self._entry(header, body, outputs)
        elif kind == "open" and header["inc"] > 0:
            self._reopened((header["topic"], header["partition"]), header["to"])
        elif kind == "tick":
            self._tick(self.fold.time_ms - before, outputs)
        elif kind == "note" and header["note"] == "adopt":
            self._adopt(header["what"], header["new"], blobs(header["new"]), outputs)
        return outputs

    def _entry(self, header: dict[str, Any], body: dict[str, Any], outputs: Outputs) -> None:
        key = (header["topic"], header["partition"])
        for name, tree in body.items():
            watch = self.watches.get(name)
            if watch is None:
                continue
            counts = StreamCounts.from_dict(tree)
            under = self.layouts.get(header["layout"])
            if under is None or under.plan.pane_ms != watch.panes.pane_ms:
                counts.panes = {}  # indexes of another pane length mean other times; the classes still count
            watch.entry(key, (header["from"], header["to"]), counts)
            outputs += self._dead_letters(watch.plan, counts)
            if counts.lost:
                self._lost(watch, key, header["from"], counts.lost)
        for watch in self._of_topic(header["topic"]):
            self._close(watch, outputs)

    def _close(self, watch: Watch, outputs: Outputs) -> None:
        mark = watermark(self.fold, watch.plan, watch.section.partitions)
        name = watch.plan.name
        known = [layout.sections[name] for layout in self.layouts.values() if name in layout.sections]
        sections = {section.id: section for section in known}
        for pane in watch.panes.close(mark, sections, watch.section):
            header = {"kind": "pane", "stream": pane.stream, "index": pane.index}
            outputs.append(self._message("panes", f"{pane.stream}/{pane.index}".encode(), pack(header, pane.to_dict())))
            watch.closing(pane)
            if not pane.partial:
                self._judge(watch, pane, outputs)

    def _judge(self, watch: Watch, pane: ClosedPane, outputs: Outputs) -> None:
        verdict = watch.bank.judge(pane)
        findings = [*verdict.findings, *watch.news.of_pane(pane, watch.learning.established)]
        if pane.history:
            return
        self._emit(
            self._board.observe_pane(watch.plan.name, pane.index, findings, verdict.unjudged, self._now(watch)), outputs
        )

    def _tick(self, elapsed_ms: int, outputs: Outputs) -> None:
        for watch in self.watches.values():
            history = watermark(self.fold, watch.plan, watch.section.partitions).history
            for check, finding in watch.pulse.tick(self.fold, elapsed_ms, history):
                self._state(watch, check, watch.plan.name, finding, outputs)
            for check, subject, finding in watch.news.on_tick(self.fold.time_ms, elapsed_ms, self._since(watch)):
                self._state(watch, check, subject, finding, outputs)
            self._close(watch, outputs)
        if self.incidents is not None:
            self._emit(self.incidents.observe_tick(self._clock()), outputs)

    def _lost(self, watch: Watch, key: Key, start: int, lost: int) -> None:
        extra = f" in partition {key[1]}: offsets {start} to {start + lost - 1}"
        self._happened(watch, "lost", "lost", lost, extra, [[key[1], start, start + lost]])

    def _reopened(self, key: Key, start: int) -> None:
        for watch in self._of_topic(key[0]):
            watch.reopened(key, start)
            extra = f"; partition {key[1]} starts again at offset {start}"
            self._happened(watch, "lost", "recreated", 0, extra, [[key[1], start, start]])

    def _happened(self, watch: Watch, check: str, reason: str, n: int, extra: str, spans: list[list[int]]) -> None:
        watch.news.happened(self.fold.time_ms, self._since(watch), check, reason, n, extra, spans)

    def _adopt(self, what: str, name: str, tree: dict[str, Any], outputs: Outputs) -> None:
        if what == "reference":
            self.reference = tree
            for stream, watch in self.watches.items():
                watch.set_reference(tree.get(stream))
            return
        before, self.layout = self.layout, Layout.from_dict(tree)
        self.layouts.pop(name, None)
        self.layouts[name] = self.layout
        for old in list(self.layouts)[:-MAX_LAYOUTS]:
            del self.layouts[old]
        plan = self.layout.plan
        same_panes = before is not None and before.plan.pane_ms == plan.pane_ms
        for item in plan.streams:
            section = self.layout.sections[item.name]
            known = self.watches.get(item.name)
            if same_panes and known is not None and known.plan == item:
                known.adopt(section)
            else:
                fresh = self.watches[item.name] = Watch(item, section, plan.pane_ms)
                fresh.set_reference(self.reference.get(item.name))
                if known is not None:
                    fresh.news.restore(known.news.state())  # what it said on ticks must be able to end
                    fresh.pulse.inherit(known.pulse)
        self.watches = {stream.name: self.watches[stream.name] for stream in plan.streams}
        if before is not None and before.plan == plan:
            return
        if self.incidents is None:
            self.incidents = Incidents(plan)
        else:
            self._emit(self.incidents.adopt(plan, self._clock()), outputs)
        if before is not None:
            self._changed(before, plan)

    def _changed(self, before: Layout, plan: Plan) -> None:
        """Another configuration came into force: say so, once for each model."""
        extra = f": {plan.config_hash}, it was {before.plan.config_hash}"
        for model in plan.models:
            watch = next(watch for watch in self.watches.values() if watch.plan.model == model.name)
            self._happened(watch, "version", "new_configuration", 0, extra, [])

    def proposal(self) -> Proposal | None:
        """Return the layout the judge wants in force, None when the present one will do. A function of the state alone."""
        if self.layout is None:
            return None
        for watch in self.watches.values():
            section = watch.learning.next_section()
            if section is not None:
                new = self.layout.with_section(section)
                return Proposal("layout", new.to_dict(), self.fold.in_force.get("layout"))
        return None

    def lesson(self) -> dict[str, Any]:
        """Return what a reference can be learned from now: {stream: {fields, bins, panes}}; empty when it is too early."""
        lesson = {}
        for name, watch in self.watches.items():
            tree = watch.learning.lesson_tree()
            if tree is not None:
                lesson[name] = tree
        return lesson

    def reference_proposal(self, learned: dict[str, Any]) -> Proposal:
        """Return the proposal that adds what was learned to the reference in force; fields that have one keep it."""
        merged = {name: merge_reference(self.reference.get(name), tree) for name, tree in learned.items()}
        return Proposal("reference", {**self.reference, **merged}, self.fold.in_force.get("reference"))

    def _state(self, watch: Watch, check: str, subject: str, finding: Finding | None, outputs: Outputs) -> None:
        self._emit(self._board.observe_state(watch.plan.name, check, subject, finding, self._now(watch)), outputs)

    def _emit(self, transitions: list[Transition], outputs: Outputs) -> None:
        if self.layout is None:
            return
        for transition in transitions:
            record = event(transition, self.layout.plan, self.fold.in_force)
            outputs.append(self._alert("alerts", record))
            outputs.append(self._alert("alerts.state", state_record(record, self.fold.offset - 1)))

    def snapshots(self) -> Outputs:
        """Return the newest state of every open and recently closed incident, to be written again to ``alerts.state``.

        A host does so every minute, because a zombie's late write may have put an older state there.
        """
        if self.layout is None or self.incidents is None:
            return []
        records = [event(item, self.layout.plan, self.fold.in_force) for item in self.incidents.latest()]
        offset = self.fold.offset
        gone = [tombstone(name, offset) for name in self.incidents.expired(self._clock())]
        return [self._alert("alerts.state", item) for item in (*(state_record(r, offset) for r in records), *gone)]

    def _alert(self, topic: str, record: AlertRecord) -> Message:
        return self._message(topic, record.key, record.value, tuple(record.headers))

    def _message(
        self, topic: str, key: bytes, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = ()
    ) -> Message:
        return Message(self.fold.offset - 1, topic, key, value, headers)

    def _dead_letters(self, plan: StreamPlan, counts: StreamCounts) -> Outputs:
        """Return references to some of the records that could not be read; never their content."""
        letters = []
        for pane in counts.panes.values():
            for reason, codes in pane.references.items():
                for partition, offset in filter(None, map(coordinates, codes)):
                    letter = {
                        "topic": plan.topic,
                        "partition": partition,
                        "offset": offset,
                        "stream": plan.name,
                        "reason": reason,
                    }
                    key = f"{plan.topic}/{partition}/{offset}".encode()
                    letters.append(self._message("dead-letter", key, orjson.dumps(letter)))
        return letters

    @property
    def _board(self) -> Incidents:
        assert self.incidents is not None, "a stream is watched only under a layout"
        return self.incidents

    def _since(self, watch: Watch) -> int:
        """Return the event time from which something found on ticks holds: the watermark, or the wall clock without one."""
        return self.fold.wall_ms if watch.panes.watermark is None else watch.panes.watermark

    def _now(self, watch: Watch) -> Clock:
        return Clock(watch.panes.watermark or 0, self.fold.wall_ms, self.fold.offset - 1)

    def _clock(self) -> Clock:
        newest = max((watch.panes.watermark or 0 for watch in self.watches.values()), default=0)
        return Clock(newest, self.fold.wall_ms, self.fold.offset - 1)

    def _of_topic(self, topic: str) -> list[Watch]:
        return [watch for watch in self.watches.values() if watch.plan.topic == topic]

    def state(self) -> dict[str, Any]:
        """Return everything a restart needs, except the blobs in force."""
        return {
            "fold": self.fold.snapshot(),
            "layouts": list(self.layouts),
            "watches": {name: watch.state() for name, watch in self.watches.items()},
            "incidents": None if self.incidents is None else self.incidents.state(),
        }

    @staticmethod
    def restore(tree: dict[str, Any], blobs: Blobs) -> Judge:
        """Return the judge that `state` described."""
        judge = Judge()
        judge.fold = Fold.restore(tree["fold"])
        judge.layouts = {name: Layout.from_dict(blobs(name)) for name in tree["layouts"]}
        in_force = judge.fold.in_force
        if "layout" not in in_force:
            return judge
        layout = judge.layout = judge.layouts[in_force["layout"]]
        judge.reference = blobs(in_force["reference"]) if "reference" in in_force else {}
        judge.incidents = Incidents(layout.plan)
        judge.incidents.restore(tree["incidents"])
        for stream in layout.plan.streams:
            watch = Watch(stream, layout.sections[stream.name], layout.plan.pane_ms)
            watch.set_reference(judge.reference.get(stream.name))
            watch.restore(tree["watches"][stream.name])
            judge.watches[stream.name] = watch
        return judge
