"""``python -m benchmarks.page``: write ``docs/sizing.md`` from ``build/bench.json``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.figures import CATALOGUE, Figure

SOURCE = Path("build/bench.json")
PAGE = Path("docs/sizing.md")

GROUPS = {
    "throughput": "Speed beside a bare consumer loop",
    "scaling": "Two workers beside one",
    "judging": "The judge",
    "scraping": "/metrics with 50,000 series",
    "latency": "From the close of a pane to the alert",
    "ledger": "Bytes of ledger and panes",
    "memory": "Memory over many records",
    "day": "A simulated day",
    "soak": "Twenty real minutes (`make soak`)",
    "sizing": "By payload and by feature",
}

INTRODUCTION = """# Sizing

This page is written by `python -m benchmarks.page` from what `make bench` (under 12 minutes) and `make soak` (20 minutes)
measured last; do not edit it. A target was stated before anything was measured; a figure that misses it is shown as it is.

"""

ADVICE = """## How to size a deployment

* **Workers.** CPU per event by payload is in the last table; a core does 1,000,000 / that many events a second. Leave half of it
  free: after a stop, what has piled up must be read as well. Partitions are the limit of how many workers can share the load.
  Taps that cannot keep up say so (`streamgauge_stalled`, `streamgauge_consumer_lag_records`, `/ready`) and drop nothing.
* **The judge** is one core at most for all models of a configuration file. Its cost goes with entries (partitions times
  features), not with records. Beyond that, split the file by model.
* **A stream has at most 200 fields**; 1,000 features are five streams, of one topic or several.
* **The ledger** takes an entry per partition and second whatever the rate (less often from 50 partitions per worker on), so its
  bytes per day hardly depend on traffic. Its retention is 7 days, that of panes 400 days: multiply by those for the disk.
* **Memory**: the base of a worker is the RSS above; add the memory per feature for the judge, and that of taps times features and
  partitions. Chunks in flight take up to 4 MB per partition. While bins are being learned a field also keeps its sketch.
"""


def main() -> int:
    if not SOURCE.exists():
        print(f"{SOURCE} is not there: run make bench first", file=sys.stderr)
        return 66
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(json.loads(SOURCE.read_text())))
    print(f"wrote {PAGE}")
    return 0


def text(report: dict[str, Any]) -> str:
    """Return the page of a report."""
    values = {row["name"]: row["value"] for row in report["figures"]}
    tables = "".join(
        _table(title, [item for item in CATALOGUE if item.group == group], values) for group, title in GROUPS.items()
    )
    where = ", ".join(f"{name} {value}" for name, value in report["environment"].items())
    return f"{INTRODUCTION}Measured with: {where}.\n\n{tables}{ADVICE}"


def _table(title: str, figures: list[Figure], values: dict[str, float | None]) -> str:
    rows = "".join(_row(figure, values.get(figure.name)) for figure in figures)
    return f"## {title}\n\n| figure | value | target | unit |\n|---|---|---|---|\n{rows}\n"


def _row(figure: Figure, value: float | None) -> str:
    shown = "not measured" if value is None else f"{value:,g}" if abs(value) < 1e4 else f"{value:,.0f}"
    sign = "at least" if figure.better == "higher" else "at most"
    target = (
        ""
        if figure.target is None
        else f"{sign} {figure.target:g}" + {True: "", False: " (missed)", None: ""}[figure.met(value)]
    )
    return f"| `{figure.name}` | {shown} | {target} | {figure.unit} |\n"


if __name__ == "__main__":
    sys.exit(main())
