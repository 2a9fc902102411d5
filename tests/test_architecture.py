"""Dependencies point one way: detectors <- pure core of stream <- edges <- app. And modules stay small enough to read."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(path for package in ("detectors", "stream") for path in (ROOT / package).rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]

DETECTORS_MAY = {"numpy", "scipy", "river"}
NEVER_IN_DETECTORS = {"asyncio", "time", "logging", "os", "random", "threading", "socket", "subprocess", "secrets"}
PURE = {
    "advice", "alerts", "bank", "batch", "codec", "columns", "compile", "counts", "cursor", "describe", "drift",
    "durations", "eventtime", "evidence", "findings", "fold", "frontier", "host", "incident", "incidents", "judge",
    "layout", "ledger", "learning", "moved", "news", "panes", "plan", "pulse", "records", "sketch", "sorting", "tally", "tap",
    "thin", "view", "watch",
}  # fmt: skip
MORE = {"learn", "durations", "setting_models"}
NEVER_IN_THE_CORE = {
    "asyncio",
    "time",
    "logging",
    "random",
    "threading",
    "faust",
    "mode",
    "aiokafka",
    "aiohttp",
    "prometheus_client",
}
MAX_LINES = 400


def imports(path: Path) -> set[str]:
    """Return every module that a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
    return found


def tops(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


@pytest.mark.parametrize("path", [p for p in MODULES if p.parts[-2] == "detectors"], ids=lambda p: p.name)
def test_detectors_know_numbers_only(path: Path) -> None:
    """A detector imports the standard library, numpy, scipy and river; no clock, no I/O, nothing of stream."""
    used = tops(path) - {"detectors", "__future__"}
    assert not used & NEVER_IN_DETECTORS
    assert used <= DETECTORS_MAY | set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", sorted(PURE))
def test_the_core_is_pure(name: str) -> None:
    """The core folds; it neither waits nor looks at a clock, and imports only what is as pure."""
    path = ROOT / "stream" / f"{name}.py"
    assert not tops(path) & NEVER_IN_THE_CORE
    inside = {module.split(".")[1] for module in imports(path) if module.startswith("stream.")}
    assert inside <= PURE | MORE, f"{name} imports {sorted(inside - PURE)}"


def test_only_the_app_reads_a_clock() -> None:
    """Time is an argument: real clocks are read in app, by what measures itself, and by the demo's producer."""
    may = {"stream/app.py", "stream/exposition.py", "stream/hooks.py"}
    readers = {
        str(p.relative_to(ROOT))
        for p in MODULES
        if "time" in tops(p) and "demo" not in p.parts and "commands" not in p.parts
    }
    assert readers <= may, f"{sorted(readers - may)} import time"


def test_only_hooks_touch_private_parts_of_the_engine() -> None:
    """Private attributes of Faust and aiokafka are used in one module, which tests at start that they are there."""
    engines = {"faust", "mode", "aiokafka"}
    deep = {
        str(p.relative_to(ROOT))
        for p in MODULES
        for name in imports(p)
        if name.split(".")[0] in engines and name.count(".") >= 2 and not name.startswith("aiokafka.admin")
    }
    # `cluster` sends one request of the protocol itself: aiokafka's own way of asking about a topic may create it.
    assert deep <= {"stream/hooks.py", "stream/inflate.py", "stream/cluster.py"}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_stay_readable(path: Path) -> None:
    """No module is longer than a reader can hold."""
    assert len(path.read_text().splitlines()) <= MAX_LINES
