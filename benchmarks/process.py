"""What the kernel says of a process: resident memory and open descriptors (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident_mb(pid: int | str = "self") -> float:
    """Return resident memory in MB (10^6 bytes)."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 1e6


def descriptors(pid: int | str = "self") -> int:
    """Return how many file descriptors are open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
