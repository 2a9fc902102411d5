"""The crash-loop breaker: which record ends every worker that reads it. Pure; part of the ledger's fold, so every worker knows.

A worker that dies over a record (out of memory, a bug in a decoder) is started again and dies again: one record would stop its
partition for ever. So a tap *announces* in the ledger from which offset it is about to read, before it decodes anything. When
another life announces the same offset, the one before it died there.

1. After `DEATHS` deaths at one offset the partition is read *carefully*: at most `CHUNK` offsets at a time, one partition of a
   worker after the other, each announced before and read back after. So every further death has one range to blame.
2. The range that killed is halved with each further death, until it is one offset.
3. `DEATHS` deaths over that one offset alone make it *poison*: it is rejected by that name without being decoded, and the tap
   goes on.

That takes at most 1 + 2 * `DEATHS` + log2(`CHUNK`) deaths, 17: the first may come after some seconds of reading. A kill from
outside is taken for a death over the records in hand only if it falls between an announcement and its entry (a second, some 50 ms
when read carefully), and only `DEATHS` of them at one offset that is read alone would reject a record that is innocent.

Rejected: blaming whatever lies at the position at every start. Workers are started again for a hundred reasons, above all when
there is nothing to read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

DEATHS = 3
CHUNK = 1024
SPAN = 1 << 20
"""Offsets that are read carefully: more than a worker reads between two entries, so the record that kills is among them."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the announcements of one partition say.

    Attributes:
        at: offset of the newest announcement. by: the process that made it.
        lives: how many processes announced it since the range was last halved; 0 after progress, until somebody announces the
            new offset.
        until: read carefully up to here; 0: not at all. bad: some offset in [at, bad) kills; 0: nothing is known.
        poison: the offset ``at`` alone has killed.
    """

    at: int
    by: str
    lives: int = 1
    until: int = 0
    bad: int = 0
    poison: bool = False

    @property
    def reach(self) -> int:
        """How many offsets may be read before the ledger is read back; 0: any number."""
        if self.at >= self.until:
            return 0
        return max((self.bad - self.at) // 2, 1) if self.bad > self.at else CHUNK

    def moved(self, to: int) -> Trouble | None:
        """Return what is left of it once everything below ``to`` is counted."""
        return None if to >= self.until else replace(self, at=to, by="", lives=0, poison=False)


def announced(before: Trouble | None, at: int, by: str) -> Trouble:
    """Return what an announcement makes of the ones before.

    Args:
        at: the accepted position. by: text that no other process has.

    >>> trouble = None
    >>> for life in "abcd":
    ...     trouble = announced(trouble, 70, life)
    >>> trouble.lives, trouble.reach
    (4, 1024)
    >>> announced(trouble, 70, "e").reach
    512
    """
    if before is None or before.at != at:
        return Trouble(at, by)
    if before.by == by:
        return before
    again = replace(before, by=by, lives=before.lives + 1)
    if not before.reach:
        return replace(again, until=at + SPAN) if again.lives > DEATHS else again
    if before.lives == 0:  # nobody has read from here yet: not a death
        return again
    if before.reach == 1:  # one more may be a kill from outside, or an owner that was frozen and lives
        return replace(again, poison=again.lives > DEATHS)
    return replace(again, lives=1, bad=at + before.reach)


def start_header(key: tuple[str, int], incarnation: int, at: int, by: str) -> dict[str, Any]:
    """Return the header of an announcement: the note ``start``."""
    topic, partition = key
    return {
        "kind": "note",
        "note": "start",
        "topic": topic,
        "partition": partition,
        "inc": incarnation,
        "at": at,
        "by": by,
    }


def dump(trouble: Trouble | None) -> list[Any] | None:
    """Return it as plain JSON."""
    if trouble is None:
        return None
    return [trouble.at, trouble.by, trouble.lives, trouble.until, trouble.bad, trouble.poison]


def load(tree: list[Any] | None) -> Trouble | None:
    return None if tree is None else Trouble(*tree)
