"""What is wrong with a configuration file, said to a person: where, what was found, what was expected, what to do.

All problems of a file are reported together, in the order of its lines, because a round of fixing one word at a time
costs more than reading ten blocks. A value is shown only shortened and never where a secret is expected.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

from pydantic_core import PydanticCustomError

from stream.config.yaml_tree import Document, Path

MAX_SHOWN = 60
MAX_PATH = 160


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        path: where, as keys and list positions from the root; empty for the file as a whole.
        message: what kind of thing is wrong, in a few words.
        found, expected, hint: see the module; empty when there is nothing to say.
        line, column: counted from 1; None when unknown.
    """

    path: Path
    message: str
    found: str = ""
    expected: str = ""
    hint: str = ""
    line: int | None = None
    column: int | None = None

    def render(self, file: str) -> str:
        """Return the block a person reads; the first line opens the place in most editors."""
        place = [file, *(str(number) for number in (self.line, self.column) if number is not None)]
        lines = [": ".join(part for part in (":".join(place), dotted(self.path), self.message) if part)]
        details = (("found", self.found), ("expected", self.expected), ("hint", self.hint))
        lines += [f"    {name + ':':<9} {text}" for name, text in details if text]
        return "\n".join(lines)


class SettingsError(Exception):
    """The configuration file cannot be used.

    Attributes:
        file: its name as it was given.
        problems: everything that is wrong, in the order of the lines.
    """

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        super().__init__(file, problems)
        self.file = file
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(problem.render(self.file) for problem in self.problems)


def located(problems: Iterable[Problem], document: Document) -> list[Problem]:
    """Return the problems with line and column, in the order of the lines."""
    placed = []
    for problem in problems:
        line, column = document.mark(problem.path) or (None, None)
        placed.append(
            Problem(problem.path, problem.message, problem.found, problem.expected, problem.hint, line, column)
        )
    return sorted(placed, key=lambda problem: (problem.line or 0, problem.column or 0, dotted(problem.path)))


def dotted(path: Path) -> str:
    """Return a path as people write it.

    >>> dotted(("kafka", "brokers", 1))
    'kafka.brokers[1]'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{spelled(part)}" if text else spelled(part)
    return text if len(text) <= MAX_PATH else f"{text[: MAX_PATH // 2]}...{text[-MAX_PATH // 2 :]}"


def spoken(path: str | File) -> str:
    """Return a file's name as it is shortest from the present folder: a long path hides what is wrong with it.

    >>> spoken(File.cwd() / "conf" / "fraud.yaml")
    'conf/fraud.yaml'
    """
    try:
        short = os.path.relpath(path)
    except OSError:  # the present folder was deleted
        return visible(str(path))
    return visible(short if len(short) < len(str(path)) else str(path))


def visible(text: str) -> str:
    r"""Return text that cannot steer a terminal.

    >>> visible("a\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(char if char.isprintable() else "?" for char in text)


def spelled(key: str) -> str:
    """Return a key for a terminal: shortened, and without control characters or half a character."""
    return repr(key)[1:-1][:MAX_SHOWN]


def shown(value: Any) -> str:
    """Return a value for an error message: shortened, and without anything that may carry a password.

    >>> shown({"field": "amount"}), shown([1, 2]), shown(True), shown("sasl://me:secret@kafka:9092")
    ('a mapping with field', 'a list of 2', 'true', "a text with '@' in it (not shown, it may hold a password)")
    """
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str() if "@" in value:
            return "a text with '@' in it (not shown, it may hold a password)"
        case str():
            return repr(value) if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]!r}... ({len(value)} characters)"
        case dict():
            keys = [spelled(key) for key in list(value)[:5]]
            count = f" and {len(value) - 5} more" if len(value) > 5 else ""
            return f"a mapping with {', '.join(keys)}{count}" if keys else "an empty mapping"
        case list():
            return f"a list of {len(value)}"
    return repr(value)[:MAX_SHOWN]


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """Return the candidate nearest to a mistyped word, "" when none is near."""
    folded = {candidate.lower(): candidate for candidate in candidates}
    near = difflib.get_close_matches(word.lower(), folded, n=1)
    return folded[near[0]] if near else ""


def suggestion(word: str, candidates: Iterable[str]) -> str:
    """Return the hint for a mistyped word, "" when nothing is near.

    >>> suggestion("scor", ["score", "stream"])
    "did you mean 'score'?"
    """
    near = did_you_mean(word, candidates)
    return f"did you mean {near!r}?" if near else ""


def refuse(
    expected: str, *, message: str = "not a valid value", hint: str = "", found: str = ""
) -> PydanticCustomError:
    """Return the error that a validator of a single value raises."""
    context = {"message": message, "expected": expected, "hint": hint, "found": found}
    return PydanticCustomError("setting", "{message}", context)
