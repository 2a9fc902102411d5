"""Results on disk: a permutation that was run with this very code is not run again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.detection import panes

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "detection" / "results"


def _code() -> str:
    skip = {"page.py", "__main__.py", "checks.py", "evaluate.py"}
    files = [*ROOT.glob("detectors/*.py"), *Path(__file__).parent.glob("*.py"), ROOT / "stream" / "contrasts.py"]
    files = [path for path in files if path.name not in skip] + [ROOT / path for path in panes.CODE]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(set(files)))).hexdigest()[:12]


CODE = _code()
"""Digest of the code that the results depend on, as it was imported: files that change later are not what ran."""


def kept(key: str, seed: int, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a permutation from its file, or make and write it."""
    path = RESULTS / f"{key}-{CODE}" / f"{seed}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    row = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(json.dumps(row))
    os.replace(scratch, path)  # whole or not at all
    return row
