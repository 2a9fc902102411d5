"""Everything of one run: a node, the proxy, the topics, the producer, whoever follows the ledger, and the workers.

Everything is started from the main thread, and the kernel ends the node and the workers together with it; the harness may be
killed in any way and leaves no process behind.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.broker import traffic
from tests.chaos import application
from tests.chaos.application import APP, PARTITIONS, TEXT
from tests.chaos.client import Admin, read_all
from tests.chaos.node import Node
from tests.chaos.process import Process
from tests.chaos.producing import Producing
from tests.chaos.proxy import Proxy
from tests.chaos.watching import Target, Watching

SPEED = 1.3
"""Seconds of event time per second."""


class Stalled(AssertionError):
    """Something that must happen did not happen in time."""


class Rig:
    """One run's machinery; use it in a ``with`` statement.

    Args:
        seed: of the proxy's flips. workers: how many. faketime: whether the workers' wall clock can be set.
    """

    def __init__(self, seed: int, workers: int = 2, faketime: bool = False, speed: float = SPEED) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-run-"))
        self.clock = self.folder / "clock"
        self.clock.write_text("+0")
        self.proxy = Proxy(seed).start()
        self.node = Node(self.proxy.port)
        self.proxy.upstream = self.node.front
        self.extra: list[Process] = []
        self.workers = [self.worker(f"worker-{n}", faketime) for n in range(workers)]
        self._speed = speed

    def __enter__(self) -> Rig:
        try:
            self.node.start()
            self.admin = Admin(self.node.address)
            for topic, partitions in PARTITIONS.items():
                self.admin.create(topic, partitions)
            application.prepare(self.node.address, self.folder)
            self.producing = Producing(self.node.address, self._speed)
            self.watching = Watching(self.node.address, APP, self.producing.newest, self.all_claim_to_be_well)
            for worker in self.workers:
                worker.start()
            self.until("all workers are ready", lambda: all(worker.ready() for worker in self.workers), 90)
            self.until(
                "every partition is opened", lambda: len(self.watching.fold.next) == sum(PARTITIONS.values()), 60
            )
            self.producing.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self.workers, *self.extra):
            worker.kill()
        for part in ("producing", "watching"):
            if hasattr(self, part):
                getattr(self, part).stop()
        self.proxy.stop()
        self.node.stop()

    def clean(self) -> None:
        """Remove the logs; they are kept when a run failed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def worker(self, name: str, faketime: bool = False) -> Process:
        """Return a worker that is not started."""
        clock = self.clock if faketime else None
        return Process(self.folder, name, f"127.0.0.1:{self.proxy.port}", TEXT, clock)

    def join(self, name: str) -> Process:
        """Start one more worker."""
        self.extra.append(self.worker(name))
        return self.extra[-1].start()

    def all_claim_to_be_well(self) -> bool:
        """Whether every worker that answers says that it is ready, and one does answer."""
        pages = [worker.get("/ready")[0] for worker in self.workers if worker.running]
        return 200 in pages and all(page in (0, 200) for page in pages)

    def sleep(self, seconds: float) -> None:
        """Pass time; workers that end by themselves are started again meanwhile."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            for worker in self.workers:
                worker.supervise()
            time.sleep(min(left, 0.05))

    def until(self, what: str, condition: Callable[[], object], seconds: float = 60.0) -> float:
        """Wait until something holds; return how many seconds it took.

        Raises:
            Stalled: it did not come to hold.
        """
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > seconds:
                raise Stalled(f"did not happen within {seconds:g} s: {what}")
            self.sleep(0.05)
        return time.monotonic() - begun

    def happens(self, condition: Callable[[], object], seconds: float) -> bool:
        """Wait for something that may stay away; return whether it came."""
        try:
            self.until("", condition, seconds)
        except Stalled:
            return False
        return True

    def owners(self) -> list[Process]:
        """Return the workers that own something, as far as their logs say."""
        return [worker for worker in self.workers if worker.owns != (0, False)]

    def judge(self) -> Process | None:
        """Return the worker that hosts the judge, if it is known."""
        hosts = [worker for worker in self.workers if worker.owns[1]]
        return hosts[0] if len(hosts) == 1 else None

    def ends(self) -> Target:
        """Return what the topics hold now."""
        return self.producing.newest()

    def finish(self) -> None:
        """Let the traffic end and wait until everything is accepted and every pane closed.

        Raises:
            Stalled: it is not.
        """
        self.producing.limit = traffic.SECONDS
        self.until("everything is sent", self.producing.done.is_set, 240)
        goal = self.ends()
        if not self.happens(lambda: self.watching.reached(goal) is not None, 90):
            raise Stalled(f"positions that stay behind: {self.watching.behind(goal)}")
        index = traffic.BASE_MS // traffic.PANE_MS + traffic.SECONDS - 1
        last = {f"{stream}/{index}".encode() for stream in traffic.STREAMS}

        def closed() -> bool:
            self.sleep(1.0)
            return last <= {record.key for record in read_all(self.node.address, f"{APP}.panes")}

        self.until("the last panes are published", closed, 60)
