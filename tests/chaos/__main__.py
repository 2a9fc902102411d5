"""``python -m tests.chaos``: seeded runs of faults against real workers on a real Apache Kafka, judged by an oracle.

A seed that has its row in build/chaos/ is not run again as long as the code is the same; ``--again`` forgets the rows. The
table is build/chaos.json, and for people build/chaos.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from tests.brokers.kafka import ROOT, lacking
from tests.chaos import nemesis, running
from tests.chaos.process import FAKETIME
from tests.chaos.table import line, markdown, summary


def main() -> int:
    """Run the seeds that are missing; return 0 when every run was exact."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many (default 20: 45 minutes)")
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
        named = args.faults.replace(",", "-")[:80] if args.faults else str(seed)
        kept = running.OUT / f"run-{named}-{running.code()}.json"
        if args.again or args.faults or not kept.exists():
            row = running.run(seed, faults, calm)
            kept.write_text(json.dumps(row, indent=1, default=str))
        rows.append(json.loads(kept.read_text()))
        print(line(rows[-1]), flush=True)
    if not args.faults:
        total = summary(rows)
        (ROOT / "build" / "chaos.json").write_text(json.dumps(total, indent=1))
        (ROOT / "build" / "chaos.md").write_text(markdown(total))
    return 0 if all(row["exact"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
