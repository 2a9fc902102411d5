"""Settling: an entry is ours only when the ledger holds what we sent, record by record."""

from __future__ import annotations

from dataclasses import replace

from stream.cursor import Cursor, Start, start
from stream.ledger import Frontier, Position

AT = Position(next=10, first=0, anchor=(9, 90, 1))
FRONTIER: dict[str, Frontier] = {"m.features": (90, None)}


def test_an_entry_of_the_same_offsets_read_before_the_topic_was_recreated_is_not_ours() -> None:
    cursor = Cursor(AT)
    cursor.counted(12)
    assert cursor.sent(FRONTIER, (11, 95, 7)) == (10, 12)
    moved = replace(AT, next=12, frontier=FRONTIER)
    assert not cursor.settle(replace(moved, anchor=(11, 95, 8)))


def test_an_entry_that_another_writer_sent_with_the_same_content_is_as_good_as_ours() -> None:
    cursor = Cursor(AT)
    cursor.counted(12)
    cursor.sent(FRONTIER, (11, 95, 7))
    assert cursor.settle(replace(AT, next=12, frontier=FRONTIER, anchor=(11, 95, 7)))
    assert cursor.flight is None


def test_a_heartbeat_settles_whatever_the_anchor() -> None:
    cursor = Cursor(AT)
    assert cursor.sent({}) == (10, 10)
    assert cursor.settle(AT)


def test_a_recreated_topic_is_recognised_by_the_record_at_the_anchor() -> None:
    assert start(AT, begin=0, end=20, first=20, found=(9, 90, 1)) == Start("seek", 10)
    assert start(AT, begin=0, end=20, first=20, found=(9, 90, 2)) == Start("reopen", 0, 1)


def test_a_topic_that_ends_before_the_anchor_is_another_one() -> None:
    """Behind an operator's move back the anchor lies ahead of the position, and no record can stand there any more."""
    moved = replace(AT, next=2, incarnation=1)
    assert start(moved, begin=0, end=20, first=20, found=(9, 90, 1)) == Start("seek", 2, 1)
    assert start(moved, begin=0, end=9, first=9, found=None) == Start("reopen", 0, 2)
