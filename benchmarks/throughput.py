"""CPU per event: Streamgauge end to end beside a bare consumer loop, and beside the fastest client there is, in one run.

The bare loop is aiokafka's ``getmany`` and ``orjson.loads``; the limit is confluent-kafka's ``consume`` and ``orjson.loads``.
Streamgauge is one worker with everything on: taps, ledger, judge, learned layout, reference, every detector, every pane live.
All read the same records of about 1 kB with 30 fractions; nothing is sampled; all check the records' checksums. Runs alternate
(A B A B ...) and the ratio is taken round by round: machines are noisy.
"""

from __future__ import annotations

import statistics
from typing import Any

from benchmarks.cluster import configuration, create, fill, prepare, rig, run
from benchmarks.monitor import learn
from benchmarks.payloads import STANDARD, values

TOPIC = "bench.features"
RECORDS = 300_000
ROUNDS = 3
KINDS = 30_011
"""Different records; more of them would only fill memory. A prime, so that no pane repeats the one before."""

Row = dict[str, dict[str, Any]]


def measure(scale: float, rounds: int = ROUNDS, limit: bool = True) -> tuple[dict[str, float], Any]:
    """Return (figures, rounds). ``limit``: also measure what is not needed for the ratio itself."""
    records = int(RECORDS * scale)
    pool = values(STANDARD, KINDS)
    learned = learn(pool)
    rows: list[Row] = []
    with rig() as (brokers, folder):
        create(brokers, TOPIC)
        fill(brokers, TOPIC, pool, records)
        for number in range(rounds):
            file = configuration(folder, brokers, f"sg-bench-{number}", TOPIC)
            prepare(file, learned)
            kinds = ("getmany", "bare", "confluent") if limit else ("bare",)
            row: Row = {kind: run(kind, brokers, str(records), "--topic", TOPIC) for kind in kinds}
            row["streamgauge"] = run("streamgauge", str(file), str(records))
            if not row["streamgauge"]["reference"]:
                raise RuntimeError("no reference was in force: drift was not measured")
            for item in row.values():
                item.pop("samples", None)
            rows.append(row)
            print(f"round {number + 1} of {rounds}: ratio {ratio(row, 'bare'):.2f}", flush=True)
    return summary(rows), rows


def ratio(row: Row, other: str) -> float:
    """Return events per CPU-second of Streamgauge over those of another reader of the same records.

    >>> ratio({"bare": {"cpu_s": 2, "records": 10}, "streamgauge": {"cpu_s": 4, "records": 10}}, "bare")
    0.5
    """
    return cost(row[other]) / cost(row["streamgauge"])


def cost(figures: dict[str, Any]) -> float:
    """Return CPU microseconds per event."""
    return float(figures["cpu_s"] / figures["records"] * 1e6)


def rate(figures: dict[str, Any]) -> float:
    """Return events per second of wall time."""
    return float(figures["records"] / figures["wall_s"])


def summary(rows: list[Row]) -> dict[str, float]:
    """Return the medians over the rounds."""
    figures = {"throughput_ratio": statistics.median(ratio(row, "bare") for row in rows)}
    if "confluent" in rows[0]:
        figures["throughput_ratio_to_confluent"] = statistics.median(ratio(row, "confluent") for row in rows)
    for name in rows[0]:
        figures[f"{name}_cpu"] = statistics.median(cost(row[name]) for row in rows)
        if name != "getmany":
            figures[f"{name}_rate"] = statistics.median(rate(row[name]) for row in rows)
    return figures
