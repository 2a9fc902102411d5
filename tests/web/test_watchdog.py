"""The watchdogs: what counts as progress, and that a stuck loop ends the process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from stream.serving.watchdog import EXIT, Progress

KEY = ("t", 0)


def watch(seen: Sequence[tuple[int, int | None]], every_s: float = 1.0) -> Progress:
    """Look at one partition once per (position, end)."""
    progress = Progress(stalled_s=60, dead_s=300)
    for at, pair in enumerate(seen):
        progress.look(at * every_s, {KEY: pair})
    return progress


def test_unread_records_without_progress_stall_after_a_minute_and_end_the_process_after_five() -> None:
    assert watch([(7, 9)] * 60).stalled() == []
    assert watch([(7, 9)] * 61).stalled() == [KEY]
    assert watch([(7, 9)] * 300).dead() == []
    assert watch([(7, 9)] * 301).dead() == [KEY]


def test_a_partition_read_to_its_end_never_stalls() -> None:
    assert watch([(9, 9)] * 1000).stalled() == []


def test_slow_progress_is_progress() -> None:
    assert watch([(at // 50, 10_000) for at in range(1000)]).stalled() == []


def test_progress_after_a_stall_ends_it() -> None:
    assert watch([(7, 9)] * 100 + [(8, 9)]).stalled() == []


def test_records_that_arrive_start_the_minute() -> None:
    """The time spent idle at the end does not count against the first unread record."""
    assert watch([(9, 9)] * 500 + [(9, 10)] * 60).stalled() == []
    assert watch([(9, 9)] * 500 + [(9, 10)] * 61).stalled() == [KEY]


def test_an_end_that_nobody_can_tell_counts_as_unread_records() -> None:
    """A consumer that never rejoined, or a broker out of reach: position equals the last known end for ever."""
    assert watch([(9, None)] * 61).stalled() == [KEY]


def test_a_position_that_moves_backwards_is_a_move() -> None:
    """Adopting the ledger's position after losing a race may go back; that is not a stall."""
    assert watch([(7, 9)] * 59 + [(5, 9)] * 2).stalled() == []


def test_a_frozen_process_is_not_dead_when_it_thaws() -> None:
    """SIGSTOP for ten minutes: the first look after SIGCONT may add 5 s at most."""
    progress = Progress()
    for second in (0.0, 1.0, 601.0):
        progress.look(second, {KEY: (7, 9)})
    assert progress.stalled() == []
    assert progress.dead() == []


def test_a_partition_taken_away_is_forgotten() -> None:
    progress = Progress()
    for second in range(100):
        progress.look(second, {KEY: (7, 9)})
    progress.look(100, {})
    progress.look(101, {KEY: (7, 9)})
    assert progress.stalled() == []


LOOP = """
import asyncio, time
from stream.serving.watchdog import LoopWatchdog

async def main():
    late = []
    watchdog = LoopWatchdog(late.append, beat_s=0.01, looks=5, look_s=0.1)
    task = asyncio.create_task(watchdog.run())
    await asyncio.sleep(0.3)
    {then}
    print("late", max(late) > 0.1, flush=True)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

asyncio.run(main())
print("ended by itself")
"""


def run(then: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LOOP.format(then=then)], capture_output=True, text=True, timeout=30, check=False
    )


def test_a_stuck_loop_ends_the_process_with_75_and_shows_where_it_hangs() -> None:
    done = run("time.sleep(20)")
    assert done.returncode == EXIT == 75
    assert "the event loop is stuck" in done.stderr
    assert "in main" in done.stderr


def test_a_loop_that_was_only_late_goes_on_and_the_delay_is_reported() -> None:
    done = run("time.sleep(0.25); await asyncio.sleep(0.1)")
    assert (done.returncode, done.stdout) == (0, "late True\nended by itself\n"), done.stderr
