"""A toy judge and its host: panes are added up and closed by the watermark, each pane and some ticks alert."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from stream.ledger import Fold
from stream.publishing import Message, Send, latest_checkpoint, latest_positions
from tests.model.tap import STREAM
from tests.model.world import PANE, World

BEAT_MS = 1_000
MAX_LAYOUTS = 2


class ToyJudge:
    """Pure fold of the ledger, as `stream.judge` is one."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self.panes: dict[int, int] = {}
        self.watermark = 0
        self.layouts: list[str] = []

    def apply(self, offset: int, header: dict[str, Any], body: Any) -> list[Message]:
        before = self.fold.time_ms
        if not self.fold.apply(offset, header):
            return []
        messages: list[Message] = []
        if header["kind"] == "tick" and before // BEAT_MS != self.fold.time_ms // BEAT_MS:
            beat = self.fold.time_ms // BEAT_MS
            messages.append(_message(offset, "alerts", f"beat/{beat}", f"{self.fold.time_ms} ms"))
        if header["kind"] == "note":
            self.layouts = [*(name for name in self.layouts if name != header["new"]), header["new"]][-MAX_LAYOUTS:]
        if header["kind"] == "entry":
            for pane, count in body["panes"].items():
                self.panes[pane] = self.panes.get(pane, 0) + count
            messages += self._close(offset)
        return messages

    def _close(self, offset: int) -> list[Message]:
        frontiers = [position.frontier.get(STREAM, (None, None))[0] for position in self.fold.positions.values()]
        self.watermark = max(self.watermark, min((item for item in frontiers if item is not None), default=0))
        messages = []
        for pane in sorted(pane for pane in self.panes if (pane + 1) * PANE <= self.watermark):
            count = self.panes.pop(pane)
            messages.append(_message(offset, "panes", f"pane/{pane}/{offset}", str(count)))
            messages.append(_message(offset, "alerts", f"alert/{pane}/{offset}", f"{count} records"))
        return messages

    def state(self) -> bytes:
        return json.dumps([self.fold.snapshot(), sorted(self.panes.items()), self.watermark, self.layouts]).encode()

    @staticmethod
    def restore(data: bytes, fold: type[Fold]) -> ToyJudge:
        snapshot, panes, watermark, layouts = json.loads(data)
        judge = ToyJudge(fold.restore(snapshot))
        judge.panes, judge.watermark, judge.layouts = dict(panes), watermark, layouts
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
        view, fold = world.state(), world.protocol.fold
        checkpoint, positions = latest_checkpoint(view), latest_positions(view)
        assert checkpoint is not None or not world.checkpointed, "no complete checkpoint is left"
        self.tail = fold.restore(positions.fold) if positions else fold()
        self.ticker = world.protocol.ticker(self.name, self.tail, self.monotonic)
        self.read_tail()
        assert checkpoint is not None or world.ledger_begin == 0, "the ledger does not reach back"
        self.judge = ToyJudge.restore(checkpoint.data, fold) if checkpoint else ToyJudge(fold())
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
            if self.tail.apply(offset, header) and header["kind"] == "tick":
                self.ticker.read(header, self.monotonic)

    def make_tick(self) -> None:
        self.tick = self.ticker.write(self.monotonic, self.world.now)
        self.say(f"makes tick {self.tick['n']} of {self.tick['elapsed']} ms")

    def send_tick(self, fate: str) -> None:
        assert self.tick is not None
        self.world.ledger.send([(self.tick, None)], fate)
        self.say(f"sends tick {self.tick['n']} of {self.tick['elapsed']} ms: {fate}")
        self.tick = None

    def fold(self, count: int) -> None:
        """Fold some ledger records and begin to publish what they caused."""
        messages: list[Message] = []
        first = self.judge.fold.offset
        for offset in range(first, min(first + count, len(self.world.ledger.records))):
            header, body = self.world.ledger.records[offset]
            messages += self.judge.apply(offset, header, body)
            if header["kind"] == "note" and self.judge.layouts[-1] == header["new"]:
                assert self.world.has_blob(header["new"]), f"{header['new']} came into force and is not stored"
        upto = self.judge.fold.offset
        self.say(f"folds [{first}, {upto})")
        self.lanes["publish"].run(self.host.publish(upto, messages))

    @property
    def may_checkpoint(self) -> bool:
        return self.lanes["store"].step is None and self.judge.fold.offset <= self.host.published

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
        step = self.host.positions(self.tail)
        self.say(f"stores positions at {self.tail.offset}, published {self.host.published}: {fate}")
        self.world.topics["state"].send(step.messages, fate)
