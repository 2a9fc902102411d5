"""Real workers (``streamgauge run``) that can be killed, frozen and given a wrong clock."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.broker.process import Worker
from tests.brokers.kafka import ROOT, _die_with_the_tests
from tests.chaos.node import state

SESSION_S = 6.0
"""What `tests.broker.process.Worker` starts its workers with."""

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
"""Debian's package libfaketime. Without it clock steps are left out, and the results say so."""

START = "---- started\n"


class Process(Worker):
    """A worker under a supervisor: one that ends by itself is started again.

    Attributes:
        wanted: whether it should be running. ends: exit codes of ends that nobody asked for.
    """

    def __init__(self, folder: Path, name: str, address: str, text: str, clock: Path | None = None) -> None:
        super().__init__(folder, name, address, text)
        self.name = name
        self.wanted = False
        self.ends: list[int] = []
        self._env = dict(os.environ)
        if clock is not None:
            self._env |= {
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }

    def start(self) -> Process:
        """Start it from the thread that lives longest: the kernel ends it together with that thread."""
        self.wanted = True
        with self.log.open("ab") as log:
            log.write(START.encode())
            log.flush()
            self.process = subprocess.Popen(
                self.command,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self._env,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - it only calls prctl
            )
        return self

    def kill(self) -> None:
        """Kill it with -9."""
        self.wanted = False
        super().kill()

    def stop(self, seconds: float = 40.0) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how many seconds it took."""
        self.wanted = False
        return super().stop(seconds)

    def supervise(self) -> None:
        """Start it again if it ended by itself."""
        if self.wanted and self.process is not None and (code := self.process.poll()) is not None:
            self.ends.append(code)
            self.process = None
            self.start()

    def freeze(self) -> None:
        """SIGSTOP, and wait until the kernel says that it stands still."""
        assert self.process is not None, f"{self.name} does not run"
        self.process.send_signal(signal.SIGSTOP)
        deadline = time.monotonic() + 5
        while state(self.process.pid) != "T":
            assert time.monotonic() < deadline, f"{self.name} does not stop"
            time.sleep(0.002)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None, f"{self.name} does not run"
        self.process.send_signal(signal.SIGCONT)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def life(self) -> str:
        """What it has written since its newest start."""
        return self.text.rsplit(START, 1)[-1]

    @property
    def assignments(self) -> int:
        """How many assignments it has had in all its lives."""
        return len(re.findall(r"assigned: \d+ partitions", self.text))

    @property
    def owns(self) -> tuple[int, bool]:
        """How many partitions its newest assignment gave it, and whether it is the judge."""
        found = re.findall(r"assigned: (\d+) partitions(, judge)?", self.life)
        return (int(found[-1][0]), bool(found[-1][1])) if found and self.running else (0, False)
