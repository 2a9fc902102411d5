"""An environment for each peer under ``build/peers``, made from the versions in ``requirements``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path("build/peers")

VERSIONS = """
import importlib.metadata, json, platform, sys
print(json.dumps({"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in sys.argv[1:]}))
"""


def python(environment: str) -> Path:
    """Return the interpreter of an environment."""
    return (FOLDER / environment / "bin" / "python").absolute()


def make(environment: str, home: Path = HERE) -> str:
    """Install an environment unless it is there already with these versions; return why it could not be, or ``""``.

    Args:
        home: where the folder ``requirements`` with its versions is.
    """
    requirements = home / "requirements" / f"{environment}.txt"
    done = FOLDER / environment / "installed.txt"
    if done.exists() and done.read_text() == requirements.read_text():
        return ""
    shutil.rmtree(FOLDER / environment, ignore_errors=True)
    folder, interpreter = str(FOLDER / environment), str(python(environment))
    if shutil.which("uv"):
        steps = [
            ["uv", "venv", "--quiet", "--python", sys.executable, folder],
            ["uv", "pip", "install", "--quiet", "--python", interpreter, "--requirements", str(requirements)],
        ]
    else:
        steps = [
            [sys.executable, "-m", "venv", folder],
            [interpreter, "-m", "pip", "install", "--quiet", "--requirement", str(requirements)],
        ]
    for step in steps:
        ended = subprocess.run(step, capture_output=True, text=True, check=False)
        if ended.returncode:
            return f"does not install: {ended.stderr.strip()[-300:]}"
    done.write_text(requirements.read_text())
    return ""


def versions(interpreter: str, packages: tuple[str, ...]) -> str:
    """Return the versions of Python and packages as JSON, as the environment itself knows them."""
    return subprocess.run([interpreter, "-c", VERSIONS, *packages], capture_output=True, text=True, check=True).stdout
