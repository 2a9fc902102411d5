"""``python -m benchmarks.detection.peers``: other tools beside ours, on the same rows of the same permutations.

What a peer has done is not done again; our own splits and steps are. It writes build/detection/peers/<environment>.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection import null, steps
from benchmarks.detection.environments import environment
from benchmarks.detection.panes import series
from benchmarks.detection.peers import exchange, tuning
from benchmarks.detection.peers.measuring import FOLDER, install, interpreter, measure
from benchmarks.detection.peers.peers import PEERS, Peer
from benchmarks.peers.environments import versions
from benchmarks.peers.running import PeerError
from detectors.base import Floats
from detectors.risk_control import calibrate

FEW_EACH = 10
"""Steps of each size and permutation for a peer that is shown few streams."""


@dataclass
class Permutations:
    """What was made of the permutations.

    Attributes:
        ours: our own method on all of them. rows: files of rows by number of streams (0: all), with the sizes of their steps.
    """

    ours: tuning.Results
    rows: dict[int, list[tuple[Path, Floats]]] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.peers", description=__doc__)
    parser.add_argument("--environment", default="flights")
    parser.add_argument("--seeds", type=int, default=8, help="permutations")
    parser.add_argument("--pane-minutes", type=int, default=15)
    parser.add_argument("--steps", type=int, default=25, help="of each size and permutation")
    parser.add_argument("--budget", type=float, default=1.0, help="of our own method, false alarms per week")
    options = parser.parse_args()
    parts = permuted(options)
    allowed = float(parts.ours.rates()[0])
    ours = tuning.row(parts.ours, [options.budget], 0, allowed)
    print(
        f"ours: {allowed:.2f} openings per week at a budget of {options.budget:g}; peers are tuned to that", flush=True
    )
    report = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "options": vars(options),
        "streams": parts.ours.alarm_days.shape[3],
        "allowed_per_week": allowed,
        "ours": ours,
        "peers": [compared(peer, parts, allowed) for peer in PEERS],
    }
    path = FOLDER / f"{options.environment}.json"
    path.write_text(json.dumps(report, indent=1))
    print(f"written: {path}")
    return 0


def permuted(options: argparse.Namespace) -> Permutations:
    """Permute, let our own method find the steps, and write what the peers will see."""
    whole = environment(options.environment, list(series(options.environment)), options.pane_minutes * 60_000)
    unit = steps.deviations(whole)
    rows: dict[int, list[tuple[Path, Floats]]] = {
        streams: [] for streams in {0, *(peer.streams for peer in PEERS if peer.streams < len(whole.names))}
    }
    days, delay, size = [], [], []
    for seed in range(options.seeds):
        part = null.split(whole, seed)
        drawn = steps.drawn(whole, seed, options.steps)
        threshold = calibrate(part.learned.scored, options.budget)
        maxima = null.monitored_maxima(whole, part, threshold)
        days.append(maxima > threshold)
        delay.append(steps.inject(whole, part, drawn, unit, threshold, maxima).hours)
        size.append(drawn.size)
        for streams, files in rows.items():
            if streams:
                chosen = np.sort(np.random.default_rng((seed, 13)).choice(len(whole.names), streams, replace=False))
                few, own = exchange.narrowed(whole, part, chosen)
                injected, scale = steps.drawn(few, seed, FEW_EACH), unit[chosen]
            else:
                few, own, injected, scale = whole, part, drawn, unit
            files.append((exchange.write(exchange.rows(few, own, injected, scale), FOLDER), injected.size))
        print(f"permutation {seed + 1} of {options.seeds}", flush=True)
    ours = tuning.Results(np.array(days)[:, None], np.array(delay)[:, None], np.array(size))
    return Permutations(ours, rows)


def compared(peer: Peer, parts: Permutations, allowed: float) -> dict[str, Any]:
    """Return the row of a peer; one without figures says why."""
    files = parts.rows.get(peer.streams, parts.rows[0])
    files = files[: peer.permutations or len(files)]
    facts: dict[str, Any] = {"name": peer.name, "grid_over": peer.setting, "sees": peer.sees}
    begun = time.monotonic()
    try:
        if reason := install(peer.environment):
            raise PeerError(reason)
        found = list(runs(peer, files))
    except PeerError as failure:
        print(f"{peer.name:<34} {failure}", flush=True)
        return facts | {"reason": str(failure)}
    results = tuning.Results(
        np.array([one["alarm_days"] for one in found]),
        np.array([one["delay_h"] for one in found]),
        np.array([size for _, size in files]),
    )
    table = tuning.row(results, found[0]["grid"], found[0]["default"], allowed)
    default, tuned = table["default"], table["tuned"]
    print(
        f"{peer.name:<34} {default['openings_per_week']:5.2f} at {default['setting']:g}, tuned "
        f"{'never as quiet' if tuned is None else '{openings_per_week:.2f} at {setting:g}'.format(**tuned)}"
        f"  ({time.monotonic() - begun:.0f} s)",
        flush=True,
    )
    return (
        facts
        | {
            "versions": json.loads(versions(interpreter(peer), peer.packages)),
            "permutations": len(files),
            "streams": results.alarm_days.shape[3],
            "steps_of_each_size": int((results.size == results.size.min()).sum()),
            "cpu_s": round(sum(one["cpu_s"] for one in found), 1),
        }
        | table
    )


def runs(peer: Peer, files: list[tuple[Path, Floats]]) -> Iterator[dict[str, Any]]:
    """Yield what a peer made of each file."""
    core = max(os.sched_getaffinity(0))
    for number, (path, _) in enumerate(files):
        print(f"{peer.name:<34} {number + 1} of {len(files)}", end="\r", flush=True)
        yield measure(peer, path, core)


if __name__ == "__main__":
    sys.exit(main())
