"""CPU per event and events per second: a bare consumer loop beside Streamgauge end to end, in one run.

The bare loop is aiokafka's ``getmany`` and ``orjson.loads``. Streamgauge is one worker with everything on: taps, ledger, judge,
learned layout, reference, every detector. Records are JSON of about 1 kB with 30 numeric features; nothing is sampled; both
sides check the records' checksums. Runs alternate (A B A B ...), the ratio is taken pair by pair: machines are noisy.

Writes ``build/bench.json``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.consumers import PARTITIONS
from stream.kafka.cluster import create_ours
from tests.brokers.kafka import Kafka, lacking

FEATURES = 30
TRAINING_PANES = 800
TRAINING = TRAINING_PANES * 60
PANE_MS = 60_000
TARGET = 0.6
BEGIN_MS = 1_700_000_000_000 // PANE_MS * PANE_MS
TOPIC = "bench.features"


def value(rng: random.Random, number: int) -> bytes:
    """Return one record: about 1 kB."""
    features = {f"feature_{i:02d}": rng.lognormvariate(0, 1) for i in range(FEATURES)}
    return json.dumps({"request_id": f"{number:012d}", **features, "note": "x" * 40}).encode()


async def produce(brokers: str, first: int, count: int, begin_ms: int, step_ms: float) -> None:
    """Write ``count`` records, ``step_ms`` of event time apart, round-robin over the partitions."""
    rng = random.Random(first)
    producer = AIOKafkaProducer(bootstrap_servers=brokers, linger_ms=5, max_batch_size=256 * 1024)
    await producer.start()
    pending = []
    for i in range(count):
        stamp = begin_ms + int(i * step_ms)
        pending.append(await producer.send(TOPIC, value(rng, first + i), partition=i % PARTITIONS, timestamp_ms=stamp))
        if len(pending) >= 20_000:
            await asyncio.gather(*pending)
            pending = []
    await asyncio.gather(*pending)
    await producer.stop()


async def prepare(brokers: str, app: str) -> None:
    await create_ours(brokers, app, 1)


async def create(brokers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    await admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1, topic_configs={"retention.ms": "-1"})])
    await admin.close()


def configuration(folder: Path, brokers: str, app: str) -> Path:
    file = folder / f"{app}.yaml"
    file.write_text(
        f"app: {app}\nkafka: {{brokers: '{brokers}'}}\nstart: earliest\n"
        "models:\n  bench:\n    owner: bench\n    decision: none\n    when_wrong: nothing\n"
        f"    features: {{topic: {TOPIC}}}\n"
    )
    return file


def run(*arguments: str) -> dict[str, float]:
    """Run one of the consumers in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.consumers", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{arguments[0]} failed:\n{done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    missing = lacking()
    if missing:
        print(f"make bench needs Apache Kafka: {missing}", file=sys.stderr)
        return 69
    broker = Kafka()
    try:
        broker.start()
        with tempfile.TemporaryDirectory() as folder:
            report = measure(broker.address, Path(folder), options.records, options.rounds)
    finally:
        broker.stop()
    show(report)
    Path("build").mkdir(exist_ok=True)
    Path("build/bench.json").write_text(json.dumps(report, indent=1))
    return 0


def measure(brokers: str, folder: Path, records: int, rounds: int) -> dict[str, Any]:
    """Teach each round's worker on the first records, then let both sides read the same measured ones."""
    asyncio.run(create(brokers))
    asyncio.run(produce(brokers, 0, TRAINING, BEGIN_MS, PANE_MS / 60))
    files = []
    for number in range(rounds):
        app = f"sg-bench-{number}"
        asyncio.run(prepare(brokers, app))
        files.append(configuration(folder, brokers, app))
        learn(str(files[-1]))
    asyncio.run(produce(brokers, TRAINING, records, BEGIN_MS + TRAINING_PANES * PANE_MS, 1.0))
    total = TRAINING + records
    rows = []
    for number in range(rounds):
        row = {
            "getmany": run("read", brokers, TOPIC, str(total)),
            "bare": run("decode", brokers, TOPIC, str(total)),
            "streamgauge": run("streamgauge", str(files[number]), str(total)),
        }
        if not row["streamgauge"]["reference"]:
            raise RuntimeError("no reference was in force: drift was not measured")
        rows.append(row)
        print(f"round {number + 1} of {rounds}: ratio {ratio(row):.2f}", flush=True)
    return summary(rows, records)


def learn(file: str) -> None:
    """Run a worker over the training records until it has a layout with bins and a reference."""
    if not run("learn", file, str(TRAINING))["reference"]:
        raise RuntimeError("the worker learned no reference from the training records")


def ratio(row: dict[str, dict[str, float]]) -> float:
    """Return events per CPU-second of Streamgauge over those of the bare loop."""
    return cost(row["bare"]) / cost(row["streamgauge"])


def cost(figures: dict[str, float]) -> float:
    """Return CPU microseconds per event."""
    return figures["cpu_s"] / figures["records"] * 1e6


def summary(rows: list[dict[str, dict[str, float]]], records: int) -> dict[str, Any]:
    figures = [
        {
            "name": "throughput_ratio",
            "value": round(statistics.median(map(ratio, rows)), 3),
            "unit": "events per CPU-second, Streamgauge / bare loop",
            "target": TARGET,
            "better": "higher",
        }
    ]
    for name in ("getmany", "bare", "streamgauge"):
        costs = [cost(row[name]) for row in rows]
        rates = [row[name]["records"] / row[name]["wall_s"] for row in rows]
        figures.append(_figure(f"{name}_cpu", round(statistics.median(costs), 2), "us CPU per event", "lower"))
        figures.append(_figure(f"{name}_rate", round(statistics.median(rates)), "events per second (wall)", "higher"))
    packages = {name: version(name) for name in ("faust-streaming", "aiokafka", "orjson", "numpy")}
    environment = {"python": platform.python_version(), "machine": platform.machine(), "records": records, **packages}
    return {"figures": figures, "environment": environment, "rounds": rows}


def _figure(name: str, value: float, unit: str, better: str) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "target": None, "better": better}


def show(report: dict[str, Any]) -> None:
    for figure in report["figures"]:
        target = f"   target {figure['target']}" if figure["target"] is not None else ""
        print(f"{figure['name']:<20} {figure['value']:>10} {figure['unit']}{target}")


if __name__ == "__main__":
    sys.exit(main())
