"""A chunk of raw records of one input partition, as the transport hands it to a tap: columns, not record objects."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

Headers = tuple[tuple[str, bytes | None], ...]


@dataclass(slots=True)
class RecordBatch:
    """Every record of the offsets ``[start, next)`` of one partition; at most 1000, and 2 MiB (`stream.kafka.fetch`).

    Attributes:
        start: fetch position before the chunk (may lie below the first record: control records, compaction).
        next: fetch position after it. end: end offset of the partition (high watermark) as last seen.
        offsets, timestamps (ms), keys, values, headers: one item per record, in offset order.
        unreadable: empty, or why no record of the range can be read: ``too_large`` (it would unpack beyond the bound),
            ``corrupt`` (checksum or format broken) or ``poison`` (`stream.trouble`). Such a batch has no records; its offsets are
            rejected for that reason.
        size: bytes of memory it takes, or took until it was found to be unreadable.
    """

    topic: str
    partition: int
    start: int
    next: int
    end: int
    offsets: list[int]
    timestamps: list[int]
    keys: list[bytes | None]
    values: list[bytes | None]
    headers: list[Headers]
    unreadable: str = ""
    size: int = 0

    def part(self, start: int, to: int) -> RecordBatch:
        """Return what the chunk holds of the offsets ``[start, to)``; they must not lie outside of it."""
        first, last = bisect_left(self.offsets, start), bisect_left(self.offsets, to)
        return replace(
            self,
            start=start,
            next=to,
            offsets=self.offsets[first:last],
            timestamps=self.timestamps[first:last],
            keys=self.keys[first:last],
            values=self.values[first:last],
            headers=self.headers[first:last],
        )
