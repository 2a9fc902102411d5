"""What every peer is measured with; only the standard library, since each runs in an environment of its own."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from typing import Any, NoReturn


def cpu() -> float:
    """Return CPU seconds of this process, all its threads and its children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class Meter:
    """CPU from the first record handed over to the last one done.

    Attributes:
        windows: Counts of closed windows for the check: [start in ms, values, missing, smallest, largest].
    """

    def __init__(self, total: int) -> None:
        self.total, self.seen = total, 0
        self.windows: list[list[float]] = []
        self._cpu = self._wall = 0.0

    def begin(self) -> None:
        """Start to measure; ``add`` does it at the first record."""
        self._cpu, self._wall = cpu(), time.perf_counter()

    def add(self, records: int = 1) -> bool:
        """Count records as read; return whether all have been."""
        if not self.seen and not self._wall:
            self.begin()
        self.seen += records
        return self.seen >= self.total

    def window(self, start_ms: int, features: list[tuple[int, int, float, float]]) -> None:
        """Note a closed window: count, missing, smallest and largest of each feature."""
        counts, missing, smallest, largest = zip(*features, strict=True)
        self.windows.append([start_ms, sum(counts), sum(missing), min(smallest), max(largest)])

    def finish(self, **more: Any) -> NoReturn:
        """Print the figures as a line of JSON and end the process: frameworks like to run for ever."""
        figures: dict[str, Any] = {
            "cpu_s": cpu() - self._cpu,
            "wall_s": time.perf_counter() - self._wall,
            "records": self.seen,
            **more,
        }
        print(
            json.dumps({**figures, "windows": self.windows}), file=sys.__stdout__, flush=True
        )  # Faust redirects the other
        sys.stderr.flush()
        os._exit(0)


def arguments() -> tuple[str, str, int]:
    """Return brokers, topic and number of records from the command line."""
    brokers, topic, total = sys.argv[1:4]
    return brokers, topic, int(total)


FEATURES = [f"feature_{i:02d}" for i in range(30)]
PANE_MS = 60_000
