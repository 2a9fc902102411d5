"""One run of one peer: on one core, in a process of its own, its counts checked."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import python
from benchmarks.peers.peers import Peer
from benchmarks.peers.workload import Window, merge

APPS = Path(__file__).parent / "apps"
LIMIT_S = 240
QUIET = {"DO_NOT_TRACK": "1", "WHYLOGS_NO_ANALYTICS": "True", "PATHWAY_THREADS": "1"}


class PeerError(Exception):
    """A peer that ended without figures."""


def run(peer: Peer, core: int, brokers: str, topic: str, total: int) -> dict[str, Any]:
    """Let a peer read ``total`` records; return its figures.

    Raises:
        PeerError: with the reason.
    """
    with tempfile.TemporaryDirectory() as scratch:
        script = [str(python(peer.environment)), str(APPS / peer.script)]
        return pinned([*script, brokers, topic, str(total), peer.variant, scratch], core)


def streamgauge(kind: str, core: int, file: Path, total: int) -> dict[str, Any]:
    """Run a worker of Streamgauge until its ledger has accepted ``total`` records; ``kind`` is ``learn`` or ``measure``."""
    return pinned([sys.executable, "-m", "benchmarks.peers.ours", kind, str(file), str(total)], core)


def pinned(command: list[str], core: int) -> dict[str, Any]:
    """Run a command on one core; return the line of JSON that it prints, and the CPU of its whole life."""
    before = os.times()
    try:
        ended = subprocess.run(
            ["taskset", "--cpu-list", str(core), *command],
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
            env=os.environ | QUIET,
        )
    except subprocess.TimeoutExpired:
        raise PeerError(f"had not read its records after {LIMIT_S} s") from None
    after = os.times()
    lines = [line for line in ended.stdout.splitlines() if line.startswith('{"cpu_s"')]
    if not lines:
        raise PeerError(f"ended with {ended.returncode}: {ended.stderr.strip()[-300:]}")
    figures: dict[str, Any] = json.loads(lines[-1])
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return figures | {"life_cpu_s": round(used, 3)}


def verdict(windows: list[list[float]], expected: dict[int, Window]) -> tuple[int, int]:
    """Return how many windows came complete, and how many of these hold the numbers that were produced.

    A window is complete when its records are: peers that read a part of the topic break off in the middle of some. Smallest and
    largest may differ in the last binary digit, since not every JSON reader rounds alike.
    """
    found: dict[int, Window] = {}
    for start, *row in windows:
        found[int(start)] = merge(found[int(start)], row) if int(start) in found else row
    complete = right = 0
    for start, row in found.items():
        wanted = expected[start]
        if sum(row[:2]) < sum(wanted[:2]):
            continue
        complete += 1
        right += row[:2] == wanted[:2] and all(map(_same, row[2:], wanted[2:]))
    return complete, right


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=4e-16)
