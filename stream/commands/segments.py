"""Where a field moved, of the segments that the configuration declares: read from the stream's own topic, once per incident."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.batch import RecordBatch
from stream.commands.sampling import batch_of
from stream.commands.stretches import Stretch, Take, read_both
from stream.config.settings import Settings
from stream.exits import Refusal
from stream.explaining import Moved, when
from stream.gathering import Gathered
from stream.judge import Judge
from stream.layout import Layout, Section
from stream.reading.columns import Records
from stream.reading.decoders import DECODERS
from stream.reading.segments import Counting
from stream.segmenting import Split, where_moved

NAME = 24
"""Characters shown of a segment's name."""


@dataclass(frozen=True)
class Where:
    """Attributes: note: what was read and compared, or why there is nothing. splits: by field that moved."""

    note: str = ""
    splits: dict[str, list[Split]] = field(default_factory=dict)

    def lines(self, name: str) -> Iterator[str]:
        """Yield where a field moved, a line each."""
        for item in self.splits.get(name, []):
            if item.said:
                yield f"by {item.segment}: {item.said}"
                continue
            yield f"by {item.segment}: of the change {_percent(1 - item.mix)} within segments, {_percent(item.mix)} by their mix"
            for part in item.parts:
                weight = f"{_percent(part.was)} -> {_percent(part.now)} of the records"
                yield f"  {part.name[:NAME]}: {weight}, {part.change}: {_percent(part.share)} of the change"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %".replace("-0 %", "0 %")


async def where(settings: Settings, found: Judge, stream: str, moved: Sequence[Moved]) -> Where:
    """Return where the fields of an incident moved; the stretch is that of the clearest change, which comes first.

    What cannot be read is said: the rest of the explanation does not need it.
    """
    assert found.layout is not None
    model, _, role = stream.partition(".")
    stated = settings.models[model].features if model in settings.models and role == "features" else None
    if stated is None or not stated.segments or not moved:
        return Where()
    section = found.layout.sections[stream]
    names, wrong = _usable(section, stated.segments)
    if found.layout.plan.hash_key_id != settings.key.id:
        return Where("No table of segments: the hash key of this file is not the one in force")
    if not names:
        return Where(f"No table of segments: {'; '.join(wrong)}")
    try:
        both, counts = await _counted(settings, found.layout, stream, moved, names)
    except Refusal as refusal:
        return Where(f"No table of segments: {refusal}")
    contrasts = Gathered.of(section, {**found.reference[stream], "found": found.reference[stream]["shares"]}).contrasts
    splits = {
        item.field: [
            where_moved(item, contrasts, section, name, counts[0].tables[name], counts[1].tables[name], at)
            for name in names
            if name != item.field
        ]
        for at, item in enumerate(moved)
    }
    return Where("; ".join([_note(both, counts), *wrong]), splits)


def _usable(section: Section, stated: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the segment fields that have bins to go by, and what is wrong with the others."""
    bins = dict(zip(section.names, section.bins, strict=True))
    names, wrong = [], []
    for name in stated:
        own = bins.get(name)
        if name not in bins:
            wrong.append(f"{name} is no field of the stream")
        elif own is None:
            wrong.append(f"{name} has no bins: not learned yet, or free text")
        elif own.kind == "number":
            wrong.append(f"{name} is a number and no segment")
        else:
            names.append(name)
    return names, wrong


async def _counted(
    settings: Settings, layout: Layout, stream: str, moved: Sequence[Moved], names: list[str]
) -> tuple[tuple[Stretch, Stretch], list[Counting]]:
    plan = layout.plan.stream(stream)
    counts: list[Counting] = []

    def taking(*both: Stretch) -> Take:
        fields, key = [item.field for item in moved], settings.key.secret
        counts.extend(Counting(layout, plan, key, fields, names, (part.begin, part.end)) for part in both)
        decode = DECODERS[plan.format](plan.exact)

        def take(which: int, records: list[Any]) -> None:
            batch: RecordBatch = batch_of(records)
            rows = decode(batch.values)
            counts[which].add(Records(rows, batch.offsets, batch.timestamps, batch.keys, batch.headers))

        return take

    change = (moved[0].since_ms, moved[0].until_ms)
    both = await read_both(",".join(settings.kafka.brokers), plan.topic, change, plan.lateness_ms, taking)
    return both, counts


def _note(both: tuple[Stretch, Stretch], counts: Sequence[Counting]) -> str:
    """Say what was compared with what, and how much of it was read."""
    said = [
        f"{part.said} ({when(part.begin)} to {when(part.end)}: {part.read:,} of {part.held:,} records read, "
        f"{own.records:,} counted)"
        for part, own in zip(both, counts, strict=True)
    ]
    return f"By segment: records {said[1]} against those {said[0]}"
