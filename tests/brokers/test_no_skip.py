"""A skip is an answer on a laptop and a failure in continuous integration."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = {
    "test": "import pytest\ndef test(): pytest.skip('no java')\n",
    "file": "import pytest\npytest.importorskip('no_such_module')\ndef test(): pass\n",
    "expected failure": "import pytest\n@pytest.mark.xfail\ndef test(): assert False\n",
}


@pytest.mark.parametrize(
    ("what", "allowed", "code"),
    [
        ("test", "0", 0),
        ("test", "1", 1),
        ("file", "0", 5),  # no test ran
        ("file", "1", 2),  # error while collecting
        ("expected failure", "1", 0),
    ],
)
def test_skip_fails_where_it_is_not_allowed(tmp_path: Path, what: str, allowed: str, code: int) -> None:
    """STREAMGAUGE_NO_SKIP=1 turns every skip into a failure that says what was skipped and why."""
    (tmp_path / "test_it.py").write_text(TESTS[what])
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", str(tmp_path), "-c", "/dev/null"],
        env={**os.environ, "STREAMGAUGE_NO_SKIP": allowed, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code, run.stdout
    assert ("which is not allowed here" in run.stdout) == (code in (1, 2))
