"""``streamgauge replay``: the monitor over files, and what it would have sent."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from stream.commands.showing import screen
from stream.commands.verdict import verdict
from stream.config.compile import compile_plan
from stream.config.errors import suggestion
from stream.config.settings import Settings
from stream.exits import DATA, NO_INPUT, OK, USAGE, Refusal
from stream.judging.alerts import AlertRecord, to_line
from stream.plan import Plan
from stream.publishing import Message
from stream.replay import BadLineError, Replay

STEPS = 10
"""Plain lines of progress where there is no terminal: one for each tenth."""

STDOUT = "-"


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Replay files.

    Raises:
        Refusal: an input is not there, not configured or not readable.
    """
    plan = compile_plan(settings)
    files = _inputs(arguments.input, plan)
    events: list[dict[str, Any]] = []
    with ExitStack() as stack:
        lines = _output(arguments.alerts, stack)

        def emit(message: Message) -> None:
            if message.topic == "alerts":
                line = to_line(AlertRecord(message.key, list(message.headers), message.value))
                events.append(orjson.loads(line))
                if lines is not None:
                    lines.write(line + "\n")

        replay = Replay(plan, files, settings.key.secret, emit)
        size = sum(path.stat().st_size for path in files.values())
        try:
            with _progress(size, arguments.quiet) as progress:
                replay.run(progress)
        except BadLineError as error:
            raise Refusal(str(error), DATA) from None
    if not replay.records:
        raise Refusal(f"{', '.join(map(str, files.values()))}: no record", DATA)
    if not arguments.quiet:
        out = screen(sys.stderr if arguments.alerts == STDOUT else sys.stdout)
        for line in verdict(replay, events):
            out.print(line)
    if not any(sum(watch.closed.values()) for watch in replay.judge.watches.values()):
        raise Refusal(
            'nothing was judged: not one pane was completed. Each line needs its time: give "timestamp" (ms) in an envelope, '
            "or `time: {field: ..., unit: ...}` in the configuration",
            DATA,
        )
    return OK


def _inputs(texts: Sequence[str], plan: Plan) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for text in texts:
        topic, sign, name = text.partition("=")
        if not sign or not topic or not name:
            raise Refusal(f"--input {text}: expected TOPIC=FILE", USAGE)
        if topic not in plan.topics:
            hint = suggestion(topic, plan.topics) or f"its topics are {', '.join(plan.topics)}"
            raise Refusal(f"--input {text}: topic {topic} is not in the configuration; {hint}", USAGE)
        if topic in files:
            raise Refusal(f"--input {text}: topic {topic} was given before; one file is one partition", USAGE)
        files[topic] = _readable(Path(name))
    return files


def _readable(path: Path) -> Path:
    try:
        with path.open("rb"):
            return path
    except OSError as error:
        raise Refusal(f"{path}: cannot be read: {(error.strerror or 'unknown reason').lower()}", NO_INPUT) from None


def _output(name: str | None, stack: ExitStack) -> TextIO | None:
    if name is None or name == STDOUT:
        return None if name is None else sys.stdout
    try:
        return stack.enter_context(open(name, "w", encoding="utf-8"))
    except OSError as error:
        raise Refusal(f"{name}: cannot be written: {(error.strerror or 'unknown reason').lower()}", NO_INPUT) from None


@contextmanager
def _progress(total: int, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Yield a function that is told how many bytes are read: a bar on a terminal, otherwise a line for each tenth."""
    console = Console(stderr=True)
    if quiet:
        yield lambda size: None
        return
    if not console.is_terminal:
        yield _Tenths(total)
        return
    columns = (TextColumn("replaying"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda size: bar.update(task, completed=size)


class _Tenths:
    def __init__(self, total: int) -> None:
        self._total = total
        self._said = 0

    def __call__(self, size: int) -> None:
        now = STEPS * size // self._total if self._total else 0
        if now > self._said:
            self._said = now
            sys.stderr.write(f"replaying: {100 // STEPS * now} %\n")
