"""What one fetch brought for one partition, cut into record batches that tile its offsets.

Every offset between the fetch position before and after lies in exactly one batch, also where there is no record (control records
of transactions, compaction) and where a record cannot be read. So whoever adds batches up can assert that nothing is missing.

Batches are bounded in bytes and not only in records, because what is read waits in queues: a thousand records of a megabyte would
be a gigabyte. A record beyond the bound is dropped here; nobody could do more with it than reject it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import Protocol

from aiokafka.errors import CorruptRecordException

from stream.batch import RecordBatch
from stream.kafka.inflate import LIMIT, TooLargeError, unpacked
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
        """Return whether the checksum fits the bytes, the slow way (`stream.kafka.checksum`)."""

    def __iter__(self) -> Iterator[Record]: ...


class Fetched(Protocol):
    """The batches of one fetch of one partition, each handed out once."""

    def has_next(self) -> bool:
        """Return whether a complete batch is left."""

    def next_batch(self) -> KafkaBatch:
        """Return the next batch."""

    def is_whole(self) -> bool:
        """Return whether the checksum of the batch that was handed out last fits its bytes."""

    def follower(self) -> int | None:
        """Return the offset at which the batch behind it begins; None when none is left."""

    def claim(self) -> tuple[int, int]:
        """Return where it says that it begins, and how many offsets it says it has: the smaller of two claims, at least 1."""

    def drop(self) -> None:
        """Drop the batches that are left."""


def read(
    fetched: Fetched,
    topic: str,
    partition: int,
    position: int,
    end: int,
    check_crcs: bool,
    budget: int,
    once_more: Callable[[int], bool] = lambda _: False,
) -> Iterator[RecordBatch]:
    """Cut a fetch into record batches of at most `CHUNK` records and `CHUNK_BYTES`.

    Stops once ``budget`` bytes were unpacked, at the end of a Kafka batch; what is left stays in ``fetched``. Stops also before
    a damaged batch that shall be fetched once more; then nothing is left in ``fetched``, so that it is.

    Args:
        position: fetch position before; records below it (the head of a compressed batch) are not wanted.
        end: high watermark that came with the fetch.
        check_crcs: whether checksums are compared.
        once_more: whether a damaged batch at this position shall be fetched again, since it may be whole at the broker.
    """
    start, rows, spent, heavy = position, list[Record](), 0, 0
    begin = position
    while fetched.has_next() and spent + heavy < budget:
        before = unpacked()
        after, found, reason = _take(fetched, position, end, check_crcs, moved=position > begin)
        heavy += unpacked() - before
        if reason == "corrupt" and once_more(position):
            fetched.drop()
            break
        if reason:
            for part in _emit(topic, partition, start, position, end, rows):
                yield part
                spent += part.size
            cost = LIMIT if reason == "too_large" else 0
            yield RecordBatch(topic, partition, position, after, end, [], [], [], [], [], reason, cost)
            start, rows, spent, heavy = after, [], spent + cost, 0
        rows += found
        position = after
        while len(rows) > CHUNK or heavy > CHUNK_BYTES:
            rest = rows[CHUNK:]
            to = rest[0].offset if rest else position
            for part in _emit(topic, partition, start, to, end, rows[:CHUNK]):
                yield part
                spent += part.size
            start, rows, heavy = to, rest, heavy if len(rest) > CHUNK else 0
    yield from _emit(topic, partition, start, position, end, rows)


def _take(fetched: Fetched, position: int, end: int, check_crcs: bool, moved: bool) -> tuple[int, list[Record], str]:
    """Return the offset behind the next batch and its records from ``position`` on, or none and the reason why it cannot be read.

    Args:
        moved: an earlier batch of this fetch has moved the position, so this one must move it too.
    """
    try:
        batch = fetched.next_batch()
        after = batch.next_offset
    except Exception:  # of whatever kind: the parsers raise over a length or a format that no batch has
        fetched.drop()
        return position + 1, [], "corrupt"
    found, reason = decode(batch, position, fetched.is_whole if check_crcs else None)
    if after > end or (moved and after <= position):  # the checksum does not cover the offset at which a batch begins
        reason = "corrupt"
    if reason == "corrupt":
        return _passed(fetched, position, end), [], reason
    return max(position, after), found, reason


def _passed(fetched: Fetched, position: int, end: int) -> int:
    """Return up to where a damaged batch is passed over: to the next one, else as far as it says within the log; one at least."""
    follower = fetched.follower()
    if follower is not None and position < follower <= end:
        return follower
    base, size = fetched.claim()
    return max(position + 1, min(base + size if base <= position < base + size else position + size, end))


def _emit(topic: str, partition: int, start: int, after: int, end: int, rows: list[Record]) -> Iterator[RecordBatch]:
    """Yield records as one batch, or as several where they are too heavy; a record too large is one alone, without content."""
    if start == after:
        return
    whole, large = columns(topic, partition, start, after, end, rows)
    if whole.size <= CHUNK_BYTES and not large:
        yield whole
        return
    part: list[Record] = []
    weight = 0
    for row in rows:
        cost = weigh(row)
        if part and (weight + cost > CHUNK_BYTES or is_too_large(row)):
            yield columns(topic, partition, start, row.offset, end, part)[0]
            start, part, weight = row.offset, [], 0
        if not is_too_large(row):
            part.append(row)
            weight += cost
            continue
        if start < row.offset:
            yield columns(topic, partition, start, row.offset, end, [])[0]
        start = row.offset + 1
        yield RecordBatch(topic, partition, row.offset, start, end, [], [], [], [], [], "too_large", cost)
    if start < after:
        yield columns(topic, partition, start, after, end, part)[0]


def is_too_large(row: Record) -> bool:
    """Return whether nobody could do more with a record than reject it."""
    size = len(row.value or b"")
    return size > MAX_BYTES or weigh(row) - size > MAX_BYTES


def weigh(row: Record) -> int:
    """Return the bytes of memory that a record takes, about."""
    return _RECORD_BYTES + len(row.key or b"") + len(row.value or b"") + _weigh_headers(row.headers)


def _weigh_headers(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(_HEADER_BYTES + len(name) + len(value or b"") for name, value in headers)


def decode(batch: KafkaBatch, position: int, is_whole: Callable[[], bool] | None) -> tuple[list[Record], str]:
    """Return the records of a batch from ``position`` on, or no record and the reason why it cannot be read.

    A batch that cannot be read is passed over and reported: it must not stop the partition.
    """
    try:
        if is_whole is not None and not is_whole():
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


def columns(
    topic: str, partition: int, start: int, after: int, end: int, rows: list[Record]
) -> tuple[RecordBatch, bool]:
    """Return records as columns, and whether some may be too large; one without a timestamp (message format 0) has -1."""
    keys, values = [row.key for row in rows], [row.value for row in rows]
    headers = [tuple(row.headers) for row in rows]
    sizes = list(map(len, filter(None, values)))
    beside = sum(map(len, filter(None, keys))) + sum(map(_weigh_headers, filter(None, headers)))
    large = max(sizes, default=0) > MAX_BYTES or beside > MAX_BYTES - _RECORD_BYTES
    size = _RECORD_BYTES * len(rows) + sum(sizes) + beside
    offsets = [row.offset for row in rows]
    times = [-1 if row.timestamp is None else row.timestamp for row in rows]
    return RecordBatch(topic, partition, start, after, end, offsets, times, keys, values, headers, size=size), large


def interleave(parts: Iterable[Sequence[RecordBatch]]) -> Iterator[RecordBatch]:
    """Yield the first batch of every partition, then the second of every partition, and so on.

    Partition by partition, a reader that catches up would run hours ahead in one partition while others wait.
    """
    return (batch for batch in chain.from_iterable(zip_longest(*parts)) if batch is not None)
