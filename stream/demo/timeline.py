"""The year 2013 on today's clock: a day takes two seconds, and history lies behind the present at the same rate.

The numbers, and why:

* A pane of the monitor lasts one second, so it holds half a day: 450 departures in the median, 300 on a slow Saturday.
  Rules need 30 records of a pane.
* Panes change at 07:00 and 19:00 UTC, two or three in the morning and in the afternoon in New York: both halves hold
  about as many departures, and the hours without flights fall inside a pane and last under half a second, so a night
  never looks like silence.
* History starts on October 6 and spans 130 days, over the turn of the year: 260 panes, 330,000 records. The monitor reads
  them within seconds, learns edges from the first 10,000 records while the rest rushes by, and then needs 200 panes for
  the reference; what the history lacks, the live part has brought until then.
* The live part begins on February 13. Seven faults of 6 panes (12 for the silent topic, 10 for the new version), with 12
  to 14 clean panes between them, take a little more than two minutes: until the end of April. The reference has then seen
  autumn and winter, so a mild spring day is nothing new. Had history been spring and summer, the monitor would be right to
  say in November that it is colder than ever before, and that would hide the faults.
* When December ends the year begins again, with the same flights under new names. The model learned January, and January
  is part of the history; the live part, until the next one, is not.

One day per pane was the alternative. It hides the difference of morning and evening, but a year then has only 365 panes:
too few for learning and seven faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.demo.data import DAY, LATE, Flights

PANE_MS = 1000
DAY_MS = 2000
FIRST_DAY = 278
"""Day of the year, from 0, on which history starts: October 6."""
HISTORY_DAYS = 130
EDGE = 420
"""Minute of the UTC day at which a pane begins."""
YEAR = 365 * DAY

FEATURES, PREDICTIONS, OUTCOMES = "flights.features", "flights.predictions", "flights.outcomes"
TOPICS = (FEATURES, PREDICTIONS, OUTCOMES)
STREAMS = {FEATURES: "delays.features", PREDICTIONS: "delays.predictions", OUTCOMES: "delays.outcomes"}
"""What the monitor calls them: model and role, as in the configuration that the demo writes."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record before it is encoded. A value that is already bytes is sent as it is."""

    topic: str
    key: str
    timestamp_ms: int
    value: dict[str, Any] | bytes


@dataclass(frozen=True)
class Clock:
    """A straight line between minutes of 2013 and milliseconds of today; ``edge_ms`` is the moment of minute `EDGE`."""

    edge_ms: int

    @staticmethod
    def starting(now_ms: int, day: int = FIRST_DAY + HISTORY_DAYS) -> Clock:
        """Return the clock on which ``day`` begins at the last pane edge before ``now_ms``."""
        return Clock(now_ms // PANE_MS * PANE_MS - day * DAY_MS)

    def ms(self, minutes: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.asarray(self.edge_ms + np.rint((minutes - EDGE) * (DAY_MS / DAY)).astype(np.int64))

    def minutes(self, ms: int) -> float:
        return (ms - self.edge_ms) * (DAY / DAY_MS) + EDGE

    def date(self, ms: int) -> datetime:
        """Return the moment of 2013 (UTC) that is shown at ``ms``."""
        return datetime(2013, 1, 1, tzinfo=UTC) + timedelta(minutes=self.minutes(ms) % YEAR)


@dataclass(eq=False)
class Timeline:
    """What each topic carries, in the order of event time: features and predictions at departure, outcomes at landing.

    Attributes:
        flights: the year. scores: float64[N], what the model said. version: of that model.
        clock: when it happens.
    """

    flights: Flights
    scores: NDArray[np.float64]
    clock: Clock
    version: str = "1.0"
    _order: dict[str, NDArray[np.int64]] = field(init=False)
    _when: dict[str, NDArray[np.int64]] = field(init=False)

    def __post_init__(self) -> None:
        departed, landed = self.clock.ms(self.flights.departed), np.flatnonzero(~np.isnan(self.flights.landed))
        touch_down = self.clock.ms(self.flights.landed[landed])
        by_landing = np.argsort(touch_down, kind="stable")
        everyone = np.arange(len(self.flights))
        self._order = {FEATURES: everyone, PREDICTIONS: everyone, OUTCOMES: landed[by_landing]}
        self._when = {FEATURES: departed, PREDICTIONS: departed, OUTCOMES: touch_down[by_landing]}

    @property
    def begin_ms(self) -> int:
        """Where history starts: the pane edge of `FIRST_DAY`."""
        return self.clock.edge_ms + FIRST_DAY * DAY_MS

    def between(self, topic: str, start_ms: int, end_ms: int) -> Iterator[Record]:
        """Yield the records of a topic with event times in ``[start_ms, end_ms)``, the year repeated as often as needed."""
        when, order, year_ms = self._when[topic], self._order[topic], 365 * DAY_MS
        first = (start_ms - int(when[-1])) // year_ms
        last = (end_ms - int(when[0])) // year_ms
        for lap in range(first, last + 1):
            shift = lap * year_ms
            a, b = np.searchsorted(when, [start_ms - shift, end_ms - shift])
            times, rows = (when[a:b] + shift).tolist(), order[a:b].tolist()
            for ms, row in zip(times, rows, strict=True):
                yield Record(topic, f"{2013 + lap}{self.flights.key[row]}", ms, self._value(topic, row, lap))

    def _value(self, topic: str, row: int, lap: int) -> dict[str, Any]:
        if topic == FEATURES:
            return {name: values[row] for name, values in self.flights.features.items()}
        name = f"{2013 + lap}{self.flights.key[row]}"
        if topic == PREDICTIONS:
            return {"flight": name, "score": round(float(self.scores[row]), 4), "model_version": self.version}
        delay = int(self.flights.arrival_delay[row])
        return {"flight": name, "is_late": delay >= LATE, "arr_delay": delay}
