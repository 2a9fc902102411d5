"""One peer on the rows of one permutation: installed, run on one core in a process of its own, its results kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.detection.peers.peers import Peer
from benchmarks.peers import environments
from benchmarks.peers.running import pinned
from stream import codec

HERE = Path(__file__).parent
APPS = HERE / "apps"
FOLDER = Path("build/detection/peers")


def home(environment: str) -> Path:
    """Return the folder whose ``requirements`` describe an environment: ours, or the one of the throughput comparison."""
    own = (HERE / "requirements" / f"{environment}.txt").exists()
    return HERE if own else environments.HERE


def install(environment: str) -> str:
    """Install an environment unless it is there; return why it could not be, or ``""``."""
    return environments.make(environment, home(environment)) if environment else ""


def interpreter(peer: Peer) -> str:
    """Return the Python that runs a peer."""
    return str(environments.python(peer.environment)) if peer.environment else sys.executable


def measure(peer: Peer, rows: Path, core: int) -> dict[str, Any]:
    """Run a peer on rows, unless the same code with the same packages has been run on them before.

    Returns:
        grid, default: its settings. cpu_s: seconds. alarm_days bool[G, 1 + D, K], delay_h float64[G, I]: at each setting.

    Raises:
        benchmarks.peers.running.PeerError: with the reason.
    """
    code = [(APPS / name).read_text() for name in (peer.script, "protocol.py")]
    if peer.environment:
        code.append((home(peer.environment) / "requirements" / f"{peer.environment}.txt").read_text())
    name = f"{Path(peer.script).stem}-{peer.variant.replace('/', '-')}-{codec.digest([rows.name, peer.variant, code])}"
    arrays, said = FOLDER / f"{name}.npz", FOLDER / f"{name}.json"
    if not said.exists():  # it is written last
        figures = pinned([interpreter(peer), str(APPS / peer.script), str(rows), str(arrays), peer.variant], core)
        said.write_text(json.dumps(figures))
    kept: dict[str, Any] = json.loads(said.read_text())
    with np.load(arrays) as file:
        return kept | {key: file[key] for key in file.files}
