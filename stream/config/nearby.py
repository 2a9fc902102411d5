"""The configuration file that is not there: what is wrong with the name, and which files beside it were probably meant."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path

from stream.config.errors import did_you_mean, spoken
from stream.config.yaml_tree import MAX_BYTES
from stream.exits import NO_INPUT, Refusal

LOOKED = 200
"""Files of a folder that are looked into."""
SHOWN = 5


def require_file(name: str) -> None:
    """Check that a configuration file can be opened. It is not opened: it may be a pipe, which can be read only once.

    Raises:
        Refusal: it does not exist, is a folder, or may not be read; with the files that look like one.
    """
    path = Path(name)
    try:
        if path.is_dir():
            raise Refusal(f"{spoken(path)}: is a folder, not a configuration file{_hint(path, '')}", NO_INPUT)
        if not path.exists():
            raise Refusal(f"{spoken(path)}: no such configuration file{_hint(path.parent, path.name)}", NO_INPUT)
    except OSError as error:
        raise Refusal(f"{spoken(path)}: cannot be read: {(error.strerror or '').lower()}", NO_INPUT) from None
    if not os.access(path, os.R_OK):
        raise Refusal(f"{spoken(path)}: cannot be read: permission denied", NO_INPUT)


def _hint(folder: Path, name: str) -> str:
    found = {path.name: path for path in candidates(folder)}
    if not found:
        return ""
    near = did_you_mean(name, found)
    if near or len(found) == 1:
        return f"; did you mean {spoken(found[near or next(iter(found))])}?"
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"; these look like one: {', '.join(map(spoken, list(found.values())[:SHOWN]))}{more}"


def candidates(folder: Path) -> list[Path]:
    """Return the files of a folder that look like a configuration, by name; none when it cannot be read."""
    try:
        names = islice((path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")), LOOKED)
        return sorted(path for path in names if path.is_file() and _looks_like_one(path))
    except OSError:
        return []


def _looks_like_one(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            text = stream.read(MAX_BYTES)
    except OSError:
        return False
    return all(re.search(rb"^%s\s*:" % key, text, re.MULTILINE) for key in (b"app", b"models"))
