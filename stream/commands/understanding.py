"""What the monitor understands of some records, one by one.

The same decoder, columns and sorting as in the tap, so ``streamgauge check`` shows what will be counted and not what a
second implementation would think.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.batch import RecordBatch
from stream.layout import Layout
from stream.plan import StreamPlan
from stream.reading.columns import Records
from stream.reading.decoders import DECODERS
from stream.reading.eventtime import BAD
from stream.reading.sorting import Sorted, Sorter

DECODED = ("counted", "late", "bad_time", "future")
"""What may become of a record that belongs to the stream and could be decoded."""


@dataclass(slots=True)
class Seen:
    """One record as it was understood.

    Attributes:
        what: ``counted``, ``late``, ``filtered``, ``tombstone``, or why it was rejected.
        time: its event time in ms; None when there is none.
        origin: the model's version and the producer.
        values: source -> value, for every source of the configuration; `stream.reading.columns.ABSENT` where there is none.
        others: name -> value of the fields that nobody listed.
    """

    partition: int
    offset: int
    timestamp: int
    what: str
    time: int | None = None
    origin: tuple[str | None, str | None] = (None, None)
    values: dict[str, Any] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)


@dataclass(eq=False)
class Understood:
    """The records of one stream that were looked at, oldest first. Attributes: paths: how often each source occurs in them,
    listed or not.
    """

    plan: StreamPlan
    seen: list[Seen] = field(default_factory=list)
    paths: Counter[str] = field(default_factory=Counter)

    @property
    def ours(self) -> list[Seen]:
        """The records that belong to the stream and could be decoded."""
        return [record for record in self.seen if record.what in DECODED]


def understand(batches: Sequence[RecordBatch], layout: Layout, plan: StreamPlan, now_ms: int) -> Understood:
    """Return what the monitor makes of some records for one stream.

    Args:
        batches: of the stream's topic, one per partition. now_ms: wall clock; decides about ``future`` only.
    """
    result = Understood(plan)
    sorter = Sorter(layout, plan)
    for batch in batches:
        rows = DECODERS[plan.format](frozenset())(batch.values)
        chunk = Records(rows, batch.offsets, batch.timestamps, batch.keys, batch.headers)
        decoded = chunk.take([i for i, row in enumerate(rows) if type(row) is dict])
        result.paths.update(_paths(decoded))
        result.seen += _records(chunk, decoded, sorter, sorter.sort(chunk, (None, None), now_ms), batch.partition, plan)
    result.seen.sort(key=lambda record: (record.timestamp, record.partition, record.offset))
    return result


def sources(plan: StreamPlan) -> dict[str, str]:
    """Return every source that the configuration of a stream names, and the key under which it stands there."""
    named = {source: f"where.{source}" for source, _ in plan.where}
    singles = (("time.field", plan.time), ("version", plan.version), ("producer", plan.producer), ("id", plan.id))
    named |= {source: key for key, source in singles if source is not None}
    for item in plan.fields:
        key = f"fields.{item.name}" if plan.role == "features" else item.name
        named.setdefault(item.source, key)
        if item.as_of is not None:
            named.setdefault(item.as_of, f"{key}.as_of")
    return named


def _records(
    chunk: Records, decoded: Records, sorter: Sorter, result: Sorted, partition: int, plan: StreamPlan
) -> Iterator[Seen]:
    what = {offset: reason for _, offset, reason, _ in result.rejected}
    what |= {offset: "late" for offset, _, _ in result.late}
    what |= dict.fromkeys(result.applied.offsets, "counted")
    origins = dict(zip(result.applied.offsets, result.origins, strict=True))
    columns = {source: decoded.column(source) for source in sources(plan)}
    times = sorter.times(decoded).tolist()
    place = {offset: k for k, offset in enumerate(decoded.offsets)}
    for row, offset, timestamp in zip(chunk.rows, chunk.offsets, chunk.timestamps, strict=True):
        seen = Seen(partition, offset, timestamp, "tombstone" if row is None else what.get(offset, "filtered"))
        k = place.get(offset)
        if k is not None:
            seen.values = {source: column[k] for source, column in columns.items()}
            seen.time = None if times[k] == BAD else times[k]
            seen.origin = origins.get(offset, (None, None))
            alone = decoded.take([k])
            seen.others = {name: alone.column(name)[0] for name in sorted(alone.table.census(columns.keys()))}
        yield seen


def _paths(decoded: Records) -> Counter[str]:
    found = Counter(decoded.table.census(frozenset()))
    found["key"] = sum(key is not None for key in decoded.keys)
    for headers in decoded.headers:
        found.update({f"header:{name}": 1 for name, _ in headers})
    return +found
