"""The ledger's one rule, written here a third time, and the sums over what it accepts.

Only the decoding of a frame is the product's (`stream.codec`): a copy of it would be a copy. Which record counts, and what
the counted ones add up to, is decided here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from stream.codec import read_header, unpack

Key = tuple[str, int]
"""(topic, partition)."""

CLASSES = ("applied", "late", "tombstones", "filtered", "gaps", "lost")


@dataclass
class Accepted:
    """A ledger folded so far.

    Attributes:
        next, inc, first: by partition; first: where each incarnation started, by (key, inc).
        dropped: records that the rule refused, by kind. entries: accepted ones. ticks: accepted ones.
        classes: records by class (rejected ones by reason), by (stream, key, inc).
        wrong: sentences about entries whose classes do not add up to the offsets they cover.
        lost: (key, inc, from, to) of what retention took: it lies where its entry begins.
        walls: (wall clock of a tick, broker's time stamp), ms.
    """

    next: dict[Key, int] = field(default_factory=dict)
    inc: dict[Key, int] = field(default_factory=dict)
    first: dict[tuple[Key, int], int] = field(default_factory=dict)
    ends: dict[tuple[Key, int], int] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    ticks: int = 0
    classes: dict[tuple[str, Key, int], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    wrong: list[str] = field(default_factory=list)
    lost: list[tuple[Key, int, int, int]] = field(default_factory=list)
    walls: list[tuple[int, int]] = field(default_factory=list)
    _force: dict[str, str] = field(default_factory=dict)
    _adopted: set[str] = field(default_factory=set)

    def apply(self, frame: bytes, stamp: int, counts: bool = True) -> tuple[Key, int, int] | None:
        """Fold one record; return (key, incarnation, next) when a position moved.

        Args:
            frame: the record's value. stamp: the broker's time stamp. counts: add up the bodies, too.
        """
        header = read_header(frame)
        kind = header["kind"]
        accepted = self._accepts(kind, header)
        if not accepted:
            self.dropped[kind] += 1
            return None
        if kind == "tick":
            self.ticks += 1
            self.walls.append((header["wall"], stamp))
        elif kind == "note" and header["note"] == "adopt":
            self._force[header["what"]] = header["new"]
            self._adopted.add(header["new"])
        elif kind in ("open", "entry"):
            return self._moved(kind, header, unpack(frame)[1] if counts and kind == "entry" else None)
        return None

    def _accepts(self, kind: str, header: dict[str, Any]) -> bool:
        if kind == "tick":
            return bool(header["n"] == self.ticks + 1)
        if kind == "note":
            return bool(header["note"] != "adopt" or self._force.get(header["what"]) == header["parent"])
        key = (header["topic"], header["partition"])
        if kind == "open":
            return bool(header["inc"] == self.inc.get(key, -1) + 1)
        current = (header["inc"], header["from"]) == (self.inc.get(key), self.next.get(key))
        return current and header["to"] >= header["from"] and header["layout"] in self._adopted

    def _moved(self, kind: str, header: dict[str, Any], body: dict[str, Any] | None) -> tuple[Key, int, int]:
        key, inc = (header["topic"], header["partition"]), header["inc"]
        if kind == "open":
            self.inc[key] = inc
            self.first[key, inc] = header["to"]
        self.next[key] = self.ends[key, inc] = header["to"]
        if kind == "entry":
            self.entries += 1
        covers = 0 if kind == "open" else header["to"] - header["from"]
        for stream, counts in (body or {}).items():
            found = {name: counts[name] for name in CLASSES} | counts["rejected"]
            if sum(found.values()) != covers:
                self.wrong.append(f"{stream} {key} [{header['from']}, {header['to']}) accounts for {found}")
            self.classes[stream, key, inc].update(found)
        lost = max((counts["lost"] for counts in (body or {}).values()), default=0)
        if lost:
            self.lost.append((key, inc, header["from"], header["from"] + lost))
        return key, inc, header["to"]

    def difference(self) -> int:
        """Return the sum over streams and partitions of |next - first - accounted|: P1 says 0."""
        return sum(
            abs(self.ends[key, inc] - self.first[key, inc] - sum(found.values()))
            for (_, key, inc), found in self.classes.items()
        )
