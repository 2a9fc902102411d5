"""The results: one line per run, and the table with its totals."""

from __future__ import annotations

import os
import platform
import subprocess
from collections import defaultdict
from typing import Any

import confluent_kafka
import numpy as np

from tests.brokers.kafka import ROOT, jars
from tests.chaos.process import FAKETIME, SESSION_S


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
    kafka = next((path.stem.removeprefix("kafka_2.13-") for path in jars().glob("kafka_2.13-*.jar")), "unknown")
    return {
        "kafka": kafka,
        "client": str(confluent_kafka.version()),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "commit": commit.stdout.strip(),
        "faketime": FAKETIME.exists(),
    }


def markdown(total: dict[str, Any]) -> str:
    """Return the table as it stands in docs/chaos.md."""
    lines = [
        "| seed | exact | faults (recovery in s) | p50 | p95 | max | alerts, panes written again | kills | longest stall s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in total["rows"]:
        faults = ", ".join(f"{item['fault']} {_s(item['recovery_s'])}" for item in row["faults"])
        figures = " | ".join(str(row[f"recovery_{name}_s"]) for name in ("p50", "p95", "max"))
        again = f"{row['repeated']['alerts']}, {row['repeated']['panes']}"
        exact = "yes" if row["exact"] else "stalled" if row["stalled"] else "no"
        lines.append(
            f"| {row['seed']} | {exact} | {faults} | {figures} | {again} | {row['kills']} | {row['longest_stall_s']} |"
        )
    lines += ["", "| fault | runs | seen to happen | recovery p50 s | max s |", "|---|---|---|---|---|"]
    by_fault: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in total["rows"]:
        for item in row["faults"]:
            by_fault[item["fault"]].append(item)
    for name, items in sorted(by_fault.items()):
        times = [item["recovery_s"] for item in items if item["recovery_s"] is not None]
        middle, longest = (f"{np.median(times):.1f}", f"{max(times):.1f}") if times else ("never", "never")
        seen = sum(item["happened"] for item in items)
        lines.append(f"| {name} | {len(items)} | {seen} | {middle} | {longest} |")
    return "\n".join(lines) + "\n"
