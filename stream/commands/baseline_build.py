"""``streamgauge baseline build``: learn a reference now, from files or from the panes that were kept, into a file."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

from stream.arguments import DEFAULT_FILE
from stream.baselines import BUDGET, bins_of, summary
from stream.commands import baseline_file, standing
from stream.commands.baseline_file import Saved
from stream.commands.baseline_text import overview
from stream.commands.replay import _inputs
from stream.commands.showing import screen
from stream.commands.writing import run
from stream.config.compile import compile_plan
from stream.config.errors import spoken, visible
from stream.config.settings import Settings
from stream.exits import DATA, NO_INPUT, OK, Refusal
from stream.gathering import DAY_MS
from stream.jsonl import BadLineError
from stream.judging.night import night_lesson
from stream.kafka.cluster import require_ours
from stream.kafka.kept import kept_panes
from stream.plan import Plan
from stream.recalibrate import EPOCH, REACH_DAYS, Night
from stream.replay import Replay

Progress = Callable[[int], None]


def build(arguments: argparse.Namespace, settings: Settings) -> int:
    """Learn a reference and write it.

    Raises:
        Refusal: there is too little to learn from; an input cannot be read, or the output not be written.
    """
    plan, brokers = compile_plan(settings), ",".join(settings.kafka.brokers)
    if arguments.input:
        saved = _replayed(plan, _inputs(arguments.input, plan), settings.key.secret)
    else:
        saved = run(brokers, _kept(brokers, plan.app))
    file = Path(arguments.output)
    baseline_file.write(file, saved)
    out = screen()
    told = summary(saved.reference, bins_of([saved.layout]))
    for line in overview(f"{spoken(file)}: a baseline of {plan.app}", told, plan.false_alarms):
        out.print(line)
    words = shlex.join(["-c", str(arguments.config or DEFAULT_FILE), str(file)])
    out.print("\n" + visible(f'to bring it into force: streamgauge baseline adopt {words} --why "..."'))
    return OK


def _replayed(plan: Plan, files: dict[str, Path], secret: bytes) -> Saved:
    """Learn as a monitor that had read the files would have."""
    replay = Replay(plan, files, secret, lambda message: None)
    try:
        replay.run(tenths("replaying", sum(path.stat().st_size for path in files.values())))
    except BadLineError as error:
        raise Refusal(str(error), DATA) from None
    layout, reference = replay.judge.layout, replay.judge.reference
    if layout is None or not reference:
        raise Refusal(
            f"{replay.records:,} records are too few to learn what is normal; `streamgauge replay` says what is missing",
            DATA,
        )
    return Saved(layout, reference)


async def _kept(brokers: str, app: str) -> Saved:
    """Learn as the next night will, from the panes of the application."""
    await require_ours(brokers, app)
    judge = await standing.judge(brokers, app)
    if judge is None or judge.layout is None:
        raise Refusal(f"{app} has not begun: there are no panes to learn from; give files with --input", NO_INPUT)
    streams = {name: tree for name, tree in judge.reference.items() if name != BUDGET}
    lesson = night_lesson(judge.layout.plan, judge.watches, streams, judge.said.given)
    if lesson is None:
        raise Refusal("no stream has a first reference yet: `streamgauge check` says what is missing", NO_INPUT)
    night, since_ms = Night(lesson), (lesson["day"] - EPOCH - REACH_DAYS - 1) * DAY_MS
    progress = tenths("reading the kept panes", (lesson["day"] - EPOCH) * DAY_MS - since_ms)
    async for pane in kept_panes(brokers, app, lesson["coarse_ms"], since_ms):
        night.add(pane)
        progress(pane.index * lesson["coarse_ms"] - since_ms)
    sys.stderr.write("learning limits\n")
    return Saved(judge.layout, {**judge.reference, **night.reference()})


def tenths(what: str, total: int) -> Progress:
    """Return a function that is told how far something is, and says so on standard error for each tenth."""
    said = 0

    def progress(done: int) -> None:
        nonlocal said
        now = min(10 * done // max(total, 1), 10)
        if now > said:
            said = now
            sys.stderr.write(f"{what}: {10 * now} %\n")

    return progress
