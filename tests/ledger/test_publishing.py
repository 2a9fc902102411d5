"""The host's promises that do not need a whole world: order, refusal, what a reader of ``state`` takes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from stream.ledger import MAX_TICK_MS, Fold
from stream.publishing import CHUNK_BYTES, Host, Message, Send, Ticker, latest_checkpoint, latest_positions


def message(offset: int, topic: str) -> Message:
    return Message(offset, topic, f"{topic}/{offset}".encode(), b"x")


def store(state: dict[str, bytes], steps: Iterable[Send]) -> dict[str, bytes]:
    """Return the compacted view after some steps."""
    view = dict(state)
    for step in steps:
        for item in step.messages:
            if item.value is None:
                view.pop(item.key.decode(), None)
            else:
                view[item.key.decode()] = item.value
    return view


def host_at(offset: int) -> Host:
    host = Host()
    assert list(host.publish(offset, [])) == []
    return host


def test_published_advances_only_when_alerts_then_panes_are_acknowledged() -> None:
    host = Host()
    steps = host.publish(6, [message(4, "panes"), message(4, "alerts"), message(5, "alerts")])
    assert [item.offset for item in next(steps).messages] == [4, 5]
    assert next(steps).topic == "panes"
    assert host.published == 0
    assert next(steps, None) is None
    assert host.published == 6


def test_outputs_below_published_are_not_sent_again() -> None:
    steps = list(host_at(5).publish(7, [message(4, "alerts"), message(5, "alerts")]))
    assert [item.offset for step in steps for item in step.messages] == [5]


def test_a_checkpoint_beyond_published_is_refused() -> None:
    with pytest.raises(ValueError, match="checkpoint at ledger offset 6, but only 5 is published"):
        next(host_at(5).checkpoint(6, b"", "n"))


def test_the_complete_checkpoint_that_reaches_furthest_is_taken() -> None:
    host, large = host_at(9), b"s" * (2 * CHUNK_BYTES + 1)
    view = store({}, host.checkpoint(7, large, "a"))
    view = store(view, host.checkpoint(9, b"newest", "b"))
    newest = latest_checkpoint(view)
    assert newest is not None
    assert (newest.offset, newest.data, newest.slot) == (9, b"newest", "B")
    del view["checkpoint/0000000000000009-b/0"]
    older = latest_checkpoint(view)
    assert older is not None
    assert (older.offset, older.data) == (7, large)


def test_a_host_removes_its_own_older_parts_and_nothing_else() -> None:
    """Two checkpoints stay whole, the parts of an abandoned one go, those of another host stay."""
    view = {"checkpoint/foreign/0": b"x"}
    host = host_at(9)
    view = store(view, host.checkpoint(1, b"1", "a"))
    view = store(view, host.checkpoint(2, b"2", "b"))
    view = store(view, [next(host.checkpoint(3, b"3", "abandoned"))])
    view = store(view, host.checkpoint(4, b"4", "d"))
    parts = {key.split("-")[-1] for key in view if key.startswith("checkpoint/")}
    assert parts == {"checkpoint/foreign/0", "b/0", "d/0"}


def test_a_stray_late_write_of_positions_leaves_the_furthest() -> None:
    fold = Fold()
    zombie = store({}, [host_at(2).positions(fold)])
    view = store({}, [host_at(3).positions(fold)])
    found = latest_positions(view)
    host = Host(positions=found)
    fold.offset = 8
    view = store(view, [host.positions(fold)])
    furthest = latest_positions({**view, **zombie})
    assert furthest is not None
    assert (furthest.offset, furthest.published) == (8, 3)


def test_a_tick_that_lost_does_not_start_a_span() -> None:
    """Another host's tick 1 got in first: tick 2 counts from reading it, not from our own tick 1."""
    ticker = Ticker("ours", Fold(), now_ms=0)
    ours = ticker.write(1_000, wall_ms=0)
    ticker.read({**ours, "writer": "theirs"}, 1_400)
    assert ticker.write(2_000, wall_ms=0)["elapsed"] == 600


def test_own_ticks_lose_no_time_and_a_retry_is_the_same_tick() -> None:
    ticker = Ticker("ours", Fold(), now_ms=0)
    first = ticker.write(1_000, wall_ms=5)
    assert ticker.write(1_900, wall_ms=6) == first
    ticker.read(first, 1_950)
    second = ticker.write(1_000 + MAX_TICK_MS + 7, wall_ms=7)
    assert (second["n"], second["elapsed"], second["clipped"]) == (2, MAX_TICK_MS, 7)
