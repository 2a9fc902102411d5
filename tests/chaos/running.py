"""One seeded run, and the undisturbed run it is held against."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tests.broker import traffic
from tests.brokers.kafka import ROOT
from tests.chaos import nemesis
from tests.chaos.nemesis import Happened
from tests.chaos.process import SESSION_S
from tests.chaos.rig import SPEED, Rig, Stalled
from tests.chaos.verifying import Observed, verify

OUT = ROOT / "build" / "chaos"
FIRST, LAST = 8, traffic.SECONDS - 16
"""Between these seconds of the traffic the faults begin."""

GRACE_S = 60.0


def undisturbed() -> Observed:
    """Return what a run without faults wrote; it is kept for the code it was made with."""
    kept = OUT / f"undisturbed-{code()}.json"
    if kept.exists():
        return Observed(**json.loads(kept.read_text()))
    OUT.mkdir(parents=True, exist_ok=True)
    with Rig(0, workers=1, speed=2.0) as rig:
        rig.finish()
        _stop(rig)
        verdict, observed, _ = verify(rig.node.address, rig.producing, [], None)
    if not verdict.exact:
        raise RuntimeError("the undisturbed run is wrong:\n" + "\n".join(verdict.problems[:20]))
    rig.clean()
    kept.write_text(json.dumps(asdict(observed)))
    return observed


def run(seed: int, faults: list[str], calm: Observed, speed: float = SPEED) -> dict[str, Any]:
    """Run a schedule of faults; return its row of the table. ``speed``: seconds of event time per second."""
    begun = time.monotonic()
    rng = np.random.default_rng((seed, 1))
    row: dict[str, Any] = {"seed": seed, "faults": [], "exact": False, "stalled": "", "problems": []}
    with Rig(seed, faketime="clock_step" in faults, speed=speed) as rig:
        try:
            for n, name in enumerate(faults):
                due = FIRST + n * (LAST - FIRST) // len(faults)
                rig.producing.limit = FIRST + (n + 1) * (LAST - FIRST) // len(faults)
                rig.until(f"second {due} of the traffic", functools.partial(_has_come, rig, due), 120)
                happened = nemesis.FAULTS[name](rig, rng)
                row["faults"].append(_recovered(rig, name, happened))
            rig.finish()
            row["stops"] = _stop(rig)
        except Stalled as stalled:
            row["stalled"] = str(stalled)
        row["seconds_until_verified"] = round(time.monotonic() - begun)
        _judge(rig, row, faults, calm)
    if row["exact"]:
        rig.clean()
    else:
        row["logs"] = str(rig.folder)
    row["seconds"] = round(time.monotonic() - begun)
    return row


def _has_come(rig: Rig, second: int) -> bool:
    return rig.producing.second >= second


def _recovered(rig: Rig, name: str, happened: Happened) -> dict[str, Any]:
    """Wait until a fault is recovered from; return what is to be said of it."""
    rig.happens(lambda: rig.watching.reached(happened.target) is not None, GRACE_S)
    reached = rig.watching.reached(happened.target)
    seconds = None if reached is None else round(max(0.0, reached - happened.over), 2)
    return {"fault": name, "happened": happened.proof, "recovery_s": seconds, "seen": happened.seen}


def _stop(rig: Rig) -> list[tuple[int, float]]:
    stops = [worker.stop() for worker in rig.workers if worker.running]
    return [(code, round(seconds, 1)) for code, seconds in stops]


def _judge(rig: Rig, row: dict[str, Any], faults: list[str], calm: Observed) -> None:
    done = [item["fault"] for item in row["faults"]]
    verdict, observed, fold = verify(rig.node.address, rig.producing, done, calm)
    recoveries = [item["recovery_s"] for item in row["faults"] if item["recovery_s"] is not None]
    kills = sum(item["fault"] in ("kill_tap", "kill_judge", "kill_all", "storm") for item in row["faults"])
    never = [item["fault"] for item in row["faults"] if item["recovery_s"] is None]
    verdict.expect(not never, f"P11: not recovered within {GRACE_S:g} s: {never}")
    row |= {
        "exact": verdict.exact and not row["stalled"],
        "problems": _some(verdict.problems),
        "difference": verdict.difference,
        "lost": verdict.lost,
        "invented": verdict.invented,
        "changed": verdict.changed,
        "records": sum(len(values) for values in rig.producing.side.values()),
        "panes": len(observed.panes),
        "events": len(observed.events),
        "repeated": observed.repeated,
        "kills": kills,
        "dropped": dict(fold.dropped),
        "entries": fold.entries,
        "rebalances": sum(worker.assignments for worker in (*rig.workers, *rig.extra)),
        "recovery_p50_s": _quantile(recoveries, 0.5),
        "recovery_p95_s": _quantile(recoveries, 0.95),
        "recovery_max_s": max(recoveries, default=None),
        "longest_stall_s": round(rig.watching.longest, 1),
        "blind_unreported_s": round(rig.watching.unreported, 1),
        "ends": {worker.name: worker.ends for worker in rig.workers if worker.ends},
        "session_timeout_s": SESSION_S,
        "load": [round(value, 1) for value in os.getloadavg()],
    }


def _some(problems: list[str]) -> list[str]:
    """Return at most eight problems of each kind, which its first word names."""
    kinds: Counter[str] = Counter()
    found = []
    for problem in problems:
        kind = problem.partition(" ")[0]
        kinds[kind] += 1
        if kinds[kind] <= 8:
            found.append(problem)
    return found


def _quantile(values: list[float], q: float) -> float | None:
    return round(float(np.quantile(values, q)), 2) if values else None


def code() -> str:
    """Return a digest of all code that decides what an undisturbed run writes, and in which form it is kept."""
    parts = [path for folder in ("stream", "detectors") for path in sorted((ROOT / folder).rglob("*.py"))]
    parts += [ROOT / "tests" / name for name in ("broker/traffic.py", "broker/trained.py")]
    parts += [Path(__file__).with_name(name) for name in ("application.py", "verifying.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in parts)).hexdigest()[:12]
