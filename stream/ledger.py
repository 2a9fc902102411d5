"""The ledger: compare and append.

One topic with one partition holds everything the judge may react to, in one order. An entry describes the records
``[from, to)`` of one input partition. It is accepted **iff its ``from`` is the accepted position of that partition, whoever
wrote it**; everything else is dropped and counted. Every reader applies this one rule in ledger order, so zombies, retries,
lost acknowledgements, duplicates and reordered sends need no further code, and accepted entries tile the input.

Fencing by claims or generations was tried twice and stalls for ever (DESIGN.md): silence in the ledger is not loss of
ownership.

Kinds of records and their headers (the bodies are those of `stream.counts`):

* ``open``  topic, partition, inc, to, anchor, end, perhaps why: an input partition starts, or again, because its topic was
  recreated or an operator moved it;
* ``entry`` topic, partition, inc, from, to, layout, anchor, end, frontier: what the offsets [from, to) held;
* ``tick``  n, elapsed, wall, writer, clipped: time has passed (ms);
* ``note``  note, ...: ``adopt`` (what, new, parent); ``start`` (`stream.trouble`); ``judge_gap`` (`Fold.cut`);
  ``verdict`` (`stream.judging.verdicts`): what a person said of an incident.

An ``open`` with a ``why`` is an operator's: it moves the position of a partition that is known, of the same topic (hence the same
anchor). It is an incarnation of its own: an entry on its way from before would bring the frontier of another stretch of the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from stream.trouble import Trouble, announced, dump, load

Key = tuple[str, int]
"""(topic, partition) of an input."""

Frontier = tuple[int | None, int | None]
"""(frontier, candidate) of one stream in one partition, event time in ms. See `stream.reading.frontier`."""

Anchor = tuple[int, int, int]
"""(offset, timestamp, CRC-32 of key and value) of the last record covered, at first of the one before the start: by it a
recreated topic is recognised."""

MAX_TICK_MS = 5_000
HEARTBEAT_MS = 2_000
MAX_ADOPTED = 128


@dataclass(frozen=True, slots=True)
class Position:
    """What the ledger says about one input partition. It never changes: who holds one, holds what was true when read.

    Attributes:
        next: first offset that no accepted entry covers. first: where this incarnation started.
        incarnation: 0, then one more for each time the topic was recreated or an operator moved the position.
        anchor: the last record covered; before the first the record before the start; None when there is none.
        end: end offset that the newest entry saw. history: end offset that the first ``open`` saw; of a partition that an
            operator moved back, the offset up to which it is read again.
        frontier: by stream name.
        heard_ms, moved_ms: ledger time of the newest accepted entry, and of the newest one that covered records.
        stirred: by stream name, the ledger time at which its frontier (or candidate) last changed.
        trouble: what the crash-loop breaker knows; None where nobody announced anything since the last progress.
    """

    next: int
    first: int
    incarnation: int = 0
    anchor: Anchor | None = None
    end: int = 0
    history: int = 0
    frontier: dict[str, Frontier] = field(default_factory=dict)
    heard_ms: int = 0
    moved_ms: int = 0
    stirred: dict[str, int] = field(default_factory=dict)
    trouble: Trouble | None = None

    @property
    def again(self) -> bool:
        """Whether what comes next was counted, or passed over by an operator, before."""
        return self.incarnation > 0 and self.next < self.history

    @property
    def at_end(self) -> bool:
        return self.next >= self.end


class Fold:
    """The fold of a ledger prefix: positions, ticks and what is in force. Pure; equal prefixes give equal folds.

    Attributes:
        offset: ledger offset of the next record to read; earlier ones are skipped, so a tail may be re-read.
        positions: by input partition.
        tick: number of the last accepted tick. time_ms: ledger time, the sum of the ticks' elapsed times.
        wall_ms: wall clock of the last accepted tick; it only measures how old event times are.
        in_force: content address by kind (``layout``, ``reference``). adopted: every layout ever in force (the newest 128).
        dropped: number of records that were not accepted.
        gap_at: ledger offset of the newest ``judge_gap``. lost: retention took records that this fold has not read (`cut`); until
            a ``judge_gap`` says where everybody goes on, it accepts nothing else.
    """

    def __init__(self) -> None:
        self.offset = 0
        self.positions: dict[Key, Position] = {}
        self.tick = 0
        self.time_ms = 0
        self.wall_ms = 0
        self.in_force: dict[str, str] = {}
        self.adopted: list[str] = []
        self.dropped = 0
        self.gap_at = -1
        self.lost = False

    def cut(self, begin: int) -> None:
        """Note that the ledger begins at an offset, which may lie beyond this fold.

        What stood between is not known, and readers that guess might guess differently. So the first who needs to writes a note
        with the newest fold there is, and it becomes everybody's, also of one who has read what is gone. It is a
        compare-and-append as all else: a ``judge_gap`` is accepted iff its writer had read past the newest one. A number of
        gaps instead of an offset was rejected: it may itself be among what is gone. What the lost entries had counted is
        read again.
        """
        if begin > self.offset:
            self.lost, self.offset, self.gap_at = True, begin, max(self.gap_at, begin - 1)

    def apply(self, offset: int, header: dict[str, Any]) -> bool:
        """Fold one ledger record; return whether it is accepted."""
        if offset < self.offset:
            return False
        self.offset = offset + 1
        if self.lost and header.get("note") != "judge_gap":
            return False
        rule = _RULES.get(header["kind"])
        accepted = rule is not None and rule(self, header)
        if not accepted:
            self.dropped += 1
        return accepted

    def _open(self, header: dict[str, Any]) -> bool:
        key = (header["topic"], header["partition"])
        known = self.positions.get(key)
        if header["inc"] != (0 if known is None else known.incarnation + 1):
            return False
        start = header["to"]
        history = header["end"] if known is None else start
        if known is not None and "why" in header:
            history = max(start, known.next, known.history)
        self.positions[key] = Position(
            next=start,
            first=start,
            incarnation=header["inc"],
            anchor=_anchor(header["anchor"]) if known is None or "why" not in header else known.anchor,
            end=header["end"],
            history=history,
            heard_ms=self.time_ms,
            moved_ms=self.time_ms,
        )
        return True

    def _entry(self, header: dict[str, Any]) -> bool:
        key = (header["topic"], header["partition"])
        position = self.positions.get(key)
        if position is None or not self.extends(position, header):
            return False
        frontier: dict[str, Frontier] = {name: (pair[0], pair[1]) for name, pair in header["frontier"].items()}
        moved = {name: self.time_ms for name, pair in frontier.items() if pair != position.frontier.get(name)}
        self.positions[key] = replace(
            position,
            next=header["to"],
            end=header["end"],
            anchor=_anchor(header["anchor"]) or position.anchor,
            frontier=frontier,
            heard_ms=self.time_ms,
            moved_ms=self.time_ms if header["to"] > position.next else position.moved_ms,
            stirred={**position.stirred, **moved},
            trouble=_left(position.trouble, header["to"]) if header["to"] > position.next else position.trouble,
        )
        return True

    def extends(self, position: Position, header: dict[str, Any]) -> bool:
        """Return whether an entry continues a position: the one rule."""
        return (
            header["inc"] == position.incarnation
            and header["from"] == position.next
            and header["to"] >= header["from"]
            and header["layout"] in self.adopted
        )

    def _tick(self, header: dict[str, Any]) -> bool:
        if header["n"] != self.tick + 1:
            return False
        self.tick = header["n"]
        self.time_ms += header["elapsed"]
        self.wall_ms = header["wall"]
        return True

    def _note(self, header: dict[str, Any]) -> bool:
        rule = _NOTES.get(header["note"])
        return rule is None or rule(self, header)

    def _adopt(self, header: dict[str, Any]) -> bool:
        what, new = header["what"], header["new"]
        if self.in_force.get(what) != header["parent"]:
            return False
        self.in_force[what] = new
        if what == "layout":
            self.adopted = [*(name for name in self.adopted if name != new), new][-MAX_ADOPTED:]
        return True

    def _start(self, header: dict[str, Any]) -> bool:
        key = (header["topic"], header["partition"])
        position = self.positions.get(key)
        if position is None or (position.incarnation, position.next) != (header["inc"], header["at"]):
            return False
        trouble = announced(position.trouble, header["at"], header["by"])
        self.positions[key] = replace(position, trouble=trouble)
        return True

    def _gap(self, header: dict[str, Any]) -> bool:
        if header["read"] <= self.gap_at:
            return False
        self.gap_at = self.offset - 1
        if header["fold"] is not None:
            self._take(header["fold"])
            self.lost = False
        return not self.lost

    def snapshot(self) -> dict[str, Any]:
        """Return the fold as plain JSON. Any (offset, snapshot) is valid for ever, whoever wrote it."""
        return {
            "offset": self.offset,
            "tick": self.tick,
            "time_ms": self.time_ms,
            "wall_ms": self.wall_ms,
            "in_force": dict(self.in_force),
            "adopted": list(self.adopted),
            "dropped": self.dropped,
            "gap_at": self.gap_at,
            "positions": [[*key, _dump(position)] for key, position in sorted(self.positions.items())],
        }

    @classmethod
    def restore(cls, tree: dict[str, Any]) -> Self:
        """Return the fold that `snapshot` described."""
        fold = cls()
        fold.offset, fold.gap_at = tree["offset"], tree.get("gap_at", -1)
        fold._take(tree)
        return fold

    def _take(self, tree: dict[str, Any]) -> None:
        self.tick, self.time_ms, self.wall_ms = tree["tick"], tree["time_ms"], tree["wall_ms"]
        self.in_force, self.adopted, self.dropped = dict(tree["in_force"]), list(tree["adopted"]), tree["dropped"]
        self.positions = {(topic, partition): _load(item) for topic, partition, item in tree["positions"]}

    def of_topic(self, topic: str) -> Iterator[tuple[int, Position]]:
        return ((partition, position) for (name, partition), position in self.positions.items() if name == topic)


_RULES = {"open": Fold._open, "entry": Fold._entry, "tick": Fold._tick, "note": Fold._note}
_NOTES = {"adopt": Fold._adopt, "start": Fold._start, "judge_gap": Fold._gap}


def open_header(
    key: Key, incarnation: int, to: int, end: int, anchor: Anchor | None = None, why: str = ""
) -> dict[str, Any]:
    """Return the header of an ``open``.

    Args:
        anchor: the record before ``to``; None when it cannot be read. why: an operator's reason for moving the position.
    """
    return {
        **({"why": why} if why else {}),
        "kind": "open",
        "topic": key[0],
        "partition": key[1],
        "inc": incarnation,
        "to": to,
        "anchor": None if anchor is None else list(anchor),
        "end": end,
    }


def entry_header(
    key: Key,
    incarnation: int,
    covers: tuple[int, int],
    layout: str,
    anchor: Anchor | None,
    end: int,
    frontier: dict[str, Frontier],
) -> dict[str, Any]:
    return {
        "kind": "entry",
        "topic": key[0],
        "partition": key[1],
        "inc": incarnation,
        "from": covers[0],
        "to": covers[1],
        "layout": layout,
        "anchor": None if anchor is None else list(anchor),
        "end": end,
        "frontier": {name: list(pair) for name, pair in frontier.items()},
    }


def tick_header(n: int, elapsed_ms: int, wall_ms: int, writer: str = "", clipped_ms: int = 0) -> dict[str, Any]:
    """Return the header of a tick. Live ticks come from `stream.publishing.Ticker`, which clips; a replay states its length."""
    return {"kind": "tick", "n": n, "elapsed": elapsed_ms, "wall": wall_ms, "writer": writer, "clipped": clipped_ms}


def adopt_header(what: str, new: str, parent: str | None) -> dict[str, Any]:
    return {"kind": "note", "note": "adopt", "what": what, "new": new, "parent": parent}


def gap_header(fold: Fold, since: tuple[int, int], until_ms: int, snapshot: bool) -> dict[str, Any]:
    """Return the header of a ``judge_gap``: what the judge goes on from, and what it has missed.

    Args:
        fold: as far as the ledger is known. snapshot: it is lost, so it shall be everybody's.
        since: (ledger offset, wall clock) up to which the ledger was judged. until_ms: wall clock now.
    """
    return {
        "kind": "note",
        "note": "judge_gap",
        "read": fold.offset,
        "from": since[0],
        "since": since[1],
        "until": until_ms,
        "fold": fold.snapshot() if snapshot else None,
    }


def _left(trouble: Trouble | None, to: int) -> Trouble | None:
    return None if trouble is None else trouble.moved(to)


def _dump(position: Position) -> dict[str, Any]:
    return {
        "next": position.next,
        "first": position.first,
        "inc": position.incarnation,
        "anchor": None if position.anchor is None else list(position.anchor),
        "end": position.end,
        "history": position.history,
        "frontier": {name: list(pair) for name, pair in position.frontier.items()},
        "heard_ms": position.heard_ms,
        "moved_ms": position.moved_ms,
        "stirred": dict(position.stirred),
        "trouble": dump(position.trouble),
    }


def _anchor(item: list[int] | None) -> Anchor | None:
    return None if item is None else (item[0], item[1], item[2])


def _load(tree: dict[str, Any]) -> Position:
    return Position(
        tree["next"],
        tree["first"],
        tree["inc"],
        _anchor(tree["anchor"]),
        tree["end"],
        tree["history"],
        {name: (pair[0], pair[1]) for name, pair in tree["frontier"].items()},
        tree["heard_ms"],
        tree["moved_ms"],
        dict(tree["stirred"]),
        load(tree.get("trouble")),
    )
