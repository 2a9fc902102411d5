"""What ``streamgauge check`` finds on the cluster: topics, rights, how the monitor stands, and records as it would see them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.text import Text

from stream.clock import Clocks
from stream.commands import arming
from stream.commands.doubts import doubts
from stream.commands.presence import meant
from stream.commands.recordview import chosen, classes, record_lines
from stream.commands.sampling import Sample, sample
from stream.commands.showing import number
from stream.commands.standing import judge
from stream.commands.understanding import Understood, understand
from stream.config.settings import Settings
from stream.judge import Judge
from stream.kafka.cluster import describe, ours, require
from stream.kafka.cluster import settings as settings_of
from stream.kafka.keeping import PANES_DAYS, too_little
from stream.layout import layout_zero
from stream.memory import needs
from stream.plan import Plan

SAMPLED = 200
"""Records looked at in each topic; three of each stream are shown."""


@dataclass(slots=True)
class Inspection:
    """Attributes: lines: what to print. warnings: sentences, each about a key of the configuration or a topic."""

    lines: list[Text | str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the cluster answered.

    Attributes:
        partitions: of each input topic. samples: of each input topic. ours: partition counts of those of our topics that
            exist. kept: settings of those that may be seen. judge: as it stands, None before it has begun.
    """

    partitions: dict[str, int]
    samples: dict[str, Sample]
    ours: dict[str, int]
    kept: dict[str, dict[str, str]]
    judge: Judge | None


def inspect(settings: Settings, plan: Plan, clocks: Clocks, values: bool) -> Inspection:
    """Look at the cluster.

    Args:
        clocks: the wall clock is compared with the times of records. values: show values of records, not only types.

    Raises:
        Refusal: no broker, a missing topic, a missing right.
    """
    brokers = ",".join(settings.kafka.brokers)
    with meant(brokers, plan.topics):
        asked = asyncio.run(_ask(brokers, plan, clocks))
    now_ms = clocks.wall_ms
    lines: list[Text | str] = [_cluster(settings, asked), arming.at_once(plan.pane_ms)]
    lines.append(f"memory: one worker {needs(plan, asked.partitions)}")
    found = Inspection(lines, list(_warnings(plan, asked)))
    layout = layout_zero(plan, asked.partitions)
    for stream in plan.streams:
        understood = understand(asked.samples[stream.topic].batches, layout, stream, now_ms)
        found.lines += _stream(understood, asked, plan, settings.start == "earliest")
        for record in chosen(understood):
            found.lines += record_lines(record, stream, now_ms, values)
        found.warnings += doubts(understood)
    return found


async def _ask(brokers: str, plan: Plan, clocks: Clocks) -> Asked:
    partitions = await require(brokers, plan.topics)
    samples = await sample(brokers, partitions, SAMPLED, clocks)
    own = await describe(brokers, ours(plan.app))
    kept = await settings_of(brokers, own)
    usable = len(own) == len(ours(plan.app))
    return Asked(partitions, samples, own, kept, await judge(brokers, plan.app) if usable else None)


def _cluster(settings: Settings, asked: Asked) -> str:
    total = sum(asked.partitions.values())
    said = f"the cluster is right: {', '.join(settings.kafka.brokers)} answers; {number(total, 'partition')} to read"
    if asked.judge is None:
        return f"{said}; no monitor has run yet under the name {settings.app}, or its ledger is gone"
    board = asked.judge.incidents
    opened = sum(item.resolved_ms is None for item in board.latest()) if board else 0
    return f"{said}; a monitor has run under the name {settings.app}: {number(opened, 'open incident')}"


def _warnings(plan: Plan, asked: Asked) -> Iterator[str]:
    missing = [topic for topic in ours(plan.app) if topic not in asked.ours]
    if missing:
        verb = "does" if len(missing) == 1 else "do"
        yield f"{_our(missing)} {verb} not exist: `streamgauge topics` prints how to create {_them(missing)}"
    wrong = [topic for topic, count in asked.ours.items() if count != 1]
    if wrong:
        yield f"{_our(wrong)} must have exactly 1 partition"
    for topic, said in too_little(plan.app, asked.kept):
        yield f"our topic {topic}: {said}; `streamgauge topics` prints the command that mends it"
    panes = f"{plan.app}.panes"
    if panes in asked.ours and panes not in asked.kept:
        yield f"our topic {panes}: how long it is kept may not be seen (DESCRIBE_CONFIGS); it needs {PANES_DAYS}d"
    for topic, found in asked.samples.items():
        if not found.kept:
            yield f"topic {topic}: it is empty, so nothing could be shown of its streams"
    running = asked.judge.layout if asked.judge is not None else None
    if running is not None and running.plan != plan:
        yield (
            f"the configuration in force is another one ({running.plan.config_hash}); "
            "starting a worker with this file brings this one into force"
        )


def _our(topics: list[str]) -> str:
    return f"our topic{'s' * (len(topics) > 1)} {', '.join(topics)}"


def _them(topics: list[str]) -> str:
    return "it" if len(topics) == 1 else "them"


def _stream(understood: Understood, asked: Asked, plan: Plan, earliest: bool) -> Iterator[Text]:
    stream, found = understood.plan, asked.samples[understood.plan.topic]
    seen, mine = len(understood.seen), len(understood.ours)
    yield Text()
    title = Text(stream.name, "bold")
    yield title.append(
        f"  topic {stream.topic}, {number(found.partitions, 'partition')}, {number(found.kept, 'record')} kept, "
        f"{found.last_hour:,} in the last hour",
        "not bold",
    )
    watch = asked.judge.watches.get(stream.name) if asked.judge is not None else None
    kept = found.kept * mine // seen if earliest and seen else 0
    for line in arming.lines(stream, plan, watch, found.pace.of(mine, seen), kept):
        yield Text(f"  {line}")
    if understood.seen:
        yield Text(f"  of the newest {number(seen, 'record')}: {classes(understood)}")
