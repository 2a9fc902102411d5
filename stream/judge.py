"""The judge: a pure fold of the ledger. ``state, outputs = judge(state, ledger record)``; its only clock is the ledger's ticks.

It adds entries up into panes, closes a pane when its stream's watermark passes, hands it to the detectors and turns
findings into incidents. Folding the same ledger again, or with a restart at any record, gives the same state and outputs
to the bit. What it wants to come into force (names, bins, a reference) it only *proposes*; the host stores the blob and
writes the ``adopt`` note, and the note is what changes a count.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from stream.coarse import CoarsePane
from stream.codec import digest, pack
from stream.counts import StreamCounts
from stream.judging.alerts import AlertRecord, event, state_record, tombstone
from stream.judging.decision import decision
from stream.judging.findings import Finding
from stream.judging.happenings import blind, dead_letters, disarmed, lost, poisoned, reopened
from stream.judging.incidents import Clock, Incidents, Transition, local_time
from stream.judging.news import Moment
from stream.judging.night import night_lesson, part_of
from stream.judging.promise import WINDOW_DAYS, Realised
from stream.judging.proposal import Proposal
from stream.judging.verdicts import Verdicts
from stream.judging.watch import Watch
from stream.layout import Layout, Section
from stream.ledger import Fold, Key, Position
from stream.panes import ClosedPane, watermark
from stream.plan import Plan
from stream.publishing import Message

MAX_LAYOUTS = 16

Blobs = Callable[[str], Any]
"""Content address -> tree. The host has fetched it before the note is folded."""


Outputs = list[Message]
"""What one ledger record caused: events for ``alerts`` and ``alerts.state``, closed panes, references to unreadable records."""


class Judge:
    """Attributes: fold: positions, ticks, what is in force. layout: the one in force, None before the first. watches: by
    stream name. incidents: open ones and those that may come back. said: what people said of them.
    gaps: how often the ledger had lost what was not judged yet.
    judged: while such a gap is being crossed, the (ledger offset, wall clock) up to which this state was judged.
    """

    def __init__(self) -> None:
        self.fold = Fold()
        self.layout: Layout | None = None
        self.layouts: dict[str, Layout] = {}
        self.reference: dict[str, Any] = {}
        self.watches: dict[str, Watch] = {}
        self.incidents: Incidents | None = None
        self.said = Verdicts()
        self.gaps = 0
        self.judged: tuple[int, int] | None = None

    def apply(self, offset: int, header: dict[str, Any], body: Any, blobs: Blobs) -> Outputs:
        """Fold one ledger record.

        Args:
            offset: its ledger offset. header, body: its frame (`stream.codec.unpack`).
            blobs: resolves the content addresses of ``adopt`` notes.
        """
        outputs: Outputs = []
        time_ms, key = self.fold.time_ms, (header.get("topic", ""), header.get("partition", 0))
        before = self.fold.positions.get(key)
        if not self.fold.apply(offset, header):
            return outputs
        kind, note = header["kind"], header.get("note")
        if note == "judge_gap" and (self.judged is not None or header["fold"] is not None):
            self._gap(header, blobs, outputs)
        if self.judged is not None:
            return outputs
        if kind == "entry":
            self._entry(header, body, before is not None and before.again, outputs)
        elif kind == "open" and before is not None:
            self._reopened(before.next, header, outputs)
        elif kind == "tick":
            self._tick(self.fold.time_ms - time_ms, outputs)
        elif note == "adopt":
            self._adopt(header["what"], header["new"], blobs(header["new"]), outputs)
        elif note == "verdict":
            self._verdict(header, outputs)
        return outputs

    def needs(self, header: dict[str, Any]) -> list[str]:
        """Return the blobs that a record may bring into force: to be fetched before it is folded."""
        if header.get("note") == "adopt":
            return [header["new"]]
        if header.get("note") == "judge_gap" and header["fold"] is not None:
            return list(header["fold"]["in_force"].values())
        if header.get("note") == "judge_gap" and self.judged is not None:
            return list(self.fold.in_force.values())
        return []

    def _entry(self, header: dict[str, Any], body: dict[str, Any], again: bool, outputs: Outputs) -> None:
        key = (header["topic"], header["partition"])
        for name, tree in body.items():
            watch = self.watches.get(name)
            if watch is None:
                continue
            counts = StreamCounts.from_dict(tree)
            under = self.layouts.get(header["layout"])
            if under is None or under.plan.pane_ms != watch.panes.pane_ms:
                counts.panes = {}  # indexes of another pane length mean other times; the classes still count
            watch.entry(key, header["inc"], (header["from"], header["to"]), counts, again)
            outputs += [self._message("dead-letter", *letter) for letter in dead_letters(watch.plan, counts)]
            if counts.lost:
                self._happened(watch, lost(key, header["from"], counts.lost))
            if counts.rejected.get("poison"):
                self._happened(watch, poisoned(key, header["from"]))
        for watch in self._of_topic(header["topic"]):
            self._close(watch, outputs)

    def _close(self, watch: Watch, outputs: Outputs) -> None:
        mark = watermark(self.fold, watch.plan, watch.section.partitions)
        self._closed(watch, watch.panes.close(mark, self._sections(watch), watch.section), outputs)

    def _closed(self, watch: Watch, panes: list[ClosedPane], outputs: Outputs) -> None:
        for pane in panes:
            header = {"kind": "pane", "stream": pane.stream, "index": pane.index}
            outputs.append(self._message("panes", f"{pane.stream}/{pane.index}".encode(), pack(header, pane.to_dict())))
            coarse = watch.closing(pane)
            outputs += [self._message("panes", item.key, item.frame(self._plan.coarse_ms)) for item in coarse]
            if not pane.partial:
                self._judge(watch, pane, coarse, outputs)

    def _sections(self, watch: Watch) -> dict[str, Section]:
        name = watch.plan.name
        known = [layout.sections[name] for layout in self.layouts.values() if name in layout.sections]
        return {section.id: section for section in known}

    def _judge(self, watch: Watch, pane: ClosedPane, coarse: list[CoarsePane], outputs: Outputs) -> None:
        judged = watch.bank.judge(pane, coarse)
        findings = [*judged.findings, *watch.news.of_pane(pane, watch.learning.established)]
        if pane.history:
            day = local_time(pane.index * self._plan.pane_ms, self._plan.timezone).toordinal()
            watch.disarmed.would_have_fired(findings, day)
            return
        findings = watch.disarmed.heard(findings)
        self._emit(
            self._board.observe_pane(watch.plan.name, pane.index, findings, judged.unjudged, self._now(watch)), outputs
        )

    def _tick(self, elapsed_ms: int, outputs: Outputs) -> None:
        for watch in self.watches.values():
            history = watermark(self.fold, watch.plan, watch.section.partitions).history
            for check, finding in watch.pulse.tick(self.fold, elapsed_ms, history):
                self._state(watch, check, watch.plan.name, finding, outputs)
            for notice, holds in watch.news.noticed(self.fold.time_ms):
                self._emit(self._board.observe_notice(watch.plan.name, notice, holds, self._now(watch)), outputs)
            for check, subject, finding in watch.news.on_tick(elapsed_ms, self._since(watch)):
                self._state(watch, check, subject, finding, outputs)
            self._close(watch, outputs)
        if self.incidents is not None:
            self._emit(self.incidents.observe_tick(self._clock()), outputs)

    def _reopened(self, before: int, header: dict[str, Any], outputs: Outputs) -> None:
        key = (header["topic"], header["partition"])
        for watch in self._of_topic(key[0]):
            if "why" in header:
                self._closed(watch, watch.panes.break_off(self._sections(watch), watch.section), outputs)
            self._happened(watch, reopened(watch, key, before, header))

    def lose(self, fold: Fold) -> None:
        """Go on from a fold that reaches further than this judge does, since the ledger between them is gone.

        Until a ``judge_gap`` is read nothing is judged: only there do all hosts that start from this state come to the same one,
        whatever fold each of them had.
        """
        self.judged = (self.fold.offset, self.fold.wall_ms)
        self.fold = fold

    def _gap(self, header: dict[str, Any], blobs: Blobs, outputs: Outputs) -> None:
        """Go on from here: what is in force, where every partition stands. What was not judged is said and counted."""
        judged, self.judged = self.judged or (header["from"], header["since"]), None
        self.gaps += 1
        known = {"layout": None if self.layout is None else self.layout.id, "reference": digest(self.reference)}
        for what, name in sorted(self.fold.in_force.items()):
            if name != known[what]:
                self._adopt(what, name, blobs(name), outputs)
        unjudged = {name: watch.overlook(self._positions(watch.plan.topic)) for name, watch in self.watches.items()}
        if self.layout is None:
            return
        plan, at = self.layout.plan, self.fold.offset - 1
        for model in plan.models:
            watches = [watch for watch in self.watches.values() if watch.plan.model == model.name]
            n = sum(unjudged[watch.plan.name] for watch in watches)
            self._happened(watches[0], blind(plan, judged, at, header["until"], n))

    def _verdict(self, header: dict[str, Any], outputs: Outputs) -> None:
        """Do what a person said of an incident, and tell whoever reads alerts."""
        board, layout = self.incidents, self.layout
        given = self.said.take(header, None if board is None else board.named(header["incident"]))
        if given is None or board is None or layout is None:
            return
        watch = self.watches.get(given["stream"])
        now = self._clock() if watch is None else self._now(watch)
        if watch is not None:
            watch.obey(given, self.said.given)
        self._emit(board.obey(given, now), outputs)
        outputs.append(self._alert("alerts", decision(given, layout.plan, now)))

    def _happened(self, watch: Watch, what: Moment) -> None:
        watch.news.happened(self.fold.time_ms, self._since(watch), what)

    def _adopt(self, what: str, name: str, tree: dict[str, Any], outputs: Outputs) -> None:
        if what == "reference":
            self._refer(tree)
            return
        before, self.layout = self.layout, Layout.from_dict(tree)
        self.layouts.pop(name, None)
        self.layouts[name] = self.layout
        for old in list(self.layouts)[:-MAX_LAYOUTS]:
            del self.layouts[old]
        plan = self.layout.plan
        same_panes = before is not None and all(
            getattr(before.plan, name) == getattr(plan, name) for name in ("pane_ms", "coarse_ms")
        )
        for item in plan.streams:
            section = self.layout.sections[item.name]
            known = self.watches.get(item.name)
            if same_panes and known is not None and known.plan == item:
                known.adopt(section, plan)
            else:
                fresh = self.watches[item.name] = Watch(item, section, plan)
                fresh.set_reference(part_of(self.reference, item.name, plan), self.said.given)
                if known is not None:
                    fresh.news.restore(known.news.state())  # what it said on ticks must be able to end
                    fresh.pulse.inherit(known.pulse)
                    fresh.disarmed = known.disarmed.under(known.plan, item)
        self.watches = {stream.name: self.watches[stream.name] for stream in plan.streams}
        if before is not None and before.plan == plan:
            return
        if self.incidents is None:
            self.incidents = Incidents(plan)
        else:
            self._emit(self.incidents.adopt(plan, self._clock()), outputs)
        if before is not None:
            self._changed(before, plan)

    def _refer(self, tree: dict[str, Any]) -> None:
        """Go by another reference: limits, the promise they keep, and the rules that its history disarms."""
        self.reference = tree
        told = tree.get("budget", {})
        if told:
            self._board.promise.armed(told["day"], told.get("status", "learning"))
        for stream, watch in self.watches.items():
            watch.set_reference(part_of(tree, stream, self._plan), self.said.given)
            rules = watch.disarmed.learn(told) if told else {}
            if rules:
                self._happened(watch, disarmed(rules))

    def _changed(self, before: Layout, plan: Plan) -> None:
        """Another configuration came into force: say so, once for each model."""
        extra = f": {plan.config_hash}, it was {before.plan.config_hash}"
        for model in plan.models:
            watch = next(watch for watch in self.watches.values() if watch.plan.model == model.name)
            moment = Moment("version", "new_configuration", 0, extra, subject="configuration", severity="ticket")
            self._happened(watch, moment)

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
        """Return what a first reference can be learned from now: {stream: {fields, bins, panes}}; empty when it is too early."""
        lessons = {name: watch.learning.lesson_tree() for name, watch in self.watches.items()}
        return {name: tree for name, tree in lessons.items() if tree is not None}

    def reference_proposal(self, learned: dict[str, Any]) -> Proposal:
        """Return the proposal that adds what was learned to the reference in force."""
        known = {name: tree for name, tree in self.reference.items() if name in self.watches or name == "budget"}
        return Proposal("reference", {**known, **learned}, self.fold.in_force.get("reference"))

    def realised(self, window: int = WINDOW_DAYS, status: str = "calibrated") -> Realised:
        """Return what has come of the false-alarm budget over so many days; or of provisional limits, beside it."""
        if self.incidents is None:
            return Realised(0, 0, 0)
        today = local_time(self._clock().event_ms, self._plan.timezone).toordinal()
        return self.incidents.promise.realised(today, self.said.given, window, status)

    def recalibration(self) -> dict[str, Any] | None:
        """Return what `stream.recalibrate` needs beside the kept panes, once for each local day; None when it is not due."""
        if self.layout is None:
            return None
        return night_lesson(self.layout.plan, self.watches, self.reference, self.said.given)

    def _state(self, watch: Watch, check: str, subject: str, finding: Finding | None, outputs: Outputs) -> None:
        self._emit(self._board.observe_state(watch.plan.name, check, subject, finding, self._now(watch)), outputs)

    def _emit(self, transitions: list[Transition], outputs: Outputs) -> None:
        if self.layout is None:
            return
        for transition in transitions:
            self.said.follow(transition)
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

    @property
    def _plan(self) -> Plan:
        assert self.layout is not None, "a stream is watched only under a layout"
        return self.layout.plan

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

    def _positions(self, topic: str) -> dict[Key, Position]:
        return {(topic, number): position for number, position in self.fold.of_topic(topic)}

    def _of_topic(self, topic: str) -> list[Watch]:
        return [watch for watch in self.watches.values() if watch.plan.topic == topic]

    def state(self) -> dict[str, Any]:
        """Return everything a restart needs, except the blobs in force."""
        return {
            "fold": self.fold.snapshot(),
            "layouts": list(self.layouts),
            "gaps": self.gaps,
            "watches": {name: watch.state() for name, watch in self.watches.items()},
            "incidents": None if self.incidents is None else self.incidents.state(),
            "verdicts": self.said.state(),
        }

    @staticmethod
    def needed(tree: dict[str, Any]) -> list[str]:
        """Return the blobs that `restore` will ask for."""
        return [*tree["layouts"], *tree["fold"]["in_force"].values()]

    @staticmethod
    def restore(tree: dict[str, Any], blobs: Blobs) -> Judge:
        """Return the judge that `state` described."""
        judge = Judge()
        judge.fold, judge.gaps = Fold.restore(tree["fold"]), tree.get("gaps", 0)
        judge.said.restore(tree.get("verdicts", {}))
        judge.layouts = {name: Layout.from_dict(blobs(name)) for name in tree["layouts"]}
        in_force = judge.fold.in_force
        if "layout" not in in_force:
            return judge
        layout = judge.layout = judge.layouts[in_force["layout"]]
        judge.reference = blobs(in_force["reference"]) if "reference" in in_force else {}
        judge.incidents = Incidents(layout.plan)
        judge.incidents.restore(tree["incidents"])
        for stream in layout.plan.streams:
            watch = Watch(stream, layout.sections[stream.name], layout.plan)
            watch.set_reference(part_of(judge.reference, stream.name, layout.plan), judge.said.given)
            watch.restore(tree["watches"][stream.name])
            judge.watches[stream.name] = watch
        return judge
