"""Tap: one per owned input partition. It folds chunks of raw records into additive counts and cuts them into entries.

A tap keeps nothing that is not in the ledger: throw it away at any time, start another at the position the ledger has
accepted, and the same counts come out, however the chunks and the entries are cut. The one exception is the class
``future``, which depends on when a record is read.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left
from enum import Enum

from stream import codec
from stream.batch import RecordBatch
from stream.cursor import Cursor
from stream.layout import Layout
from stream.ledger import Anchor, Key, Position, entry_header
from stream.reading.columns import Records
from stream.reading.decoders import DECODERS
from stream.reading.records import Row
from stream.reading.sorting import Sorted
from stream.reading.tally import Tally

ENTRY_BYTES = 600_000
"""What an entry may roughly hold before it is compressed; the limit that must not be passed is 900 kB."""


class Fed(Enum):
    """What became of a chunk."""

    COUNTED = "counted"
    """Every record of it is counted."""
    FULL = "full"
    """A prefix is counted; the entry is full. Cut it, then feed the same chunk again."""
    MISPLACED = "misplaced"
    """It does not continue what was counted, so nothing is counted. Seek to ``cursor.next``."""


class Tap:
    """The tap of one input partition.

    Args:
        layout: in force in the ledger.
        key: topic and partition.
        position: what the ledger, read to its end, has accepted of this partition.
        hash_key: secret key of the category hashes, at most 64 bytes.

    Attributes:
        cursor: where it reads, and what is in flight.
    """

    def __init__(self, layout: Layout, key: Key, position: Position, hash_key: bytes) -> None:
        self.cursor = Cursor(position)
        self._key = key
        self._hash_key = hash_key
        self._anchor: Anchor | None = None
        self._tallies: list[Tally] = []
        self._frontiers = dict(position.frontier)
        self._use(layout)

    @property
    def pending(self) -> bool:
        """Return whether anything is counted that no entry holds yet."""
        return self.cursor.next > self.cursor.base

    def feed(self, batch: RecordBatch, now_ms: int) -> Fed:
        """Count the records of a chunk that are not counted yet.

        Args:
            batch: a chunk as fetched.
            now_ms: wall clock; records more than ``max_future_ms`` ahead of it are rejected.
        """
        if not self.cursor.continues(batch.start, batch.next):
            return Fed.MISPLACED
        if batch.unreadable:
            for tally in self._tallies:
                tally.refuse(batch.unreadable, self.cursor.next, batch.next)
            self.cursor.counted(batch.next)
            return Fed.COUNTED
        first, last = bisect_left(batch.offsets, self.cursor.next), len(batch.offsets)
        decoded: dict[
            str, list[Row]
        ] = {}  # by format; not kept until the next call, since objects are up to 26 times as large
        chunks = self._sorted(batch, decoded, first, last, now_ms)
        pairs = list(zip(self._tallies, chunks, strict=True))
        fits = min((tally.room(chunk, last - first, not self.pending) for tally, chunk in pairs), default=last - first)
        if fits < last - first:
            last = first + fits
            pairs = list(zip(self._tallies, self._sorted(batch, decoded, first, last, now_ms), strict=True))
        for tally, chunk in pairs:
            tally.count(chunk)
        if last > first:
            self._anchor = anchor(batch, last - 1)
        whole = last == len(batch.offsets)
        self._advance(batch.next if whole else batch.offsets[last], counted=last - first)
        return Fed.COUNTED if whole else Fed.FULL

    def lost(self, to: int) -> None:
        """Account for the offsets below ``to`` that retention took before they were read."""
        for tally in self._tallies:
            tally.skip(lost=max(to - self.cursor.next, 0))
        self.cursor.counted(to)

    def cut(self, end: int) -> bytes:
        """Return what is pending as a ledger entry and start again from nothing; an empty entry is a heartbeat.

        Args:
            end: end offset of the partition as last seen.
        """
        frontiers = {tally.plan.name: tally.frontier for tally in self._tallies}
        covers = self.cursor.sent(frontiers, self._anchor)
        header = entry_header(self._key, self.cursor.incarnation, covers, self._layout_id, self._anchor, end, frontiers)
        empty = covers[0] == covers[1]
        body = {} if empty else {tally.plan.name: tally.take().to_dict() for tally in self._tallies}
        self._anchor = None
        return codec.pack(header, body)

    def settle(self, position: Position) -> bool:
        """Compare with the ledger, read to its end; False means: drop this tap, start another at ``position``."""
        return self.cursor.settle(position)

    def adopt(self, layout: Layout) -> None:
        """Count by another layout from now on; only after a cut, since an entry names the one layout it was counted by."""
        if layout.id != self._layout_id:
            assert not self.pending, "what is pending was counted by the layout before"
            self._use(layout)

    def _use(self, layout: Layout) -> None:
        frontiers = self._frontiers | {tally.plan.name: tally.frontier for tally in self._tallies}
        topic, partition = self._key
        plans = layout.plan.of_topic(topic)
        self._tallies = [
            Tally(
                layout,
                plan,
                partition,
                self._hash_key,
                frontiers.get(plan.name, (None, None)),
                ENTRY_BYTES // len(plans),
            )
            for plan in plans
        ]
        self._layout_id = layout.id
        exact = frozenset().union(*(plan.exact for plan in plans))
        self._decoders = {format: decoder(exact) for format, decoder in DECODERS.items()}

    def _sorted(
        self, batch: RecordBatch, decoded: dict[str, list[Row]], first: int, last: int, now_ms: int
    ) -> list[Sorted]:
        """Decode a chunk, once for all streams of a format, and sort a part of it for each."""
        part = slice(first, last)
        records: dict[str, Records] = {}
        for tally in self._tallies:
            format = tally.plan.format
            if format not in decoded:
                decoded[format] = self._decoders[format](batch.values)
            if format not in records:
                records[format] = Records(
                    decoded[format][part],
                    batch.offsets[part],
                    batch.timestamps[part],
                    batch.keys[part],
                    batch.headers[part],
                )
        return [tally.sort(records[tally.plan.format], now_ms) for tally in self._tallies]

    def _advance(self, to: int, counted: int) -> None:
        """Note that everything below ``to`` is counted; offsets that held none of the counted records are gaps."""
        for tally in self._tallies:
            tally.skip(gaps=to - self.cursor.next - counted)
        self.cursor.counted(to)


def anchor(batch: RecordBatch, i: int) -> Anchor:
    """Return what a recreated topic is recognised by: offset, timestamp and CRC-32 of key and value of one record."""
    crc = zlib.crc32(batch.values[i] or b"", zlib.crc32(batch.keys[i] or b""))
    return batch.offsets[i], batch.timestamps[i], crc
