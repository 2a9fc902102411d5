"""What one fetch brought for one partition, cut into record batches that tile its offsets.

Every offset between the fetch position before and after lies in exactly one batch, also where there is no record (control records
of transactions, compaction) and where a record cannot be read. So whoever adds batches up can assert that nothing is missing.

Batches are bounded in bytes and not only in records, because what is read waits in queues: a thousand records of a megabyte would
be a gigabyte. A record beyond the bound is dropped here; nobody could do more with it than reject it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Protocol

from aiokafka.errors import CorruptRecordException

from stream.batch import RecordBatch
from stream.kafka.inflate import LIMIT, TooLargeError
from stream.reading.records import MAX_BYTES

CHUNK = 1000
"""Records in one batch at most: what is decoded, counted and queued in one go."""

CHUNK_BYTES = 2 * 2**20
"""Memory one batch may take; one record alone may take a little more: `MAX_BYTES` of value and as much of key and headers."""

_RECORD_BYTES = 128
_HEADER_BYTES = 72

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
    """Cut a fetch into record batches of at most `CHUNK` records and `CHUNK_BYTES`.

    Stops once ``budget`` bytes were unpacked, at the end of a Kafka batch; what is left stays in ``fetched``.

    Args:
        position: fetch position before; records below it (the head of a compressed batch) are not wanted.
        end: high watermark that came with the fetch.
        check_crcs: whether checksums are compared.
    """
    start, rows, size, spent = position, list[Record](), 0, 0
    while fetched.has_next() and spent < budget:
        batch = fetched.next_batch()
        found, reason = decode(batch, position, check_crcs)
        for part, after, why, weight in _parts(found, position, max(position, batch.next_offset), reason):
            spent += weight
            if why:
                if start < position:
                    yield columns(topic, partition, start, position, end, rows, size)
                yield RecordBatch(topic, partition, position, after, end, [], [], [], [], [], why, weight)
                start, rows, size = after, [], 0
            rows += part
            size += 0 if why else weight
            position = after
            while len(rows) > CHUNK or (size > CHUNK_BYTES and len(rows) > 1):
                n = CHUNK if size <= CHUNK_BYTES else _fitting(rows)
                taken = weigh(rows[:n])
                yield columns(topic, partition, start, rows[n].offset, end, rows[:n], taken)
                start, rows, size = rows[n].offset, rows[n:], size - taken
    if start < position:
        yield columns(topic, partition, start, position, end, rows, size)


def _parts(found: list[Record], start: int, end: int, reason: str) -> Iterator[tuple[list[Record], int, str, int]]:
    """Yield a Kafka batch in parts: records, end offset, why they cannot be read, bytes. A record too large is one alone."""
    weight = LIMIT if reason == "too_large" else weigh(found)
    if weight > MAX_BYTES:
        rows: list[Record] = []
        for row in found:
            if not _is_too_large(row):
                rows.append(row)
                continue
            if start < row.offset:
                yield rows, row.offset, "", weigh(rows)
            yield [], row.offset + 1, "too_large", weigh([row])
            start, rows = row.offset + 1, []
        if len(rows) < len(found):
            found, weight = rows, weigh(rows)
    if start < end:
        yield found, end, reason, weight


def _is_too_large(row: Record) -> bool:
    return len(row.value or b"") > MAX_BYTES or len(row.key or b"") + _weigh_headers(row) > MAX_BYTES


def _fitting(rows: list[Record]) -> int:
    """Return how many of the first records fit into a batch; at least one."""
    size = 0
    for i, row in enumerate(rows[:CHUNK]):
        size += weigh([row])
        if size > CHUNK_BYTES:
            return max(i, 1)
    return CHUNK


def weigh(rows: list[Record]) -> int:
    """Return the bytes of memory that records take, about."""
    size = _RECORD_BYTES * len(rows) + sum(map(len, filter(None, [row.value for row in rows])))
    return size + sum(len(row.key or b"") + _weigh_headers(row) for row in rows if row.key or row.headers)


def _weigh_headers(row: Record) -> int:
    return sum(_HEADER_BYTES + len(name) + len(value or b"") for name, value in row.headers) if row.headers else 0


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


def columns(topic: str, partition: int, start: int, after: int, end: int, rows: list[Record], size: int) -> RecordBatch:
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
        size=size,
    )


def interleave(parts: Iterable[Sequence[RecordBatch]]) -> Iterator[RecordBatch]:
    """Yield the first batch of every partition, then the second of every partition, and so on.

    Partition by partition, a reader that catches up would run hours ahead in one partition while others wait.
    """
    return (batch for batch in chain.from_iterable(zip_longest(*parts)) if batch is not None)
