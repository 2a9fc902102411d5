"""``streamgauge replay``: the monitor over files, and what it would have sent."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from stream.commands.showing import number, screen
from stream.commands.summing_up import incidents, summing_up
from stream.config.compile import compile_plan
from stream.config.durations import format_duration
from stream.config.errors import spoken, suggestion
from stream.config.settings import Settings
from stream.exits import CANNOT_WRITE, DATA, FAILED, NO_INPUT, OK, USAGE, Refusal
from stream.jsonl import BadLineError
from stream.judging.alerts import AlertRecord, to_line
from stream.judging.findings import SEVERITIES
from stream.plan import Plan
from stream.publishing import Message
from stream.replay import Replay

STEPS = 10
"""Plain lines of progress where there is no terminal: one for each tenth."""

STDOUT = "-"


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Replay files.

    Raises:
        Refusal: an input is not there, not configured or not readable; nothing was judged; the gate is closed.
    """
    plan = compile_plan(settings)
    files = _inputs(arguments.input, plan)
    events: list[dict[str, Any]] = []
    with ExitStack() as stack:
        lines = _output(arguments.alerts, files.values(), stack)

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
        raise Refusal(f"{', '.join(map(spoken, files.values()))}: no record", DATA)
    if not arguments.quiet:
        out = screen(sys.stderr if arguments.alerts == STDOUT else sys.stdout)
        for line in summing_up(replay, events):
            out.print(line)
    if not any(sum(watch.closed.values()) for watch in replay.judge.watches.values()):
        raise Refusal(f"nothing was judged: {_why(replay)}", DATA)
    return _gate(arguments.fail_on, events)


def _why(replay: Replay) -> str:
    """Return why not one pane was completed."""
    accounts = [account for watch in replay.judge.watches.values() for account in watch.accounts.values()]
    if not any(account.classes["applied"] or account.classes["late"] for account in accounts):
        reasons = sorted({reason for account in accounts for reason in account.rejected})
        rejected = f"all rejected ({', '.join(reasons)})" if reasons else "all filtered or empty"
        return f"{number(replay.records, 'record')} read and none counted: {rejected}"
    return (
        f"not one pane of {format_duration(replay.plan.pane_ms)} was completed: the file ends before, or its lines have no "
        'time. Give each as {"timestamp": ms, "value": {...}} (a kcat line for that: streamgauge replay --help), '
        "or say which field holds it: time: {field: ts, unit: ms} in the configuration"
    )


def _gate(limit: str | None, events: list[dict[str, Any]]) -> int:
    """Return OK unless an alert of at least the severity named by ``--fail-on`` would have been sent.

    Raises:
        Refusal: one would have been; it says how many, because a pipeline shows little else.
    """
    if limit is None:
        return OK
    severe = [item for item in incidents(events) if SEVERITIES.index(item.severity) >= SEVERITIES.index(limit)]
    if not severe:
        return OK
    counts = [sum(item.severity == name for item in severe) for name in SEVERITIES]
    said = " and ".join(number(count, name) for count, name in zip(counts, SEVERITIES, strict=True) if count)
    raise Refusal(f"{said} would have been sent (--fail-on {limit})", FAILED)


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
        raise Refusal(
            f"{spoken(path)}: cannot be read: {(error.strerror or 'unknown reason').lower()}", NO_INPUT
        ) from None


def _output(name: str | None, inputs: Iterable[Path], stack: ExitStack) -> TextIO | None:
    if name is None or name == STDOUT:
        return None if name is None else sys.stdout
    if any(os.path.exists(name) and path.samefile(name) for path in inputs):
        raise Refusal(f"--alerts {spoken(name)}: it is an input, and would be overwritten", USAGE)
    try:
        return stack.enter_context(open(name, "w", encoding="utf-8"))
    except OSError as error:
        raise Refusal(
            f"{spoken(name)}: cannot be written: {(error.strerror or 'unknown reason').lower()}", CANNOT_WRITE
        ) from None


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
