"""Two watchdogs: one for partitions that do not move, one for an event loop that is stuck.

Clients of Kafka can stay alive and do nothing: a consumer that never rejoins its group, a fetch that never returns.
Committed lag does not show it (a crashing agent commits past what it never processed), so progress is measured on
accepted positions. A worker that cannot make progress says so on ``/ready`` first, and after five minutes ends with
exit code 75 (*try again*, sysexits.h): a supervisor's restart is the one repair that always applies, and the ledger
makes it harmless.

Time in which nobody looked does not count: after SIGSTOP, a suspended laptop or a stolen virtual CPU the first look
must not end a process that was about to go on. So both add up the time between looks, clipped, and never compare two
clock readings far apart.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import threading
from collections.abc import Callable

from stream.ledger import Key

EXIT = 75
STALLED_S = 60.0
DEAD_S = 300.0
MAX_STEP_S = 5.0


class Progress:
    """Progress of the partitions this worker reads. Pure: the monotonic time is an argument.

    Args:
        stalled_s: waiting time after which a partition counts as stalled (not ready).
        dead_s: waiting time after which the process should end.
    """

    def __init__(self, stalled_s: float = STALLED_S, dead_s: float = DEAD_S) -> None:
        self.stalled_s = stalled_s
        self.dead_s = dead_s
        self._now: float | None = None
        self._unread: dict[Key, int] = {}
        self._waiting: dict[Key, float] = {}

    def look(self, now: float, seen: dict[Key, tuple[int, int | None]]) -> None:
        """Note where all assigned partitions stand; call it about once a second.

        Args:
            now: monotonic time in seconds.
            seen: accepted position and end offset by partition. The end must be asked of the broker apart from the
                fetches under watch; None means that it could not be told, which counts as unread records. Partitions
                paused on purpose are given with their position as the end; those not assigned are left out.

        >>> watch = Progress(stalled_s=2)
        >>> for second in range(4):
        ...     watch.look(second, {("t", 0): (7, 9), ("t", 1): (5, 5)})
        >>> watch.stalled()
        [('t', 0)]
        """
        step = 0.0 if self._now is None else min(max(now - self._now, 0.0), MAX_STEP_S)
        self._now = now
        unread = {key: position for key, (position, end) in seen.items() if end is None or position < end}
        self._waiting = {
            key: self._waiting.get(key, 0.0) + step if self._unread.get(key) == position else 0.0
            for key, position in unread.items()
        }
        self._unread = unread

    def stalled(self) -> list[Key]:
        """Return the partitions with unread records and no progress for `stalled_s`."""
        return sorted(key for key, waited in self._waiting.items() if waited >= self.stalled_s)

    def dead(self) -> list[Key]:
        """Return the partitions for which the process should end with `EXIT`."""
        return sorted(key for key, waited in self._waiting.items() if waited >= self.dead_s)


class LoopWatchdog:
    """Ends the process when its event loop runs nothing for a minute: a thread looks whether the loop still beats.

    It counts its own looks and reads no clock. Before the end the stacks of all threads go to standard error, since
    what blocks the loop is a bug in somebody's code. `os._exit` is used because nothing else works while the loop is
    stuck.

    Args:
        blocked: called in the loop with the seconds by which it came late for a beat.
        beat_s: seconds between beats. looks: looks without a beat, one per second, after which the process ends.
    """

    def __init__(
        self, blocked: Callable[[float], None], beat_s: float = 0.5, looks: int = 60, look_s: float = 1.0
    ) -> None:
        self._blocked = blocked
        self._beat_s = beat_s
        self._looks = looks
        self._look_s = look_s
        self._beats = 0
        self._ended = threading.Event()

    async def run(self) -> None:
        """Beat until cancelled."""
        thread = threading.Thread(target=self._watch, name="loop-watchdog", daemon=True)
        thread.start()
        loop = asyncio.get_running_loop()
        try:
            while True:
                due = loop.time() + self._beat_s
                await asyncio.sleep(self._beat_s)
                self._beats += 1
                self._blocked(max(0.0, loop.time() - due))
        finally:
            self._ended.set()

    def _watch(self) -> None:
        seen, missed = self._beats, 0
        while not self._ended.wait(self._look_s):
            missed = missed + 1 if self._beats == seen else 0
            seen = self._beats
            if missed >= self._looks:
                os.write(2, b"the event loop is stuck; the stacks of all threads follow, then exit code 75\n")
                faulthandler.dump_traceback(all_threads=True)
                os._exit(EXIT)
