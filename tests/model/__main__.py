"""``python -m tests.model``: how many examples it takes to find each broken variant.

``python -m tests.model NAME`` searches one variant and shrinks its counterexample to a history that a person can read.
"""

from __future__ import annotations

import statistics
import sys

from tests.model.search import search
from tests.model.variants import BROKEN, PROTOCOL

SEEDS = range(1, 6)
LIMIT = 4_000


def table() -> None:
    print(f"{'variant':<38}{'found':>6}{'examples: median':>18}{'most':>6}  first broken promise")
    for protocol in BROKEN:
        results = [search(protocol, LIMIT, seed) for seed in SEEDS]
        found = [result.examples for result in results if result.promise]
        numbers = f"{statistics.median(found):>18.0f}{max(found):>6}" if found else f"{'-':>18}{'-':>6}"
        promise = next((result.promise for result in results if result.promise), "")
        print(f"{protocol.name:<38}{len(found):>3}/{len(SEEDS)}{numbers}  {promise}", flush=True)


def main() -> None:
    if len(sys.argv) == 1:
        table()
        return
    wanted = [protocol for protocol in (PROTOCOL, *BROKEN) if protocol.name == sys.argv[1]]
    if not wanted:
        sys.exit("one of: " + ", ".join(protocol.name for protocol in BROKEN))
    result = search(wanted[0], LIMIT, seed=1, shrink=True)
    print(f"{result.examples} examples. {result.promise or 'Every promise held.'}")


if __name__ == "__main__":
    main()
