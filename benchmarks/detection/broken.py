"""How long until a fault in the records of one stream is found: by the contrasts of its field, and by the rule on missing values.

The records were counted twice, healthy and with the fault; a broken stream is the healthy one up to the onset and the
other from there on.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.cases import delays, hours_of
from benchmarks.detection.data import DAY_MS, MINUTE_MS
from benchmarks.detection.environments import environment
from benchmarks.detection.faults import FAULTS, Fault
from benchmarks.detection.null import Environment, Split, split
from benchmarks.detection.panes import PaneSeries, series
from benchmarks.detection.steps import HORIZON_DAYS
from detectors import Missing
from detectors.base import Detector, Ints
from detectors.shiryaev_roberts import ShiryaevRoberts
from stream.learn import MIN_N

INJECTIONS = 25


def drawn(streams: int, pane_ms: int, seed: int, each: int) -> tuple[Ints, Ints]:
    """Return so many streams and onsets, in panes of the first two monitored weeks."""
    rng = np.random.default_rng((seed, 19))
    return rng.integers(streams, size=each), rng.integers(HORIZON_DAYS * DAY_MS // pane_ms, size=each)


def by_contrasts(
    healthy: Environment,
    faulty: Environment,
    part: Split,
    field: str,
    streams: Sequence[str],
    broken: tuple[Ints, Ints],
    budget: float,
) -> NDArray[np.float64]:
    """Return float64[I], hours until some contrast of the field is beyond its limit; inf if none is within two weeks.

    nan where one was beyond its limit within the day before.
    """
    pairs = [
        (i, column)
        for i, stream in enumerate(broken[0].tolist())
        for column, name in enumerate(healthy.names)
        if name.startswith(f"{streams[stream]}.{field}.")
    ]
    injection, column = np.array(pairs).T
    panes = part.watched
    onset = (part.fill + broken[1])[injection]
    late = np.arange(len(panes))[:, None] >= onset
    x, n = (
        np.where(late, getattr(faulty.series, name)[panes][:, column], getattr(healthy.series, name)[panes][:, column])
        for name in ("x", "n")
    )
    base = part.learned.baseline.take(column)
    z = base.whiten(x, n, healthy.series.groups[panes], healthy.series.slots[panes])
    watch = ShiryaevRoberts(part.learned.limit(budget)[column])
    return _first(watch, z, n, onset, healthy.series.pane_ms, injection)


def by_rule(
    healthy: Sequence[PaneSeries],
    faulty: Sequence[PaneSeries],
    part: Split,
    fault: Fault,
    broken: tuple[Ints, Ints],
    pane_ms: int,
) -> NDArray[np.float64]:
    """Return float64[I], hours until `detectors.Missing` finds that values are missing; inf if it does not within two weeks."""
    panes = part.watched
    onset = part.fill + broken[1]
    late = np.arange(len(panes))[:, None] >= onset
    (x, n), (wrong, _) = (_shares(items, fault.field, pane_ms) for items in (healthy, faulty))
    chosen = np.where(late, wrong[panes][:, broken[0]], x[panes][:, broken[0]])
    watch = Missing(len(onset))
    return _first(watch, chosen, n[panes][:, broken[0]], onset, pane_ms, np.arange(len(onset)))


def _first(
    watch: Detector, x: NDArray[np.float64], n: Ints, onset: Ints, pane_ms: int, injection: Ints
) -> NDArray[np.float64]:
    found = np.full(injection.max() + 1, np.inf)
    day = DAY_MS // pane_ms
    for pane in range(len(x)):
        watch.update(x[pane], n[pane], (pane + 1) * pane_ms)
        alarmed = np.flatnonzero(watch.drift_detected)
        for row in alarmed.tolist():
            i = injection[row]
            if pane >= onset[row]:
                found[i] = min(found[i], (pane + 1 - onset[row]) * pane_ms / 3_600_000)
            elif pane >= onset[row] - day:
                found[i] = np.nan
    return np.where(found > 24 * HORIZON_DAYS, np.inf, found)


def _shares(items: Sequence[PaneSeries], field: str, pane_ms: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (missing share float64[T, S], records [T, S]) by stream; panes with fewer than 30 records are carried on."""
    shares, sizes = [], []
    for item in items:
        step = pane_ms // item.pane_ms
        records = item.records.reshape(-1, step).sum(axis=1, dtype=np.int64)
        missing = item.missing[:, item.fields.index(field)].reshape(-1, step).sum(axis=1, dtype=np.int64)
        share, size = np.full(len(records), np.nan), np.zeros(len(records), np.int64)
        held, gone = 0, 0
        for pane, (n, m) in enumerate(zip(records.tolist(), missing.tolist(), strict=True)):
            held, gone = held + n, gone + m
            if held >= MIN_N:
                share[pane], size[pane], held, gone = gone / held, held, 0, 0
        shares.append(share)
        sizes.append(size)
    return np.stack(shares, axis=1), np.stack(sizes, axis=1)


@lru_cache(maxsize=1)
def counted(minutes: int) -> tuple[list[PaneSeries], Environment, dict[str, tuple[list[PaneSeries], Environment]]]:
    """Return the flights, healthy and with each fault: pane counts, and contrasts."""
    pane_ms = minutes * MINUTE_MS
    healthy = list(series("flights"))
    faulty = {fault.name: list(series("flights", fault=fault)) for fault in FAULTS}
    worlds = {name: (items, environment("flights", healthy, pane_ms, items)) for name, items in faulty.items()}
    return healthy, environment("flights", healthy, pane_ms), worlds


def permutation(minutes: int, seed: int) -> dict[str, Any]:
    """Break one stream of flights at a time, in every way, at b = 1."""
    items, healthy, worlds = counted(minutes)
    part = split(healthy, seed)
    chosen = drawn(len(items), healthy.series.pane_ms, seed, INJECTIONS)
    row = {}
    for fault in FAULTS:
        broken, faulty = worlds[fault.name]
        row[fault.name] = hours_of(
            by_contrasts(healthy, faulty, part, fault.field, [item.name for item in items], chosen, 1.0)
        )
        if "missing" in fault.name:
            hours = by_rule(items, broken, part, fault, chosen, healthy.series.pane_ms)
            row[f"{fault.name}, rule"] = hours_of(hours)
    return row


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the delays by fault."""
    return {name: delays(row[name] for row in rows) for name in rows[0]}
