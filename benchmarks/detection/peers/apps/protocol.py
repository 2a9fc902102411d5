"""What every peer reads and writes; only numpy, since each runs in an environment of its own.

A script is called with the file of rows, the file of results and its variant (``adwin``, or ``adwin/raw`` for contrasts as they
are). It says for each point of its grid in which panes each stream alarms; delays and alarm days follow here, for all alike.
The streams and the injections stand side by side, as C = K + I columns. The day before the monitored weeks is watched too: an
alarm that lasts is none that begins.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

HORIZON_H = 336.0
P_VALUES = [0.05, 0.01, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-15, 1e-20, 1e-25, 1e-30, 1e-35, 1e-40, 1e-50, 1e-60]

Bools = NDArray[np.bool_]
Values = NDArray[np.float64]
D = TypeVar("D")


class Rows:
    """Rows of one permutation.

    Attributes:
        streams: K. per_day: panes of a day. onset: int64[I], pane of the monitored weeks. stream: int64[I].
        reference: float64[Tref, C]. watched: float64[per_day + Tmon, C], the last day of the reference and what follows it.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]], raw: bool) -> None:
        kind = "raw_" if raw else ""
        reference, monitored = arrays[kind + "reference"], arrays[kind + "monitored"]
        self.streams = reference.shape[1]
        self.pane_ms = int(arrays["pane_ms"])
        self.per_day = 86_400_000 // self.pane_ms
        self.onset, self.stream = arrays["onset"], arrays["stream"]
        self.reference = np.hstack([reference, reference[:, self.stream]]).astype(np.float64)
        after = np.hstack([monitored, arrays[kind + "injected"]])
        self.watched = np.vstack([self.reference[-self.per_day :], after])

    def days(self) -> Values:
        """Return float64[1 + days, per_day, C]."""
        return self.watched.reshape(-1, self.per_day, self.watched.shape[1])

    def wanted(self) -> Bools:
        """Return bool[1 + days, C]: whether anything depends on that day. Of an injection only the days after it count."""
        days = np.arange(len(self.watched) // self.per_day)[:, None]
        first = 1 + self.onset // self.per_day
        after = (days >= first) & (days <= first + HORIZON_H / 24)
        return np.hstack([np.ones((len(days), self.streams), np.bool_), after])

    def alarm_days(self, alarms: Bools) -> Bools:
        """Return bool[1 + days, K] of alarms bool[per_day + Tmon, C]."""
        return np.asarray(alarms[:, : self.streams].reshape(-1, self.per_day, self.streams).any(axis=1))

    def delays(self, alarms: Bools) -> Values:
        """Return float64[I], hours from the onset to the end of the pane that alarms; inf if none does within two weeks.

        nan where the stream is in alarm without it, on the day of the onset or the day before.
        """
        found = np.full(len(self.onset), np.inf)
        days = self.alarm_days(alarms)
        for i, (onset, stream) in enumerate(zip(self.onset, self.stream, strict=True)):
            hits = np.flatnonzero(alarms[self.per_day + onset :, self.streams + i])
            day = 1 + onset // self.per_day
            if days[day - 1 : day + 1, stream].any():
                found[i] = np.nan
            elif len(hits):
                found[i] = (hits[0] + 1) * self.pane_ms / 3_600_000
        found[found > HORIZON_H] = np.inf
        return found


def started() -> tuple[Rows, str]:
    """Return the rows and the variant that the command line names."""
    variant, _, kind = sys.argv[3].partition("/")
    with np.load(sys.argv[1]) as file:
        return Rows({name: file[name] for name in file.files}, kind == "raw"), variant


def finish(rows: Rows, grid: Sequence[float], default: float, alarms: Iterable[Bools]) -> None:
    """Write the results and print a line of JSON.

    Args:
        grid: G settings, the most sensitive first. default: the tool's own, one of them.
        alarms: for each setting bool[per_day + Tmon, C], the panes at whose end a column alarms.
    """
    days, delays = zip(*((rows.alarm_days(one), rows.delays(one)) for one in alarms), strict=True)
    np.savez_compressed(sys.argv[2], alarm_days=np.array(days), delay_h=np.array(delays))
    said = {"cpu_s": time.process_time(), "grid": list(grid), "default": list(grid).index(default)}
    print(json.dumps(said))


def over(statistic: Values, thresholds: Iterable[float]) -> Iterator[Bools]:
    """Yield the alarms of a statistic [per_day + Tmon, C] that alarms above each of the thresholds."""
    for threshold in thresholds:
        yield statistic > threshold


def over_days(rows: Rows, statistic: Values, thresholds: Iterable[float]) -> Iterator[Bools]:
    """Yield the alarms of a statistic of whole days, [1 + days, C]: known at the end of the day's last pane."""
    for threshold in thresholds:
        alarms = np.zeros(rows.watched.shape, np.bool_)
        alarms[rows.per_day - 1 :: rows.per_day] = statistic > threshold
        yield alarms


def finish_tests(rows: Rows, statistic: Values) -> None:
    """Write the results of a test of each day, given as -log p [1 + days, C]; the default is 0.05."""
    finish(rows, P_VALUES, 0.05, over_days(rows, statistic, -np.log(P_VALUES)))


def surprise(p: float) -> float:
    """Return -log p, of what a float can hold."""
    return -float(np.log(max(p, 1e-300)))


def daily(rows: Rows, score: Callable[[Values, Values], float]) -> Values:
    """Return float64[1 + days, C]: score(reference values, values of the day); -inf for a day with fewer than two values."""
    found = np.full(rows.wanted().shape, -np.inf)
    days = rows.days()
    references = [column[np.isfinite(column)] for column in rows.reference.T]
    for day, column in zip(*np.nonzero(rows.wanted()), strict=True):
        values = days[day, :, column]
        values = values[np.isfinite(values)]
        if len(values) > 1:
            found[day, column] = score(references[column], values)
    return found


def one_by_one(rows: Rows, make: Callable[[], D], update: Callable[[D, float], float], until: float) -> Values:
    """Return float64[per_day + Tmon, C], a statistic: every stream's detector is shown each pane that has a value.

    The panes of the reference come first, so that it is warm. An injection goes on from a copy of its stream's detector at the
    onset, for a fortnight or up to the first statistic above ``until``.

    Args:
        make: a new detector. update: show it a value; its statistic, 1 or 0 where it only says whether it alarms.
    """
    warm = rows.reference[: -rows.per_day]
    series = np.vstack([warm, rows.watched])
    found = np.full(series.shape, -np.inf)
    begin, horizon = len(warm) + rows.per_day, int(HORIZON_H * 3_600_000) // rows.pane_ms
    for stream in range(rows.streams):
        detector = make()
        mine = np.flatnonzero(rows.stream == stream)
        pane = 0
        for injection in [*mine[np.argsort(rows.onset[mine], kind="stable")], None]:
            onset = len(series) if injection is None else begin + int(rows.onset[injection])
            for now, value in usable(series[pane:onset, stream]):
                found[pane + now, stream] = update(detector, value)
            pane = onset
            if injection is not None:
                column, twin = rows.streams + injection, copy.deepcopy(detector)
                for now, value in usable(series[onset : onset + horizon, column]):
                    found[onset + now, column] = update(twin, value)
                    if found[onset + now, column] > until:
                        break
    return found[len(warm) :]


def usable(values: Values) -> Iterator[tuple[int, float]]:
    """Yield (pane, value) of the panes with a value."""
    panes = np.flatnonzero(np.isfinite(values))
    return zip(panes.tolist(), values[panes].tolist(), strict=True)
