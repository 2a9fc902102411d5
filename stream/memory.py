"""How much memory a worker may need, whatever its topics hold: every bound of the program added up (P6).

One worker may own all partitions and be the judge, so that is what is counted. It is the worst case of everything at once,
several times what a quiet worker takes. The prices of Python objects are measured (`tests/hostile`); the bounds are those of
the modules that keep to them. Not bounded by us is the least that brokers send, one batch: a topic with a larger
``max.message.bytes`` costs so much more for each of its partitions.

Learning is another process (`stream.learning_process`), there for minutes of a night, and has a bound of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from detectors.budget import FITTED
from detectors.contrasts import ORDERED
from stream.contrasts import SHARES
from stream.gathering import DAY_MS
from stream.judging.learning import MAX_LESSON
from stream.kafka.fetch import CHUNK_BYTES, MOST_RECORDS
from stream.kafka.hooks import FETCHED_BYTES, LEAST_FETCH, TAKE_BYTES
from stream.kafka.inflate import LIMIT
from stream.kafka.transport import QUEUE
from stream.layout import BINS, MAX_FIELDS, MAX_PRODUCERS, MAX_VERSIONS
from stream.panes import MAX_OPEN
from stream.plan import Plan, StreamPlan
from stream.reading.tables import MAX_NUMBERS, MAX_STRINGS
from stream.reading.tally import FIELD_BYTES, MAX_PANES, SKETCH_BYTES
from stream.recalibrate import REACH_DAYS
from stream.tap import ENTRY_BYTES
from stream.tapping import LEAST_PARKED, PARKED_BYTES

MIB = 2**20
BASE = 160 * MIB
"""Python, its libraries and our code, at rest."""
BATCH = MIB
"""The largest Kafka batch on the wire: ``max.message.bytes`` of a topic, as brokers have it by default."""

_RESPONSE = 3  # an answer of a broker, while it is taken apart, is there so many times
_RECORD = 400  # a record of a Kafka batch that is being read, beside its content
_OBJECTS = 26  # JSON as Python objects, times its bytes
_COLUMNS = 8 * MIB  # of one chunk
_SHAPES = 32 * MIB  # 64 compiled decoders of a thousand keys
_HASH, _LABEL = 114, 112  # an entry of a table of hashes, and what may be shown of it
_NUMBER = 16
_FIELD = 8 * (7 + 4 + BINS)  # of one field in one cell
_NAMES = 26_000  # three full censuses
_PANE_OF_LESSON = 4 * BINS
_SHIFTS = 11 * (500 + 4 * 900)  # contrasts of one field: their memory, and what is normal for them in four copies
_RULES = 30_000  # detectors and open incidents of one field
_KEPT = 28  # of one series in one coarse pane: as it came, side by side, what is learned from; in the first weeks a copy more
_FIT = 60 * FITTED  # of one coarse pane in a fit
_LEARNED = 20_000  # of one series: nine times what is normal for it, and the day maxima


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes at most. reading: from the brokers to the taps. taps: counts that no entry holds yet. judge: panes and detectors.
    night: of the process that learns, which is not in the total.
    """

    base: int
    reading: int
    taps: int
    judge: int
    night: int

    @property
    def total(self) -> int:
        return self.base + self.reading + self.taps + self.judge

    def __str__(self) -> str:
        """Return a sentence.

        >>> print(Memory(160 * MIB, 250 * MIB, 5 * MIB, 25 * MIB, 200 * MIB))
        needs at most about 440 MiB, whatever arrives (at rest 160, reading 250, taps 5, judge 25), and its nights about 200 more
        """
        base, reading, taps, judge = (round(n / MIB) for n in (self.base, self.reading, self.taps, self.judge))
        return (
            f"needs at most about {round(self.total / MIB, -1):,.0f} MiB, whatever arrives "
            f"(at rest {base}, reading {reading}, taps {taps}, judge {judge}), "
            f"and its nights about {round(self.night / MIB, -1):,.0f} more"
        )


