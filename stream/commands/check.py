"""``streamgauge check``: is the file right, is the cluster right, and what do its records look like to us?"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.text import Text

from stream.commands import arming
from stream.commands.doubts import doubts
from stream.commands.recordview import chosen, classes, record_lines
from stream.commands.sampling import Sample, sample
from stream.commands.showing import screen
from stream.commands.standing import judge
from stream.commands.understanding import Understood, understand
from stream.config.compile import compile_plan
from stream.config.hash_key import NO_KEY
from stream.config.settings import Settings
from stream.exits import OK
from stream.judge import Judge
from stream.kafka.cluster import describe, ours, require
from stream.layout import layout_zero
from stream.plan import Plan

SAMPLED = 200
"""Records looked at in each topic; three of each stream are shown."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the cluster answered.

    Attributes:
        partitions: of each input topic. samples: of each input topic. ours: partition counts of those of our topics that
            exist. judge: as it stands, None before it has begun.
    """

    partitions: dict[str, int]
    samples: dict[str, Sample]
    ours: dict[str, int]
    judge: Judge | None


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check a configuration and print what was found.

    Raises:
        Refusal: no broker, a missing topic, a missing right.
    """
    plan = compile_plan(settings)
    out = screen()
    out.print(_file(plan))
    warnings = list(_of_file(plan))
    if not arguments.offline:
        now_ms = int(time.time() * 1000)
        asked = asyncio.run(_ask(",".join(settings.kafka.brokers), plan, now_ms))
        out.print(_cluster(settings, asked))
        out.print(arming.at_once(plan.pane_ms))
        warnings += _of_cluster(plan, asked)
        layout = layout_zero(plan, asked.partitions)
        for stream in plan.streams:
            understood = understand(asked.samples[stream.topic].batches, layout, stream, now_ms)
            for line in _stream(understood, asked, plan, settings.start == "earliest"):
                out.print(line)
            for record in chosen(understood):
                for line in record_lines(record, stream, now_ms, not arguments.no_values):
                    out.print(line)
            warnings += doubts(understood)
    out.print()
    out.print(Text("no warnings" if not warnings else f"{len(warnings)} warning{'s' * (len(warnings) > 1)}", "bold"))
    for warning in warnings:
        out.print(Text.assemble(("  ! ", "yellow"), warning))
    return OK


async def _ask(brokers: str, plan: Plan, now_ms: int) -> Asked:
    partitions = await require(brokers, plan.topics)
    samples = await sample(brokers, partitions, SAMPLED, now_ms)
    own = await describe(brokers, ours(plan.app))
    usable = len(own) == len(ours(plan.app))
    return Asked(partitions, samples, own, await judge(brokers, plan.app) if usable else None)


def _file(plan: Plan) -> str:
    return (
        f"the file is right: {_number(len(plan.models), 'model')}, {_number(len(plan.streams), 'stream')}, "
        f"{_number(len(plan.topics), 'topic')}; configuration {plan.config_hash}"
    )


def _cluster(settings: Settings, asked: Asked) -> str:
    total = sum(asked.partitions.values())
    said = f"the cluster is right: {', '.join(settings.kafka.brokers)} answers; {_number(total, 'partition')} to read"
    if asked.judge is None:
        return f"{said}; no monitor has run yet under the name {settings.app}, or its ledger is gone"
    opened = (
        sum(1 for item in asked.judge.incidents.latest() if item.resolved_ms is None) if asked.judge.incidents else 0
    )
    return f"{said}; a monitor has run under the name {settings.app}: {_number(opened, 'open incident')}"


def _of_file(plan: Plan) -> Iterator[str]:
    if plan.hash_key_id == NO_KEY:
        yield (
            "hash_key: not stated, so whoever reads our topics and knows the name of the application can try out "
            "category values; state {env: NAME} or {file: PATH}"
        )


def _of_cluster(plan: Plan, asked: Asked) -> Iterator[str]:
    missing = [topic for topic in ours(plan.app) if topic not in asked.ours]
    if missing:
        yield f"our topics {', '.join(missing)} do not exist: `streamgauge topics` prints how to create them"
    wrong = [topic for topic, count in asked.ours.items() if count != 1]
    if wrong:
        yield f"our topics {', '.join(wrong)} must have exactly 1 partition"
    for topic, found in asked.samples.items():
        if not found.kept:
            yield f"topic {topic}: it is empty, so nothing could be shown of its streams"
    running = asked.judge.layout if asked.judge is not None else None
    if running is not None and running.plan != plan:
        yield (
            f"the configuration in force is another one ({running.plan.config_hash}); "
            "starting a worker with this file brings this one into force"
        )


def _stream(understood: Understood, asked: Asked, plan: Plan, earliest: bool) -> Iterator[Text]:
    stream, found = understood.plan, asked.samples[understood.plan.topic]
    yield Text()
    title = Text(stream.name, "bold")
    yield title.append(
        f"  topic {stream.topic}, {_number(found.partitions, 'partition')}, {_number(found.kept, 'record')} kept, "
        f"{found.last_hour} in the last hour",
        "not bold",
    )
    share = len(understood.ours) / len(understood.seen) if understood.seen else 0.0
    watch = asked.judge.watches.get(stream.name) if asked.judge is not None else None
    kept = int(share * found.kept) if earliest else 0
    for line in arming.lines(stream, watch, plan.pane_ms, share * found.last_hour, kept):
        yield Text(f"  {line}")
    if understood.seen:
        yield Text(f"  of the newest {_number(len(understood.seen), 'record')}: {classes(understood)}")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
