"""Results on disk: a permutation that was run with this very code is not run again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build" / "detection" / "results"


def kept(key: str, seed: int, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the row of a permutation from its file, or make and write it."""
    path = RESULTS / f"{key}-{code()}" / f"{seed}.json"
    if path.exists():
        found: dict[str, Any] = json.loads(path.read_text())
        return found
    row = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(row))
    return row


@lru_cache(maxsize=1)
def code() -> str:
    """Return a digest of the code that the results depend on."""
    skip = {"page.py", "__main__.py", "checks.py", "evaluate.py"}
    paths = [*ROOT.glob("detectors/*.py"), *Path(__file__).parent.glob("*.py"), ROOT / "stream" / "contrasts.py"]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths) if path.name not in skip)).hexdigest()[
        :12
    ]
