"""Follows the ledger while it is written: when each position was accepted, and how long unread records waited.

Times are those of this process's monotonic clock when the record arrived here, through a client and a door of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from confluent_kafka import OFFSET_BEGINNING, KafkaException, TopicPartition

from tests.chaos import client
from tests.chaos.fold import Accepted, Key

Target = dict[Key, tuple[int, int]]
"""(incarnation, position) to reach, by partition."""

SAID_S = 60.0
"""P8: who has unread records and has applied none for so long says so."""


class Watching:
    """Attributes: fold: what was accepted so far. longest: seconds for which a partition with unread records did not move.
    unreported: seconds of these beyond `SAID_S` in which every worker that answered claimed to be ready.
    """

    def __init__(self, address: str, app: str, newest: Callable[[], Target], silent: Callable[[], bool]) -> None:
        """Start following.

        Args:
            newest: what the broker has acknowledged to the producer. silent: whether no worker says that it is not well.
        """
        self.fold = Accepted()
        self.longest = 0.0
        self.unreported = 0.0
        self._newest, self._silent = newest, silent
        self._reader = client.consumer(address)
        self._reader.assign([TopicPartition(f"{app}.ledger", 0, OFFSET_BEGINNING)])
        self._times: dict[Key, list[tuple[int, int, float]]] = {}
        self._stuck: dict[Key, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self._thread.start()

    def reached(self, target: Target) -> float | None:
        """Return when the accepted positions had reached a target; None while they have not."""
        times = [self._when(key, wanted) for key, wanted in target.items()]
        return None if None in times else max((time for time in times if time is not None), default=0.0)

    def behind(self, target: Target) -> dict[Key, tuple[tuple[int, int], tuple[int, int]]]:
        """Return (accepted, wanted) of the partitions that have not reached a target."""
        at = {key: (self.fold.inc.get(key, -1), self.fold.next.get(key, 0)) for key in target}
        return {key: (at[key], wanted) for key, wanted in target.items() if at[key] < wanted}

    def stop(self) -> None:
        """Stop following."""
        self._over.set()
        self._thread.join(10)
        self._reader.close()

    def _when(self, key: Key, wanted: tuple[int, int]) -> float | None:
        for inc, position, when in self._times.get(key, []):
            if (inc, position) >= wanted:
                return when
        return None

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                messages = self._reader.consume(200, 0.1)
            except KafkaException:
                continue
            now = time.monotonic()
            for message in messages:
                value = message.value() if message.error() is None else None
                moved = None if value is None else self.fold.apply(value, message.timestamp()[1], counts=False)
                if moved is not None:
                    key, inc, position = moved
                    times = self._times.setdefault(key, [])
                    if not times or times[-1][:2] != (inc, position):  # a heartbeat moves nothing
                        times.append((inc, position, now))
                        self._stuck.pop(key, None)
            self._look(now)

    def _look(self, now: float) -> None:
        for key, wanted in self._newest().items():
            if (self.fold.inc.get(key, -1), self.fold.next.get(key, 0)) >= wanted:
                self._stuck.pop(key, None)
                continue
            stuck = now - self._stuck.setdefault(key, now)
            self.longest = max(self.longest, stuck)
            if stuck > SAID_S and self._silent():
                self.unreported = max(self.unreported, stuck - SAID_S)
