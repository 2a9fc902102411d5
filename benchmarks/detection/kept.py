"""Results on disk: a permutation that was run with this very code is not run again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.detection import panes
from detectors.baseline import Baseline
from detectors.budget import Learned
from detectors.risk_control import Normaliser
from stream import codec

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
RESULTS = ROOT / "build" / "detection" / "results"


def _code() -> str:
    skip = {"page.py", "__main__.py", "checks.py", "evaluate.py"}
    files = [*ROOT.glob("detectors/*.py"), *Path(__file__).parent.glob("*.py")]
    files = [path for path in files if path.name not in skip]
    files += [ROOT / path for path in (*panes.CODE, "stream/coarse.py", "stream/contrasts.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(set(files)))).hexdigest()[:12]


CODE = _code()
"""Digest of the code that the results depend on, as it was imported: files that change later are not what ran."""


def kept(key: str, seed: int, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a permutation from its file, or make and write it."""
    return _kept(_folder(key) / f"{seed}.json", make, json.loads, lambda row: json.dumps(row).encode())


def remembered(key: str, seed: int, make: Callable[[], Learned]) -> Learned:
    """Return what a permutation has learned, so that whoever comes back to it need not learn again."""

    def load(frame: bytes) -> Learned:
        tree = codec.unpack(frame)[1]
        return Learned(Baseline(**tree["baseline"]), Normaliser(**tree["normaliser"]), tree["scored"])

    return _kept(_folder(key) / f"{seed}.learned", make, load, lambda learned: codec.pack({}, asdict(learned)))


def done(key: str, seeds: int) -> bool:
    """Whether all permutations are there."""
    return all((_folder(key) / f"{seed}.json").exists() for seed in range(seeds))


def _folder(key: str) -> Path:
    return RESULTS / f"{key}-{CODE}"


def _kept(path: Path, make: Callable[[], T], load: Callable[[bytes], Any], dump: Callable[[T], bytes]) -> T:
    if path.exists():
        found: T = load(path.read_bytes())
        return found
    made = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_bytes(dump(made))
    os.replace(scratch, path)  # whole or not at all
    return made
