"""A modelled Kafka: input partitions that can lose and change their records, and our topics behind a bad network.

Nothing here imitates a broker's code. It allows what a broker and a network allow, so that the protocol's own classes
(`stream.ledger`, `stream.cursor`, `stream.publishing`) meet it in every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stream.ledger import Anchor, Fold, Frontier, Key, adopt_header, gap_header, open_header
from stream.parts import BLOB, join, names, split
from stream.publishing import Message

if TYPE_CHECKING:
    from tests.model.judge import JudgeHost
    from tests.model.tap import Worker
    from tests.model.variants import Protocol

FATES = ("delivered", "acknowledgement lost", "dropped", "doubled", "delayed", "torn")
"""What can become of a send. Only ``delivered`` and ``doubled`` are acknowledged; ``delayed`` may arrive at any later time;
``torn`` delivers the first half of the messages."""

PANE = 8
JUMP = 20


@dataclass(frozen=True, slots=True)
class Record:
    """One input record: a number that no other record has, and its event time."""

    id: int
    time: int


def advance(frontier: Frontier, time: int) -> Frontier:
    """Toy of `stream.reading.frontier`: the largest event time, a jump counting only when the next record confirms it."""
    largest, candidate = frontier
    if largest is None or time <= largest + JUMP:
        return (time if largest is None else max(largest, time), None)
    return (largest, time) if candidate is None else (min(candidate, time), None)


class Input:
    """One input partition. Each *life* is one creation of its topic, with its records and its first retained offset."""

    def __init__(self) -> None:
        self.lives: list[list[Record]] = [[]]
        self.begins = [0]

    @property
    def life(self) -> int:
        return len(self.lives) - 1

    @property
    def records(self) -> list[Record]:
        return self.lives[-1]

    @property
    def begin(self) -> int:
        return self.begins[-1]

    @property
    def end(self) -> int:
        return len(self.records)

    def anchor(self, offset: int) -> Anchor | None:
        if not self.begin <= offset < self.end:
            return None
        record = self.records[offset]
        return (offset, record.time, record.id)


class Log:
    """One of our topics, with one partition. `limbo` holds what the network has delayed."""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.limbo: list[Any] = []

    def send(self, records: Sequence[Any], fate: str = "delivered") -> bool:
        """Send records and return whether they were acknowledged."""
        if fate == "delayed":
            self.limbo += records
        elif fate == "torn":
            self.records += records[: len(records) // 2]
        elif fate != "dropped":
            self.records += records
            if fate == "doubled":
                self.records += records
        return fate in ("delivered", "doubled")

    def arrive(self, index: int) -> None:
        self.records.append(self.limbo.pop(index))


@dataclass
class Truth:
    """The fold of the ledger as it stands, and from which life of its topic each partition's position stems.

    ``before``: the same before each record: the ledger may go back to an earlier fold.
    """

    fold: Fold
    lives: dict[Key, int] = field(default_factory=dict)
    before: list[dict[Key, int]] = field(default_factory=list)


class World:
    """Everything there is. `history` names every step, for whoever reads a counterexample."""

    def __init__(self, protocol: Protocol, earliest: bool) -> None:
        self.protocol = protocol
        self.earliest = earliest
        self.now = 0
        self.inputs: dict[Key, Input] = {("t", 0): Input(), ("t", 1): Input()}
        self.committed: dict[Key, int] = {}
        self.ledger = Log()
        self.topics = {name: Log() for name in ("alerts", "panes", "state")}
        self.workers: list[Worker] = []
        self.hosts: list[JudgeHost] = []
        self.checkpointed = False
        self.history: list[str] = []
        self.crossings: dict[int, int] = {}
        self._truth = Truth(protocol.fold())
        self._ids = 0
        self._names = 0
        self._event_time = 0
        self.ledger_begin = 0
        self.put_blob("L0", 0, "delivered")
        self.ledger.send([(adopt_header("layout", "L0", None), None)])

    def say(self, text: str) -> None:
        self.history.append(text)

    def name(self, prefix: str) -> str:
        self._names += 1
        return f"{prefix}{self._names}"

    def truth(self) -> Truth:
        truth = self._truth
        for offset in range(truth.fold.offset, len(self.ledger.records)):
            header, body = self.ledger.records[offset]
            truth.before.append(dict(truth.lives))
            if not truth.fold.apply(offset, header):
                continue
            if header["kind"] in ("open", "entry"):
                truth.lives[header["topic"], header["partition"]] = body["life"]
            elif header.get("note") == "judge_gap" and header["fold"] is not None:
                truth.lives = dict(truth.before[header["line"]])
        return truth

    def produce(self, key: Key, steps: Sequence[int]) -> None:
        """Append one record per step; event time moves by each step, backwards too."""
        part = self.inputs[key]
        for step in steps:
            self._event_time = max(self._event_time + step, 0)
            self._ids += 1
            part.records.append(Record(self._ids, self._event_time))
        self.say(f"{key}: produced {len(steps)}, end {part.end}")

    def retain(self, key: Key, count: int) -> None:
        """Retention removes the oldest records, never all: what a wholly emptied topic hides is stated in `stream.cursor`.

        For the same reason it spares a partition whose present life nobody has read from yet.
        """
        part, truth = self.inputs[key], self.truth()
        position = truth.fold.positions.get(key)
        if position is None or position.anchor is None or truth.lives[key] != part.life:
            return
        part.begins[-1] = max(part.begin, min(part.begin + count, part.end - 1))
        self.say(f"{key}: retention, begin {part.begin}")

    def recreate(self, key: Key, count: int) -> None:
        """Delete and create the topic, then produce. Not while its position rests on no record (`stream.cursor`)."""
        part = self.inputs[key]
        position = self.truth().fold.positions.get(key)
        if (
            position is not None
            and position.next > 0
            and position.anchor is None
            and part.anchor(position.next - 1) is None
        ):
            return
        part.lives.append([])
        part.begins.append(0)
        self.committed.pop(key, None)
        self.say(f"{key}: topic deleted and created again")
        self.produce(key, [1] * count)

    def reset_offsets(self, key: Key, offset: int) -> None:
        """Somebody resets the group's committed offsets; nothing may depend on them."""
        self.committed[key] = min(offset, self.inputs[key].end)
        self.say(f"{key}: offsets of the group reset to {self.committed[key]}")

    def put_blob(self, name: str, offset: int, fate: str) -> bool:
        """Put a layout while the ledger stands at an offset; return whether that was acknowledged."""
        parts = split(self.protocol.blob_key(name, offset), name.encode())
        return self.topics["state"].send(
            [Message(offset, "state", k.encode(), part) for k, part in parts.items()], fate
        )

    def has_blob(self, name: str) -> bool:
        view = self.state()
        return any(join(put, view) is not None for put in names(f"{BLOB}{name}/", view))

    def retain_ledger(self) -> None:
        """Retention removes what is old of the ledger. It takes 7 days: nobody at work is behind, and nothing is under way.

        A worker that has put a layout and stands still before its note bounds it: the one assumption of `stream.parts`.
        """
        puts = [worker.put[1] for worker in self.workers if worker.put is not None]
        self.ledger_begin = max(self.ledger_begin, min([len(self.ledger.records), *puts]))
        self.say(f"retention, the ledger begins at {self.ledger_begin}")

    def cut_ledger(self, keep: int) -> None:
        """Retention removes the ledger but for its newest records, whatever is stored; nothing is under way any more.

        Whoever has not read that far ends, or stands between putting a layout and its note (the assumption of `stream.parts`);
        so do the hosts of the judge.
        """
        for log in (self.ledger, *self.topics.values()):
            log.limbo.clear()
        begin = self.ledger_begin = max(self.ledger_begin, len(self.ledger.records) - keep)
        self.workers = [worker for worker in self.workers if worker.may_live_on(begin)]
        self.hosts = []
        self.say(f"retention takes the ledger below {begin}; {len(self.workers)} workers live on")

    def move(self, key: Key, offset: int, fate: str) -> None:
        """An operator moves a position, of a topic that has not been recreated behind the monitor's back."""
        part, truth = self.inputs[key], self.truth()
        position = truth.fold.positions.get(key)
        if position is None or truth.lives[key] != part.life:
            return
        to = min(max(offset, part.begin), part.end)
        header = open_header(key, position.incarnation + 1, to, part.end, why="because")
        self.ledger.send([(header, {"life": part.life})], fate)
        self.say(f"{key}: an operator moves it from {position.next} to {to}: {fate}")

    def gap(self, fold: Fold, line: int, judged: int, snapshot: bool) -> tuple[dict[str, Any], None]:
        """Return a ``judge_gap``. ``line``: up to which ledger offset its fold was made, for who checks what it leads to."""
        return (gap_header(fold, (judged, 0), self.now, snapshot) | {"line": line}, None)

    def wait(self, elapsed: int) -> None:
        self.now += elapsed
        self.say(f"{elapsed} ms pass")

    def state(self) -> dict[str, bytes]:
        """The compacted view of the topic ``state``."""
        view: dict[str, bytes] = {}
        message: Message
        for message in self.topics["state"].records:
            if message.value is None:
                view.pop(message.key.decode(), None)
            else:
                view[message.key.decode()] = message.value
        return view
