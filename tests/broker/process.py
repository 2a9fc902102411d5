"""Whole workers in processes of their own, started the way a person starts them, so that they can be killed."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.brokers.kafka import free_port

KEY = "0123456789abcdef0123456789abcdef"
"""The secret of the category hashes: the same for two applications whose panes are compared."""


def until(what: str, condition: Callable[[], object], seconds: float = 60.0, step: float = 0.1) -> float:
    """Wait until something holds; return how many seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, f"did not happen within {seconds:g} s: {what}"
        time.sleep(step)
    return time.monotonic() - begun


class Worker:
    """One process of ``streamgauge run``.

    Args:
        folder: for its configuration and its log. name: of its files. address: of the broker.
        text: the configuration without ``kafka``, ``web`` and ``hash_key``.
    """

    def __init__(self, folder: Path, name: str, address: str, text: str) -> None:
        self.log = folder / f"{name}.log"
        self.port = free_port()
        (folder / "hash.key").write_text(KEY)
        config = folder / f"{name}.yaml"
        config.write_text(
            f"kafka: {{brokers: '{address}'}}\nweb: {{port: {self.port}}}\nhash_key: {{file: hash.key}}\n{text}"
        )
        self.command = [sys.executable, "-m", "stream.cli", "run", "-c", str(config)]
        self.command += ["--session-timeout", "6", "--rebalance-timeout", "15"]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Worker:
        """Start it; the log of an earlier life is kept."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        return self

    def kill(self) -> None:
        """Kill it with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
            with self.log.open("a") as log:
                log.write("killed\n")

    def stop(self, seconds: float = 30.0) -> tuple[int, float]:
        """Send SIGTERM; return the exit code and how many seconds it took."""
        assert self.process is not None
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(seconds)
        self.process = None
        return code, time.monotonic() - begun

    def ended(self, seconds: float = 40.0) -> int:
        """Wait until it ends by itself; return the exit code."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.process = None
        return code

    @property
    def text(self) -> str:
        """Everything it has written."""
        return self.log.read_text() if self.log.exists() else ""

    @property
    def owns(self) -> tuple[int, bool]:
        """How many partitions its newest assignment gave it, and whether it is the judge."""
        lives = self.text.rsplit("killed\n", 1)[-1]
        found = re.findall(r"assigned: (\d+) partitions(, judge)?", lives)
        return (int(found[-1][0]), bool(found[-1][1])) if found and self.process is not None else (0, False)

    def get(self, page: str) -> tuple[int, str]:
        """Read a page of its web server; 0 while nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{page}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def ready(self) -> bool:
        """Return whether ``/ready`` says so."""
        return self.get("/ready")[0] == 200

    def metric(self, name: str) -> dict[str, float]:
        """Return the samples of a metric by their labels as written."""
        found = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", self.get("/metrics")[1], re.MULTILINE)
        return {labels: float(value) for labels, value in found}


@contextmanager
def running() -> Iterator[list[Worker]]:
    """Give a list for workers; whoever still runs at the end is killed."""
    workers: list[Worker] = []
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
