"""The host's promises that do not need a whole world: order, refusal, what a reader of ``state`` takes."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from stream.ledger import MAX_TICK_MS, Fold
from stream.parts import PART_BYTES, blob_key, split
from stream.publishing import Host, Message, Send, Ticker, latest_checkpoint, latest_positions


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
    host, large = host_at(9), b"s" * (2 * PART_BYTES + 1)
    view = store({}, host.checkpoint(7, b"older", "a"))
    view = store(view, host.checkpoint(9, large, "b"))
    newest = latest_checkpoint(view)
    assert newest is not None
    assert (newest.offset, newest.data) == (9, large)
    del view["checkpoint/0000000000000009-b/1of3"]
    older = latest_checkpoint(view)
    assert older is not None
    assert (older.offset, older.data) == (7, b"older")


def test_a_checkpoint_removes_those_that_reach_less_far_whoever_wrote_them() -> None:
    """A dead host's checkpoint, parts of an abandoned one: they go. What reaches as far or further stays, and positions."""
    view = store({}, host_at(9).checkpoint(8, b"dead", "dead"))
    view = store(view, host_at(9).checkpoint(9, b"rival", "rival"))
    view["checkpoint/0000000000000003-torn/1of2"] = b"x"
    view = store(view, [host_at(9).positions(Fold())])
    before = set(view)
    view = store(view, host_at(9).checkpoint(9, b"ours", "ours", view))
    assert before - set(view) == {"checkpoint/0000000000000008-dead/0of1", "checkpoint/0000000000000003-torn/1of2"}


def test_nothing_is_removed_before_the_new_checkpoint_is_acknowledged() -> None:
    view = store({}, host_at(9).checkpoint(5, b"old", "a"))
    steps = host_at(9).checkpoint(9, b"new", "b", view)
    assert latest_checkpoint(store(view, [next(steps)])) is not None
    assert all(item.value is None for item in next(steps).messages)
    assert next(steps, None) is None


def test_a_zombies_removals_leave_the_checkpoint_that_reaches_furthest() -> None:
    """It decided on them before the others wrote theirs, and they arrive after everything else."""
    view = store({}, host_at(2).checkpoint(1, b"1", "old"))
    zombie = host_at(3).checkpoint(3, b"zombie", "z", view)
    view = store(view, [next(zombie)])
    view = store(view, host_at(9).checkpoint(8, b"8", "a", view))
    view = store(view, host_at(9).checkpoint(9, b"9", "b", view))
    assert sorted(store(view, zombie)) == ["checkpoint/0000000000000009-b/0of1"]


def test_a_blob_goes_when_the_ledger_no_longer_reaches_back_to_it_and_nothing_names_it() -> None:
    """One that is named stays however old it is, and one that was put lately stays: its note may be about to be written."""
    view: dict[str, bytes] = {}
    for name, offset in (("named", 3), ("superseded", 3), ("proposed", 7)):
        view |= split(blob_key(name, offset), b"x")
    left = store(view, host_at(9).checkpoint(9, b"9", "a", view, {"named"}, begin=7))
    assert {key.split("/")[1] for key in left if key.startswith("blob/")} == {"named", "proposed"}


def test_content_that_came_back_survives_a_removal_decided_before() -> None:
    """A configuration that is rolled back is put again, under a key that the late removal does not know."""
    view = split(blob_key("layout", 3), b"x")
    late = host_at(9).checkpoint(9, b"9", "a", view, set(), begin=5)
    view = store(view, [next(late)])
    view |= split(blob_key("layout", 9), b"x")
    assert "blob/layout/0000000000000009/0of1" in store(view, late)


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
