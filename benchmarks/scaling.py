"""Two workers beside one, over the same partitions: do events per CPU-second and per second hold when the load is shared?

Workers first join and take their partitions; only then is the word given and every tap starts at its first record, so neither
start-up nor rebalancing is measured. CPU is that of both workers together until every record is accepted by the ledger.
"""

from __future__ import annotations

import statistics
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.cluster import PARTITIONS, configuration, consumer, create, fill, prepare, result, rig
from benchmarks.monitor import Learned, learn
from benchmarks.payloads import STANDARD, values
from benchmarks.throughput import KINDS

TOPIC = "scaling.features"
RECORDS = 400_000
ROUNDS = 3


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, rounds)."""
    records = int(RECORDS * scale)
    pool = values(STANDARD, KINDS)
    learned = learn(pool)
    rows = []
    with rig() as (brokers, folder):
        create(brokers, TOPIC)
        fill(brokers, TOPIC, pool, records)
        for number in range(ROUNDS):
            row = {
                str(workers): _run(brokers, folder, learned, f"sg-scaling-{number}-{workers}", workers, records)
                for workers in (1, 2)
            }
            rows.append(row)
            print(
                f"round {number + 1} of {ROUNDS}: CPU ratio {cpu_ratio(row):.2f}, wall {wall_ratio(row):.2f}",
                flush=True,
            )
    figures = {
        "two_workers_cpu_ratio": statistics.median(map(cpu_ratio, rows)),
        "two_workers_wall_ratio": statistics.median(map(wall_ratio, rows)),
    }
    return figures, rows


def cpu_ratio(row: dict[str, list[dict[str, Any]]]) -> float:
    """Return events per CPU-second of two workers over those of one.

    >>> cpu_ratio({"1": [{"cpu_s": 4}], "2": [{"cpu_s": 3}, {"cpu_s": 2}]})
    0.8
    """
    return float(sum(item["cpu_s"] for item in row["1"]) / sum(item["cpu_s"] for item in row["2"]))


def wall_ratio(row: dict[str, list[dict[str, Any]]]) -> float:
    """Return how much sooner two workers are done than one."""
    return float(max(item["wall_s"] for item in row["1"]) / max(item["wall_s"] for item in row["2"]))


def _run(brokers: str, folder: Path, learned: Learned, app: str, workers: int, records: int) -> list[dict[str, Any]]:
    file = configuration(folder, brokers, app, TOPIC)
    prepare(file, learned)
    command = consumer("streamgauge", str(file), str(records), "--lanes", str(PARTITIONS // workers))
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    try:
        for process in processes:
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"a worker did not start:\n{process.communicate()[1][-2000:]}")
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        ends = [process.communicate(timeout=300) for process in processes]
    finally:
        for process in processes:
            process.kill()
    found = [result("streamgauge", process.returncode, *end) for process, end in zip(processes, ends, strict=True)]
    for item in found:
        item.pop("samples", None)
    return found
