"""What one fetch brought for one partition, cut into record batches that tile its offsets.

Every offset between the fetch position before and after lies in exactly one batch, also where there is no record (control records
of transactions, compaction) and where a record cannot be read. So whoever adds batches up can assert that nothing is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Protocol

from aiokafka.errors import CorruptRecordException

from stream.batch import RecordBatch
from stream.kafka.inflate import TooLargeError

CHUNK = 1000
"""Records in one batch at most: what is decoded, counted and queued in one go."""

MOST_RECORDS = 500_000
"""Offsets one Kafka batch may span: a small compressed batch can hold millions of empty records."""


class Record(Protocol):
    """A record as aiokafka's compiled parser hands it out."""

    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class KafkaBatch(Protocol):
    """A batch of the log: the unit of compression and of the checksum."""

    is_control_batch: bool
    next_offset: int

    def validate_crc(self) -> bool:
        """Return whether the checksum fits the bytes."""

    def __iter__(self) -> Iterator[Record]: ...


class Fetched(Protocol):
    """The batches of one fetch of one partition, each handed out once."""

    def has_next(self) -> bool:
        """Return whether a complete batch is left."""

    def next_batch(self) -> KafkaBatch:
        """Return the next batch."""


def read(
    fetched: Fetched, topic: str, partition: int, position: int, end: int, check_crcs: bool, budget: int
) -> Iterator[RecordBatch]:
    """Cut a fetch into record batches of at most `CHUNK` records.

    Stops once more than ``budget`` bytes are read; what is left stays in ``fetched``.

    Args:
        position: fetch position before; records below it (the head of a compressed batch) are not wanted.
        end: high watermark that came with the fetch.
        check_crcs: whether checksums are compared.
    """
    start, rows, size = position, list[Record](), 0
    while fetched.has_next() and size <= budget:
        batch = fetched.next_batch()
        after = max(position, batch.next_offset)
        found, reason = decode(batch, position, check_crcs)
        if reason:
            if start < position:
                yield columns(topic, partition, start, position, end, rows)
            yield RecordBatch(topic, partition, position, after, end, [], [], [], [], [], unreadable=reason)
            start, rows = after, []
        rows += found
        position = after
        while len(rows) > CHUNK:
            cut = rows[CHUNK].offset
            chunk = columns(topic, partition, start, cut, end, rows[:CHUNK])
            size += sum(len(value) for value in chunk.values if value)
            yield chunk
            start, rows = cut, rows[CHUNK:]
    if start < position:
        yield columns(topic, partition, start, position, end, rows)


def decode(batch: KafkaBatch, position: int, check_crcs: bool) -> tuple[list[Record], str]:
    """Return the records of a batch from ``position`` on, or no record and the reason why it cannot be read.

    A batch that cannot be read is passed over and reported: it must not stop the partition, and reading it again would bring
    the same bytes.
    """
    try:
        if check_crcs and not batch.validate_crc():
            raise CorruptRecordException("invalid checksum")
        if batch.is_control_batch:
            return [], ""
        if getattr(batch, "last_offset_delta", 0) >= MOST_RECORDS:  # message formats 0 and 1 do not say
            raise TooLargeError(f"a batch spans more than {MOST_RECORDS} offsets")
        return [record for record in batch if record.offset >= position], ""
    except TooLargeError:
        return [], "too_large"
    except Exception:  # whatever the parsers and codecs raise over damaged bytes
        return [], "corrupt"


def columns(topic: str, partition: int, start: int, after: int, end: int, rows: list[Record]) -> RecordBatch:
    """Return records as columns; a record without a timestamp (message format 0) has -1."""
    return RecordBatch(
        topic,
        partition,
        start,
        after,
        end,
        [row.offset for row in rows],
        [-1 if row.timestamp is None else row.timestamp for row in rows],
        [row.key for row in rows],
        [row.value for row in rows],
        [tuple(row.headers) for row in rows],
    )


def interleave(parts: Iterable[Sequence[RecordBatch]]) -> Iterator[RecordBatch]:
    """Yield the first batch of every partition, then the second of every partition, and so on.

    Partition by partition, a reader that catches up would run hours ahead in one partition while others wait.
    """
    return (batch for batch in chain.from_iterable(zip_longest(*parts)) if batch is not None)
