"""Workers and their taps. Each method is one step; a process may be stopped for any time, or for ever, between two."""

from __future__ import annotations

from collections import Counter
from typing import Any

from stream.cursor import Start, start
from stream.ledger import Anchor, Frontier, Key, Position, adopt_header, entry_header, open_header
from stream.publishing import newest_fold
from tests.model.world import PANE, Record, World, advance

STREAM = "s"


class Tap:
    """One input partition as one worker sees it.

    Attributes:
        state: ``assigned`` -> (ledger read) ``folded`` -> (offsets asked) ``reading`` -> (cut) ``unsent`` -> (sent) ``answered``
            -> (ledger read) ``reading``. An ``open`` or a ``lost`` entry goes from ``folded`` to ``unsent``.
        at: fetch position of the consumer. life: of the topic that it reads.
    """

    def __init__(self, worker: Worker, key: Key) -> None:
        self.worker, self.world, self.key = worker, worker.world, key
        self.state = "assigned"
        self.seen: Position | None = None
        self.suspect: Start | None = None
        self.outbox: tuple[dict[str, Any], dict[str, Any]] | None = None
        self.acked = False
        self.reading = False
        self.life = 0
        self.at = 0

    def say(self, text: str) -> None:
        self.world.say(f"{self.worker.name} {self.key}: {text}")

    def ledger_read(self) -> None:
        """The worker's tail stands at the ledger's end."""
        position = self.worker.fold.positions.get(self.key)
        if self.state in ("unsent", "folded"):
            return
        if self.reading and position is not None and self.settled(position):
            self.state = "reading"
            self.to_commit = position.next
            return
        if self.reading:
            self.say("the ledger went another way")
        self.reading = False
        self.seen = position
        self.state = "folded"

    def settled(self, position: Position) -> bool:
        return self.cursor.settle(position)

    def look(self, spurious: bool = False) -> None:
        """Ask the offsets and decide. ``spurious``: the broker answers 0 for once, as Jepsen saw it."""
        part, seen = self.world.inputs[self.key], self.seen
        begin, end = part.begin, 0 if spurious else part.end
        found = None if seen is None or seen.anchor is None else part.anchor(seen.anchor[0])
        decision = start(seen, begin, end, begin if self.world.earliest else end, found)
        self.life = part.life
        self.say(f"offsets [{begin}, {end}), {decision.action} {decision.offset}")
        if decision.action == "reopen" and decision != self.suspect:
            self.suspect, self.state = decision, "assigned"
            return
        self.suspect = None
        if decision.action == "seek":
            assert seen is not None
            self.take(seen)
            return
        body: dict[str, Any] = {"life": self.life, "ids": [], "panes": {}, "lost": 0}
        if decision.action == "lost":
            assert seen is not None
            covers = (seen.next, begin)
            body["lost"] = begin - seen.next
            layout = self.worker.layout
            header = entry_header(self.key, seen.incarnation, covers, layout, None, end, seen.frontier)
        else:
            anchor = part.anchor(decision.offset - 1)
            header = open_header(self.key, decision.incarnation, decision.offset, end, anchor)
        self.outbox, self.state = (header, body), "unsent"

    def take(self, position: Position) -> None:
        """Start reading at a position of the ledger."""
        self.cursor = self.world.protocol.cursor(position)
        self.frontier: dict[str, Frontier] = dict(position.frontier)
        self.held: list[Record] = []
        self.last: Anchor | None = None
        self.at = self.to_commit = position.next
        self.reading, self.acked, self.state = True, False, "reading"

    def fetch(self, count: int, shift: int = 0) -> None:
        """Take a chunk from the consumer. ``shift``: it was fetched from another position, before a seek.

        A consumer notices that its topic is gone, whatever offsets the new one has: it must then go through `start`.
        """
        part = self.world.inputs[self.key]
        if part.life != self.life or not part.begin <= self.at <= part.end:
            self.say("the broker refuses to read here")
            self.reading, self.outbox, self.state = False, None, "assigned"
            return
        first = min(max(self.at + shift, part.begin), part.end)
        stop = min(first + count, part.end)
        if not self.cursor.continues(first, stop):
            self.at = self.cursor.next
            return
        self.say(f"reads [{first}, {stop})")
        for offset in range(max(first, self.cursor.next), stop):
            record = part.records[offset]
            self.held.append(record)
            self.frontier[STREAM] = advance(self.frontier.get(STREAM, (None, None)), record.time)
            self.last = part.anchor(offset)
        self.cursor.counted(stop)
        self.at = stop

    def cut(self) -> None:
        """Make an entry of what is held; a heartbeat when nothing is."""
        covers = self.cursor.sent(dict(self.frontier), self.last)
        layout = self.worker.layout
        end = self.world.inputs[self.key].end
        header = entry_header(self.key, self.cursor.incarnation, covers, layout, self.last, end, self.frontier)
        panes = Counter(record.time // PANE for record in self.held)
        body = {"life": self.life, "ids": [record.id for record in self.held], "panes": dict(panes), "lost": 0}
        self.outbox, self.state, self.held, self.last = (header, body), "unsent", [], None
        self.say(f"cuts [{covers[0]}, {covers[1]})")

    def send(self, fate: str) -> None:
        assert self.outbox is not None
        header = self.outbox[0]
        self.acked = self.world.ledger.send([self.outbox], fate)
        covers = f"[{header['from']}, {header['to']})" if header["kind"] == "entry" else f"at {header['to']}"
        self.say(f"sends {header['kind']} {covers} of incarnation {header['inc']}: {fate}")
        self.outbox, self.state = None, "answered"

    def step(self, count: int, fate: str) -> None:
        """Do what comes next."""
        part = self.world.inputs[self.key]
        if self.worker.fold.lost:
            self.worker.go_on(fate)
            self.worker.read_ledger()
        elif self.state in ("assigned", "answered"):
            self.worker.read_ledger()
        elif self.state == "folded":
            self.look()
        elif self.state == "unsent":
            self.send(fate)
        elif not self.held and (self.at != part.end or self.life != part.life):
            self.fetch(count)
        else:
            self.cut()


class Worker:
    """A process with a ledger tail and any number of taps."""

    def __init__(self, world: World) -> None:
        self.world, self.name = world, world.name("worker")
        stored = newest_fold(world.state())
        self.fold = world.protocol.fold.restore(stored) if stored else world.protocol.fold()
        self.line = self.fold.offset
        self.fold.cut(world.ledger_begin)
        self.taps: dict[Key, Tap] = {}
        self.put: tuple[str, int, str] | None = None
        self.note: dict[str, Any] | None = None
        self.frozen = False
        self.read_ledger()

    @property
    def layout(self) -> str:
        assert "layout" in self.fold.in_force, f"{self.name} counts under no layout"
        return self.fold.in_force["layout"]

    def read_ledger(self) -> None:
        for offset in range(self.fold.offset, len(self.world.ledger.records)):
            self.fold.apply(offset, self.world.ledger.records[offset][0])
        if not self.fold.lost:
            for tap in self.taps.values():
                tap.ledger_read()

    def go_on(self, fate: str) -> None:
        """The ledger behind what was stored is gone: propose the newest fold to everybody."""
        self.world.say(f"{self.name} goes on from an earlier fold: {fate}")
        self.world.ledger.send([self.world.gap(self.fold, self.line, 0, True)], fate)

    def may_live_on(self, begin: int) -> bool:
        """Whether it goes on when the ledger is cut: it has read that far and is not in the middle of something."""
        return self.fold.offset >= begin and not self.frozen and self.put is None

    def commit(self) -> None:
        """Rule 5: what the fold accepted, for lag tools only."""
        for tap in self.taps.values():
            if tap.reading:
                self.world.committed[tap.key] = tap.to_commit

    def assign(self, key: Key) -> None:
        self.taps.setdefault(key, self.world.protocol.tap(self, key))
        self.world.say(f"{self.name} {key}: assigned")

    def propose(self, pick: int, fate: str) -> None:
        """Put a layout, one of few, so that the same content comes back; once that is acknowledged the note is ready."""
        if self.fold.lost:
            return
        if self.put is None:
            parent = self.fold.in_force["layout"]
            self.put = (sorted({"L0", "L1", "L2"} - {parent})[pick % 2], self.fold.offset, parent)
        name, offset, parent = self.put
        self.world.say(f"{self.name} puts {name} at {offset}: {fate}")
        if self.world.put_blob(name, offset, fate):
            self.note = adopt_header("layout", name, parent)

    def send_note(self, fate: str) -> None:
        assert self.note is not None
        self.world.say(f"{self.name} adopts {self.note['new']} after {self.note['parent']}: {fate}")
        self.world.ledger.send([(self.note, None)], fate)
        self.note = self.put = None
