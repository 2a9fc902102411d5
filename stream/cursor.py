"""The position of one tap: where it reads, what it has sent, and what the ledger made of it. Pure; the tap's protocol.

A tap writes from its own position and has at most one entry in flight. It learns what became of it only by reading the
ledger back: an acknowledgement proves nothing (another writer may have been first), a missing one neither (it may have
been lost on the way back).

    open   -> nobody has read this partition: say where reading starts
    seek   -> go where the ledger says
    lost   -> retention took records before we read them: account for them, then go on
    reopen -> the topic was recreated
"""

from __future__ import annotations

from dataclasses import dataclass

from stream.ledger import Anchor, Frontier, Position


@dataclass(frozen=True, slots=True)
class Start:
    """What to do on assignment. ``action`` is ``open``, ``seek``, ``lost`` or ``reopen``; reading starts at ``offset``."""

    action: str
    offset: int
    incarnation: int = 0


def start(position: Position | None, begin: int, end: int, first: int, found: Anchor | None) -> Start:
    """Decide where a tap starts.

    Args:
        position: what the ledger, read to its end, says; None when the partition is unknown. Read it before the offsets:
            a newer position against older offsets looks like a recreated topic.
        begin, end: first retained offset and end offset of the input partition.
        first: where an unknown partition starts (its ``end``, or ``begin`` with ``start: earliest``).
        found: the record that now stands at the position's anchor offset; None when it cannot be read.

    A partition that is recreated while every record up to the anchor has been removed by retention, or before anything was
    ever read from it, cannot be recognised here.

    >>> start(None, 0, 10, 10, None)
    Start(action='open', offset=10, incarnation=0)
    """
    if position is None:
        return Start("open", first)
    anchor = position.anchor
    recreated = end < position.next or (anchor is not None and (anchor[0] >= end or found not in (None, anchor)))
    if recreated:
        return Start("reopen", begin, position.incarnation + 1)
    if begin > position.next:
        return Start("lost", begin, position.incarnation)
    return Start("seek", position.next, position.incarnation)


class Cursor:
    """The position of one tap over its life.

    Attributes:
        next: offset of the next record to count. base: ``from`` of what is being counted.
        flight: (to, frontier, anchor) of the entry sent and not yet settled.
    """

    def __init__(self, position: Position) -> None:
        self.incarnation = position.incarnation
        self.base = self.next = position.next
        self.flight: tuple[int, dict[str, Frontier], Anchor | None] | None = None

    def continues(self, start: int, end: int) -> bool:
        """Return whether a chunk that holds every record of ``[start, end)`` continues what was counted (rule 7).

        Records below `next` are already counted and must be dropped by the caller. A chunk that starts beyond `next` stems
        from a fetch before a seek: counting it would lose what lies between. Offsets without a record (control records,
        compaction) lie inside a chunk, because its start is the fetch position and not its first record.
        """
        return start <= self.next <= end

    def counted(self, to: int) -> None:
        """Note that everything below ``to`` is counted."""
        self.next = max(self.next, to)

    def sent(self, frontier: dict[str, Frontier], anchor: Anchor | None = None) -> tuple[int, int]:
        """Note that what was counted is now in flight, with the frontier and anchor of its entry; return its offset range."""
        covers = (self.base, self.next)
        self.flight = (self.next, frontier, anchor)
        self.base = self.next
        return covers

    def settle(self, position: Position) -> bool:
        """Compare with the ledger, read to its end after the send was answered; return whether counting may go on.

        False means that the ledger went another way: drop what is held and go through `start` again. Seeking to the
        ledger's position alone is not enough: whoever moved it may have read what stood there before the topic was recreated.
        """
        if self.flight is None:
            return position.next == self.base and position.incarnation == self.incarnation
        to, frontier, anchor = self.flight
        self.flight = None
        return (
            position.next == to
            and position.incarnation == self.incarnation
            and position.frontier == frontier
            and (anchor is None or position.anchor == anchor)
        )
