"""A toy judge and its host: panes are added up and closed by the watermark, each pane and some ticks alert."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from stream.codec import pack, unpack
from stream.ledger import Fold
from stream.publishing import Message, Send, latest_checkpoint, latest_positions, newest_fold
from tests.model.tap import STREAM
from tests.model.world import PANE, World

BEAT_MS = 1_000
MAX_LAYOUTS = 2


class ToyJudge:
    """Pure fold of the ledger, as `stream.judge` is one. All it says tells where it crossed the newest gap (``crossed``)."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.panes: dict[int, int] = {}
        self.watermark = 0
        self.layouts: list[str] = []
        self.judged: int | None = None
        self.crossed = -1

    def lose(self, fold: Fold) -> None:
        """The ledger between this state and a fold is gone (`stream.judge.Judge.lose`)."""
        self.judged, self.fold = self.fold.offset, fold

    def apply(self, offset: int, header: dict[str, Any], body: Any) -> list[Message]:
        before = self.fold.time_ms
        if not self.fold.apply(offset, header):
            return []
        messages: list[Message] = []
        note = header.get("note")
        if note == "judge_gap" and (self.judged is not None or header["fold"] is not None):
            messages.append(_message(offset, "alerts", f"blind/{offset}", f"since {self.judged}"))
            self.panes, self.judged, self.crossed = {}, None, offset
            self._adopt(self.fold.in_force["layout"])
        if self.judged is not None:
            return []
        if header["kind"] == "tick" and before // BEAT_MS != self.fold.time_ms // BEAT_MS:
            beat = self.fold.time_ms // BEAT_MS
            messages.append(
                _message(offset, "alerts", f"beat/{beat}/{offset}", f"{self.fold.time_ms} ms, {self.crossed}")
            )
        if note == "adopt":
            self._adopt(header["new"])
        if header["kind"] == "entry":
            for pane, count in body["panes"].items():
                self.panes[pane] = self.panes.get(pane, 0) + count
            messages += self._close(offset)
        return messages

    def _adopt(self, name: str) -> None:
        self.layouts = [*(known for known in self.layouts if known != name), name][-MAX_LAYOUTS:]

    def _close(self, offset: int) -> list[Message]:
        frontiers = [position.frontier.get(STREAM, (None, None))[0] for position in self.fold.positions.values()]
        self.watermark = max(self.watermark, min((item for item in frontiers if item is not None), default=0))
        messages = []
        for pane in sorted(pane for pane in self.panes if (pane + 1) * PANE <= self.watermark):
            count = self.panes.pop(pane)
            messages.append(_message(offset, "panes", f"pane/{pane}/{offset}", str(count)))
            messages.append(_message(offset, "alerts", f"alert/{pane}/{offset}", f"{count} records, {self.crossed}"))
        return messages

    def state(self) -> bytes:
        panes = sorted(self.panes.items())
        tree = {"fold": self.fold.snapshot(), "panes": panes, "watermark": self.watermark, "layouts": self.layouts}
        tree["crossed"] = self.crossed
        return pack({"kind": "judge"}, tree)

    @staticmethod
    def restore(data: bytes, fold: type[Fold]) -> ToyJudge:
        tree = unpack(data)[1]
        judge = ToyJudge(fold.restore(tree["fold"]))
        judge.panes, judge.watermark, judge.layouts = dict(tree["panes"]), tree["watermark"], tree["layouts"]
        judge.crossed = tree["crossed"]
        return judge


def _message(offset: int, topic: str, key: str, value: str) -> Message:
    return Message(offset, topic, key.encode(), value.encode())


class Lane:
    """One generator of `stream.publishing.Host` on its way: the present step is repeated until it is acknowledged."""

    def __init__(self) -> None:
        self._steps: Iterator[Send] = iter(())
        self.step: Send | None = None

    def run(self, steps: Iterator[Send]) -> None:
        self._steps = steps
        self.step = next(steps, None)

    def acknowledged(self) -> None:
        self.step = next(self._steps, None)


