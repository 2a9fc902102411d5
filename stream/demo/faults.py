"""Seven ways to break the stream, as pure transformations of records, and when each of them happens.

A fault changes records on their way to the topic, not the flights and not the model: the score of a flight is the one
for its true distance also while the topic says kilometres. So each fault has one root, and what else opens is a false
alarm or a consequence that the report can name.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import orjson

from stream.demo.timeline import FEATURES, PANE_MS, PREDICTIONS, STREAMS, Record

PANES = 6
"""Panes that a fault lasts."""
SILENT_PANES = 12
"""The silent topic lasts longer: the monitor's configuration calls five seconds without records silence."""
VERSION_PANES = 10
"""A new version is first counted as "other"; its scores are compared once a layout names it."""
CLEAN_PANES = 12
"""Panes without a fault after each: an incident re-opens within 10, and takes 3 to resolve."""
JITTER = 2
LATE_MS = 6000
"""Six panes: more than the configured lateness of one second, also for a record that waits for its batch."""


Apply = Callable[[Record], Iterable[Record]]


@dataclass(frozen=True)
class Fault:
    """One announced fault.

    Attributes:
        name: short name, as in the report. says: what happens, for a person.
        topic: where. apply: one record to the records that are sent instead.
        check, subject: of the finding that counts as its detection. reason: that it must give; any other one where empty
            (a new version is announced when it appears; detected it is when its scores are found to differ).
        panes: how many it lasts.
        start_ms, end_ms: event times of the records it touches, end excluded.
    """

    name: str
    says: str
    topic: str
    apply: Apply
    check: str
    subject: str
    reason: str = ""
    panes: int = PANES
    start_ms: int = 0
    end_ms: int = 0

    @property
    def stream(self) -> str:
        """The monitor's name of the stream on `topic`."""
        return STREAMS[self.topic]

    @property
    def whole_stream(self) -> bool:
        """Whether it breaks all that is said about the stream, not one field."""
        return self.topic != FEATURES or self.subject == self.stream

    def touches(self, record: Record) -> bool:
        return record.topic == self.topic and self.start_ms <= record.timestamp_ms < self.end_ms


def through(faults: Iterable[Fault], records: Iterable[Record]) -> Iterator[Record]:
    """Yield the records as they are sent. Faults never overlap, so one at most concerns a record."""
    faults = tuple(faults)
    for record in records:
        active = next((fault for fault in faults if fault.touches(record)), None)
        if active is None:
            yield record
        else:
            yield from active.apply(record)


def schedule(seed: int, start_ms: int) -> tuple[Fault, ...]:
    """Return the seven faults in an order and with pauses that the seed chooses; the first begins at ``start_ms``.

    Args:
        seed: any integer. start_ms: edge of a pane.
    """
    rng = random.Random(seed)  # noqa: S311 - nobody has to guess it, everybody may repeat it
    faults = seven(origin=rng.choice(["EWR", "JFK", "LGA"]))
    rng.shuffle(faults)
    placed = []
    for fault in faults:
        end_ms = start_ms + fault.panes * PANE_MS
        placed.append(replace(fault, start_ms=start_ms, end_ms=end_ms))
        start_ms = end_ms + PANE_MS * (CLEAN_PANES + rng.randint(0, JITTER))
    return tuple(placed)


def seven(origin: str) -> list[Fault]:
    """Return the faults, not yet placed in time; ``origin`` is the airport whose weather station fails."""
    features, predictions = STREAMS[FEATURES], STREAMS[PREDICTIONS]
    return [
        Fault(
            "feature missing",
            f"the weather station at {origin} fails: temp is null for every departure from there",
            FEATURES,
            lambda record: [_with(record, temp=None)] if _of(record)["origin"] == origin else [record],
            *("missing", "temp"),
        ),
        Fault(
            "type changed",
            "a new serializer writes dep_delay as text: 12 becomes '12'",
            FEATURES,
            lambda record: [_with(record, dep_delay=str(_of(record)["dep_delay"]))],
            *("schema", "dep_delay"),
        ),
        Fault(
            "distribution moved",
            "distance arrives in kilometres instead of miles",
            FEATURES,
            lambda record: [_with(record, distance=round(_of(record)["distance"] * 1.609344))],
            *("drift", "distance"),
        ),
        Fault(
            "predictions silent",
            "the scoring service stops writing predictions",
            PREDICTIONS,
            lambda record: [],
            *("volume", predictions),
            panes=SILENT_PANES,
        ),
        Fault(
            "late data",
            f"one record in four is {LATE_MS // 1000} s behind",
            FEATURES,
            lambda record: [_behind(record)] if _share(record) < 0.25 else [record],
            *("late", features),
        ),
        Fault(
            "unreadable records",
            "every record is followed by a copy that is cut off in the middle",
            FEATURES,
            lambda record: [record, replace(record, value=_cut(record))],
            *("rejected", features),
        ),
        Fault(
            "model too high",
            "model 1.1 takes over half of the flights and scores them too high",
            PREDICTIONS,
            lambda record: [_rescored(record)] if _share(record) < 0.5 else [record],
            *("version", "1.1", "score_shift"),
            panes=VERSION_PANES,
        ),
    ]


def _of(record: Record) -> dict[str, Any]:
    assert isinstance(record.value, dict), "faults see records before they are encoded"
    return record.value


def _with(record: Record, **fields: Any) -> Record:
    return replace(record, value={**_of(record), **fields})


def _share(record: Record) -> float:
    """A number of [0, 1) that belongs to the flight: the same flights are touched in every run."""
    return crc32(record.key.encode()) / 2**32


def _behind(record: Record) -> Record:
    return replace(record, timestamp_ms=record.timestamp_ms - LATE_MS)


def _cut(record: Record) -> bytes:
    encoded = orjson.dumps(_of(record))
    return encoded[: len(encoded) // 2]


def _rescored(record: Record) -> Record:
    score = min(max(_of(record)["score"], 1e-4), 1 - 1e-4)
    logit = math.log(score / (1 - score)) + 2.5
    return _with(record, score=round(1 / (1 + math.exp(-logit)), 4), model_version="1.1")
