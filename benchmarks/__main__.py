"""``python -m benchmarks [group ...]``: measure, and write ``build/bench.json``.

Each group runs in a process of its own, one after the other, so that none measures what another left in memory. The whole run
takes under 12 minutes on two cores; the machine should do nothing else. The soak takes 20 minutes and is not among them: what it
measured last (``make soak``) stays in the report.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.figures import CATALOGUE, Report
from tests.brokers.kafka import lacking

GROUPS = ("throughput", "scaling", "judging", "scraping", "latency", "ledger", "memory", "day", "sizing")
FILE = Path("build/bench.json")
UNAVAILABLE = 69


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="group", help=f"of {', '.join(GROUPS)}; all when none is named")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes; 1 is what the report stands for")
    parser.add_argument("--into", type=Path, default=FILE)
    parser.add_argument("--here", action="store_true", help="in this process (used by the run over all groups)")
    parser.add_argument("--quick", action="store_true", help="the throughput ratio alone, on fewer records; under 60 s")
    options = parser.parse_args()
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group named {', '.join(sorted(unknown))}")
    if missing := lacking():
        print(f"the benchmarks need Apache Kafka: {missing}", file=sys.stderr)
        return UNAVAILABLE
    if options.quick:
        return quick()
    groups = options.groups or list(GROUPS)
    if options.here:
        for group in groups:
            measure(group, options.scale, options.into)
        return 0
    if not options.groups:
        forget(options.into)
    failed = 0
    for group in groups:
        begun = time.monotonic()
        print(f"== {group}", flush=True)
        command = [sys.executable, "-m", "benchmarks", group, "--here", "--scale", str(options.scale)]
        if code := subprocess.run([*command, "--into", str(options.into)], check=False).returncode:
            print(f"{group} failed: its figures are not measured", file=sys.stderr)
            failed = failed or code
        print(f"   {time.monotonic() - begun:.0f} s", flush=True)
    return failed


def measure(group: str, scale: float, into: Path) -> None:
    """Measure one group and put its figures into the report."""
    report = Report.load(into)
    report.add(group, *importlib.import_module(f"benchmarks.{group}").measure(scale))
    report.save(into)
    print("\n".join(report.lines([group])))


def forget(file: Path) -> None:
    """Begin a report anew; only what the soak measured stays."""
    before, report = Report.load(file), Report()
    stays = {figure.name for figure in CATALOGUE if figure.group == "soak"}
    report.values = {name: value for name, value in before.values.items() if name in stays}
    report.details = {name: item for name, item in before.details.items() if name == "soak"}
    report.save(file)


def quick() -> int:
    """Print the throughput ratio on a third of the records, in two rounds; the report is left alone."""
    from benchmarks import throughput  # noqa: PLC0415 - only here is it measured in this process

    figures, _ = throughput.measure(1 / 3, rounds=2, limit=False)
    report = Report()
    report.add("throughput", figures)
    print("\n".join(line for line in report.lines(["throughput"]) if "not measured" not in line))
    return 0


if __name__ == "__main__":
    sys.exit(main())
