"""The same question put to a stock Faust table: ``python -m tests.chaos.stock``.

Two workers count events per key in a table (a changelog topic, offsets committed by automatic acknowledgement); every few
seconds one is killed with -9 and started again. In the end the changelog's newest value per key is what the table holds;
it is compared with what the broker acknowledged to the producer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Message, Producer

from tests.brokers.kafka import ROOT, _die_with_the_tests, free_port
from tests.chaos.client import Admin, read_all
from tests.chaos.node import Node

TOPIC, CHANGELOG = "stock-events", "stock-counts-changelog"
PARTITIONS, KEYS, RATE, SECONDS = 4, 40, 300, 60
KILLS = 4


class StockWorker:
    """One process of the stock application."""

    def __init__(self, folder: Path, name: str, address: str) -> None:
        self.log = folder / f"{name}.log"
        (folder / name).mkdir()
        self._command = [sys.executable, "-m", "faust", "-A", "tests.chaos.stock_app", "-D", str(folder / name)]
        self._command += ["worker", "-l", "warn", "--without-web"]
        self._env = os.environ | {"STOCK_BROKER": address}
        self.process: subprocess.Popen[bytes] | None = None
        self.ends: list[int] = []

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self._env,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - it only calls prctl
            )

    def kill(self) -> None:
        """Kill it with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def supervise(self) -> None:
        """Start it again if it ended by itself."""
        if self.process is not None and (code := self.process.poll()) is not None:
            self.ends.append(code)
            self.start()


def run(seed: int) -> dict[str, Any]:
    """Run once; return the row."""
    rng = np.random.default_rng(seed)
    folder = Path(tempfile.mkdtemp(prefix="stock-"))
    node = Node(free_port())
    workers = [StockWorker(folder, f"stock-{n}", node.address) for n in range(2)]
    sent: Counter[bytes] = Counter()
    try:
        node.start()
        Admin(node.address).create(TOPIC, PARTITIONS)
        Admin(node.address).create(CHANGELOG, PARTITIONS)
        for worker in workers:
            worker.start()
        time.sleep(12)
        producer = Producer({"bootstrap.servers": node.address, "enable.idempotence": True, "linger.ms": 5})

        def delivered(error: object, message: Message) -> None:
            if error is None:
                sent[message.key() or b""] += 1

        due = sorted(rng.choice(np.arange(8, SECONDS - 8), KILLS, replace=False).tolist())
        for second in range(SECONDS):
            begun = time.monotonic()
            if second in due:
                workers[due.index(second) % 2].kill()
            if second - 2 in due:
                workers[due.index(second - 2) % 2].start()
            for _ in range(RATE):
                key = int(rng.integers(KEYS))
                producer.produce(TOPIC, b"x", b"k%d" % key, key % PARTITIONS, on_delivery=delivered)
            while (left := begun + 1 - time.monotonic()) > 0:
                producer.poll(min(left, 0.1))
                for worker in workers:
                    worker.supervise()
        producer.flush(30)
        before = -1
        for _ in range(12):  # until the table does not change any more
            time.sleep(8)
            rows = read_all(node.address, CHANGELOG)
            table = {json.loads(row.key).encode(): int(row.value) for row in rows if row.key and row.value}
            if sum(table.values()) == before:
                break
            before = sum(table.values())
    finally:
        for worker in workers:
            worker.kill()
        node.stop()
    lost = sum(max(0, n - table.get(key, 0)) for key, n in sent.items())
    twice = sum(max(0, table.get(key, 0) - n) for key, n in sent.items())
    return {
        "seed": seed,
        "kills": KILLS,
        "events": sum(sent.values()),
        "counted": sum(table.values()),
        "lost": lost,
        "counted_twice": twice,
        "exact": table == dict(sent),
        "ends": [worker.ends for worker in workers],
        "logs": str(folder),
    }


def main() -> int:
    """Run three seeds and write build/chaos-stock.json."""
    rows = []
    for seed in (1, 2, 3):
        rows.append(run(seed))
        print(json.dumps(rows[-1]), flush=True)
    (ROOT / "build").mkdir(exist_ok=True)
    (ROOT / "build" / "chaos-stock.json").write_text(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
