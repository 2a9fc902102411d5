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
TOP = (
    "baseline_diff",
    "baseline_fit",
    "baselines",
    "batch",
    "coarse",
    "codec",
    "contrasts",
    "counts",
    "cursor",
    "explaining",
    "gathering",
    "publishing",
    "judge",
    "layout",
    "learn",
    "ledger",
    "left_out",
    "panes",
    "parts",
    "plan",
    "recalibrate",
    "redating",
    "segmenting",
    "tap",
    "trouble",
)
PURE = [
    *(f"stream/{name}.py" for name in TOP),
    *(name for name in NAMES if name.startswith(("stream/judging/", "stream/reading/"))),
    "stream/config/compile.py",
]
"""The core: it folds; it neither waits nor looks at a clock."""

MAY_USE = ("stream.judging", "stream.reading", "stream.config.models", "stream.config.durations")
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


@pytest.mark.parametrize("name", PURE)
def test_the_core_is_pure(name: str) -> None:
    """The core imports only what is as pure."""
    path = ROOT / name
    assert not tops(path) & NEVER_IN_THE_CORE
    core = {item.removesuffix(".py").replace("/", ".") for item in PURE}
    used = {module for module in imports(path) if module.startswith("stream.")}
    assert all(module in core or module.startswith(MAY_USE) for module in used), f"{name} imports {sorted(used - core)}"


def test_only_the_app_reads_a_clock() -> None:
    """Time is an argument: real clocks are read in app, by what measures itself, and by the demo's producer."""
    may = {"stream/app.py", "stream/serving/exposition.py", "stream/kafka/hooks.py"}
    readers = {str(p.relative_to(ROOT)) for p in MODULES if "time" in tops(p) and "demo" not in p.parts}
    assert readers <= may, f"{sorted(readers - may)} import time"


def test_only_hooks_touch_private_parts_of_the_engine() -> None:
    """Private parts of Faust and aiokafka are used in four modules of `stream/kafka`; `hooks` tests at start that they exist."""
    engines = {"faust", "mode", "aiokafka"}
    deep = {
        str(p.relative_to(ROOT))
        for p in MODULES
        for name in imports(p)
        if name.split(".")[0] in engines and name.count(".") >= 2 and not name.startswith("aiokafka.admin")
    }
    # `cluster` sends one request of the protocol itself: aiokafka's own way of asking about a topic may create it.
    # `checksum` stands in the place of the class that cuts a fetch into batches, and uses that class.
    assert deep <= {f"stream/kafka/{name}.py" for name in ("hooks", "inflate", "cluster", "checksum")}


@pytest.mark.parametrize("path", MODULES, ids=NAMES)
def test_modules_stay_readable(path: Path) -> None:
    """No module is longer than a reader can hold."""
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_a_newcomer_finds_every_idea_by_its_file_name() -> None:
    """DESIGN.md names every module of the core and of the edges to Kafka."""
    design = (ROOT / "DESIGN.md").read_text()
    folders = [ROOT / "stream" / name for name in (".", "judging", "kafka", "reading")]
    names = {path.name for folder in folders for path in folder.glob("*.py")} - {"__init__.py"}
    assert sorted(name for name in names if name not in design) == []
