"""Streamgauge as a peer: one worker, judge included, until the ledger has accepted every record and the judge has read all of it.

``python -m benchmarks.peers.ours learn|measure FILE TOTAL``; ``learn`` ends when a reference is in force.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from stream.app import spare_the_collector
from stream.clock import Clocks
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.worker import Worker

PATIENCE_S = 120.0


async def work(kind: str, file: Path, total: int) -> dict[str, Any]:
    """Run the worker; return its figures.

    Raises:
        RuntimeError: it ended by itself, or learned no reference.
    """
    spare_the_collector()  # as the command `run` does
    settings = load(file)
    clocks = Clocks(time.monotonic, time.time)
    brokers = ",".join(settings.kafka.brokers)
    worker = Worker(compile_plan(settings), brokers, settings.key.secret, settings.start == "earliest", clocks)
    task = asyncio.create_task(worker.run())
    while not any(lane.tap for lane in worker.tapping.lanes.values()) and not task.done():  # noqa: ASYNC110 - it polls
        await asyncio.sleep(0.005)
    cpu, wall, before = time.process_time(), time.perf_counter(), accepted(worker)
    while not (task.done() or done(worker, total)):  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    figures = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "records": total - before}
    deadline = time.monotonic() + PATIENCE_S
    while kind == "learn" and not (task.done() or referenced(worker)) and time.monotonic() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    if task.done() or not referenced(worker):
        raise RuntimeError(
            "the worker ended by itself" if task.done() else "no reference was in force: drift was not measured"
        )
    worker.stop()
    await task
    return figures


def accepted(worker: Worker) -> int:
    """Return how many records the ledger has accepted."""
    return sum(position.next for position in worker.ledger.fold.positions.values())


def done(worker: Worker, total: int) -> bool:
    """Say whether everything has been counted, and judged as far as panes are closed."""
    host, ledger = worker.host, worker.ledger
    return accepted(worker) >= total and (host is None or host.judge.fold.offset >= ledger.fold.offset)


def referenced(worker: Worker) -> bool:
    """Say whether drift has something to be compared with."""
    return "reference" in worker.ledger.fold.in_force


if __name__ == "__main__":
    print(json.dumps(asyncio.run(work(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))))