class JudgeHost:
    """A process that took over as the judge. It writes ticks, folds, publishes and stores; the steps of two lanes mix."""

    def __init__(self, world: World, clock: int) -> None:
        self.world, self.name = world, world.name("host")
        self.clock = clock
        self.frozen = False
        self.stored_at: int | None = None
        view, fold = world.state(), world.protocol.fold
        checkpoint, positions = latest_checkpoint(view), latest_positions(view)
        assert checkpoint is not None or not world.checkpointed, "no complete checkpoint is left"
        stored = newest_fold(view)
        self.tail = fold.restore(stored) if stored else fold()
        line = self.tail.offset
        self.tail.cut(world.ledger_begin)
        self.ticker = world.protocol.ticker(self.name, self.tail, self.monotonic)
        self.read_tail()
        if self.tail.lost:
            world.ledger.send([world.gap(self.tail, line, 0, True)])
            self.read_tail()
        self.judge = ToyJudge.restore(checkpoint.data, fold) if checkpoint else ToyJudge(fold())
        self.crossing = world.ledger_begin > self.judge.fold.offset
        if self.crossing:
            known = fold.restore(stored or self.tail.snapshot())
            known.cut(world.ledger_begin)
            self.judge.lose(known)
        for name in self.judge.layouts:
            assert world.has_blob(name), f"{name} is in a checkpoint and not stored"
        self.host = world.protocol.host(checkpoint, positions)
        self.lanes = {"publish": Lane(), "store": Lane()}
        self.tick: dict[str, Any] | None = None
        self.say(f"takes over: folds from {self.judge.fold.offset}, published {self.host.published}")

    def say(self, text: str) -> None:
        self.world.say(f"{self.name}: {text}")

    @property
    def monotonic(self) -> int:
        """This machine's monotonic clock in ms; it says nothing about any other machine's."""
        return self.world.now + self.clock

    def read_tail(self) -> None:
        for offset in range(self.tail.offset, len(self.world.ledger.records)):
            header = self.world.ledger.records[offset][0]
            if not self.tail.apply(offset, header):
                continue
            if header["kind"] == "tick":
                self.ticker.read(header, self.monotonic)
            elif header.get("note") == "judge_gap":
                self.ticker.moved(self.tail.tick, self.monotonic)

    def make_tick(self) -> None:
        self.tick = self.ticker.write(self.monotonic, self.world.now)
        self.say(f"makes tick {self.tick['n']} of {self.tick['elapsed']} ms")

    def send_tick(self, fate: str) -> None:
        assert self.tick is not None
        self.world.ledger.send([(self.tick, None)], fate)
        self.say(f"sends tick {self.tick['n']} of {self.tick['elapsed']} ms: {fate}")
        self.tick = None

    def fold(self, count: int, fate: str = "delivered") -> None:
        """Fold some ledger records and begin to publish what they caused; a gap is crossed first, in several steps."""
        if self.crossing and self.judge.judged is None:
            self._store_crossing()
            return
        messages: list[Message] = []
        first = self.judge.fold.offset
        for offset in range(first, min(first + count, len(self.world.ledger.records))):
            header, body = self.world.ledger.records[offset]
            judged = self.judge.judged
            messages += self.judge.apply(offset, header, body)
            if header.get("note") == "adopt" and self.judge.layouts and self.judge.layouts[-1] == header["new"]:
                assert self.world.has_blob(header["new"]), f"{header['new']} came into force and is not stored"
            if judged is not None and self.judge.judged is None:
                known = self.world.crossings.setdefault(offset, judged)
                assert known == judged, f"two hosts cross the gap at {offset}, from {known} and from {judged}"
                break
        upto = self.judge.fold.offset
        self.say(f"folds [{first}, {upto})")
        self.lanes["publish"].run(self.host.publish(upto, messages))
        if self.judge.judged is not None and upto == len(self.world.ledger.records):
            note = self.world.gap(self.tail, self.tail.offset, self.judge.judged, self.judge.fold.lost)
            self.say(f"says where judging goes on: {fate}")
            self.world.ledger.send([note], fate)

    def _store_crossing(self) -> None:
        """Nothing follows from a crossed gap before it is in a checkpoint."""
        if self.stored_at is not None and self.lanes["store"].step is None:
            self.crossing = False
        elif self.stored_at is None and self.may_checkpoint:
            self.stored_at = self.judge.fold.offset
            self.checkpoint()

    @property
    def may_checkpoint(self) -> bool:
        idle = self.lanes["store"].step is None and self.judge.judged is None
        return idle and self.judge.fold.offset <= self.host.published

    def checkpoint(self) -> None:
        """Begin a checkpoint. They are minutes apart: what the network held back of an earlier one has arrived."""
        log = self.world.topics["state"]
        while log.limbo:
            log.arrive(0)
        offset = self.judge.fold.offset
        self.say(f"begins a checkpoint at {offset}")
        stored, begin = list(self.world.state()), self.world.ledger_begin
        needed = {*self.judge.layouts, *self.tail.in_force.values()}
        steps = self.host.checkpoint(offset, self.judge.state(), self.world.name("c"), stored, needed, begin)
        self.lanes["store"].run(steps)

    def step(self, lane: str, fate: str) -> None:
        """Send the present step of a lane."""
        step = self.lanes[lane].step
        assert step is not None
        keys = ", ".join(message.key.decode() for message in step.messages)
        self.say(f"sends {keys} to {step.topic}: {fate}")
        if self.world.topics[step.topic].send(step.messages, fate):
            self.world.checkpointed |= lane == "store" and step.messages[0].value is not None
            self.lanes[lane].acknowledged()

    def store_positions(self, fate: str) -> None:
        """Store how far the tail and the publication have come; not while a gap is being crossed."""
        if self.crossing and self.world.protocol.patient:
            return
        step = self.host.positions(self.tail)
        self.say(f"stores positions at {self.tail.offset}, published {self.host.published}: {fate}")
        self.world.topics["state"].send(step.messages, fate)