def needs(plan: Plan, partitions: Mapping[str, int]) -> Memory:
    """Return what one worker may need.

    Args:
        partitions: partition count of each input topic.
    """
    return Memory(
        BASE,
        reading(len(plan.topics), sum(partitions.values())),
        sum(partitions[topic] * _tap(plan.of_topic(topic)) for topic in plan.topics),
        2 * sum(_watch(stream, plan.pane_ms) for stream in plan.streams),  # twice: the checkpoint is a copy
        night(plan),
    )


def night(plan: Plan) -> int:
    """Return bytes of the process that learns from nine weeks of coarse panes of all streams."""
    panes = REACH_DAYS * DAY_MS // plan.coarse_ms
    series = sum(_series(stream) for stream in plan.streams)
    sums = sum(_fields(stream) for stream in plan.streams) * REACH_DAYS * _PANE_OF_LESSON * 2
    return BASE + panes * (series * _KEPT + _FIT) + series * _LEARNED + sums


def _series(stream: StreamPlan) -> int:
    """Return how many contrasts are learned of a stream: those of a field, and one on its missing values."""
    numbers = 0 if stream.unlisted == "watch" else sum(field.kind == "number" for field in stream.fields)
    return numbers * (len(ORDERED) + 1) + (_fields(stream) - numbers) * (SHARES + 3)


def reading(topics: int, partitions: int) -> int:
    """Return bytes of what is fetched, unpacked, queued, put aside, and the one chunk that is being counted."""
    fetched = max(FETCHED_BYTES, partitions * max(LEAST_FETCH, BATCH)) + _RESPONSE * TAKE_BYTES
    unpacked = TAKE_BYTES + one_batch()
    queued = topics * (QUEUE + 1) * CHUNK_BYTES
    parked = max(PARKED_BYTES, partitions * LEAST_PARKED)
    return fetched + unpacked + queued + parked + CHUNK_BYTES * _OBJECTS + _COLUMNS + _SHAPES


def one_batch() -> int:
    """Return bytes of reading one Kafka batch: twice what it unpacks to (while copied, and then as values), and its records."""
    return 2 * LIMIT + MOST_RECORDS * _RECORD


def _fields(stream: StreamPlan) -> int:
    return MAX_FIELDS if stream.unlisted == "watch" else len(stream.fields)


def _row(stream: StreamPlan) -> int:
    return _HASH + _LABEL * any(field.show for field in stream.fields)


def _tap(streams: tuple[StreamPlan, ...]) -> int:
    """Return bytes of one partition: what is pending for each stream, and one entry in flight."""
    size = 2 * ENTRY_BYTES
    for stream in streams:
        budget, fields = ENTRY_BYTES // len(streams), _fields(stream)
        strings = min(budget // SKETCH_BYTES, fields * MAX_STRINGS)
        numbers = min(budget // SKETCH_BYTES, fields * 2 * MAX_NUMBERS)
        size += max(strings * _row(stream), numbers * _NUMBER)
        size += MAX_PANES * _NAMES + min(budget // FIELD_BYTES, MAX_PANES * _groups(stream) * fields) * _FIELD
    return size


def _groups(stream: StreamPlan) -> int:
    versions = 1 if stream.version is None else MAX_VERSIONS + 1
    return versions * (1 if stream.producer is None else MAX_PRODUCERS + 1)


def _watch(stream: StreamPlan, pane_ms: int) -> int:
    """Return bytes of the judge's part of one stream: open panes (in two sections, around a new layout), lessons, detectors."""
    fields = _fields(stream)
    panes = (MAX_OPEN + 1 + stream.lateness_ms // pane_ms) * (_NAMES + 2 * _groups(stream) * fields * _FIELD)
    sketch = 2 * MAX_NUMBERS * _NUMBER + MAX_STRINGS * _row(stream)
    lesson = 3 * MAX_LESSON * _PANE_OF_LESSON  # thrice: it is packed for the process that learns
    return panes + fields * (max(sketch, lesson) + _SHIFTS + _RULES)
