"""``python -m tests.chaos``: seeded runs of faults against real workers on a real Apache Kafka, judged by an oracle.

A seed that has its row in build/chaos/ is not run again; ``--again`` forgets the rows. The table is build/chaos.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from typing import Any

import confluent_kafka
import numpy as np

from tests.brokers.kafka import POM, ROOT, jars, lacking
from tests.chaos import nemesis, running
from tests.chaos.process import FAKETIME, SESSION_S


def main() -> int:
    """Run the seeds that are missing; return 0 when every run was exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many (default 20: less than 75 minutes)")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--faults", help="these faults in this order instead of those the seed draws, for one seed")
    parser.add_argument("--again", action="store_true", help="forget the rows there are")
    args = parser.parse_args()
    if lacking():
        print(f"chaos needs Apache Kafka: {lacking()}", file=sys.stderr)
        return 2
    if not FAKETIME.exists():
        print("libfaketime is not installed (apt install libfaketime): no clock steps", file=sys.stderr)
    running.OUT.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    calm = running.undisturbed()
    print(
        f"undisturbed: {len(calm.panes)} panes, {len(calm.events)} alert events, {time.monotonic() - begun:.0f} s",
        flush=True,
    )
    rows = []
    for seed in range(args.first, args.first + (1 if args.faults else args.seeds)):
        faults = args.faults.split(",") if args.faults else nemesis.schedule(seed)
        kept = running.OUT / f"run-{seed if not args.faults else args.faults.replace(',', '-')[:80]}.json"
        if args.again or args.faults or not kept.exists():
            row = running.run(seed, faults, calm)
            kept.write_text(json.dumps(row, indent=1, default=str))
        rows.append(json.loads(kept.read_text()))
        print(line(rows[-1]), flush=True)
    if not args.faults:
        (ROOT / "build" / "chaos.json").write_text(json.dumps(summary(rows), indent=1))
    return 0 if all(row["exact"] for row in rows) else 1


def line(row: dict[str, Any]) -> str:
    """Return a run as one line."""
    faults = ", ".join(
        f"{item['fault']} {_s(item['recovery_s'])}{'' if item['happened'] else ' (not seen)'}" for item in row["faults"]
    )
    what = "exact" if row["exact"] else f"STALLED {row['stalled']}" if row["stalled"] else "WRONG"
    counts = f"difference {row['difference']}, alerts {row['lost']}/{row['invented']}/{row['changed']}"
    more = "".join(f"\n    {problem}" for problem in row["problems"][:6])
    return f"seed {row['seed']}: {what}; {counts}; {faults}; {row['seconds']} s{more}"


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.1f} s"


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the table with its totals."""
    times = [item["recovery_s"] for row in rows for item in row["faults"] if item["recovery_s"] is not None]
    return {
        "runs": len(rows),
        "exact": sum(row["exact"] for row in rows),
        "lost": sum(row["lost"] for row in rows),
        "invented": sum(row["invented"] for row in rows),
        "changed": sum(row["changed"] for row in rows),
        "stalled": sum(bool(row["stalled"]) for row in rows),
        "recovery_p95_s": round(float(np.quantile(times, 0.95)), 2) if times else None,
        "session_timeout_s": SESSION_S,
        "environment": environment(),
        "rows": rows,
    }


def environment() -> dict[str, Any]:
    """Return what the figures depend on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    kafka = next((path.stem.removeprefix("kafka_2.13-") for path in jars().glob("kafka_2.13-*.jar")), POM.name)
    return {
        "kafka": kafka,
        "client": ".".join(map(str, confluent_kafka.version()[0].split("."))),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "commit": commit.stdout.strip(),
        "faketime": FAKETIME.exists(),
    }


if __name__ == "__main__":
    sys.exit(main())
