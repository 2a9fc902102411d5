"""From alarms to a table: every peer at its defaults, and tuned in hindsight to a stated rate of false alarms.

Hindsight is a gift: it picks a setting with the very weeks it is judged on. Peers get it, our own method does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.steps import HORIZON_DAYS
from detectors.base import Floats
from detectors.risk_control import DAYS, openings

HORIZON_H = HORIZON_DAYS * 24.0


@dataclass(frozen=True)
class Results:
    """What one peer did with P permutations at the G settings of its grid, the most sensitive first.

    Attributes:
        alarm_days: bool[P, G, 1 + D, K], days on which a stream alarms, the first of the day before monitoring.
        delay_h: float64[P, G, I], hours until a step is found; inf: missed; nan: the stream was in alarm already.
        size: float64[P, I], of the steps.
    """

    alarm_days: NDArray[np.bool_]
    delay_h: Floats
    size: Floats

    def rates(self) -> Floats:
        """Return float64[G], openings per week, the mean over permutations."""
        found = [[openings(days.astype(np.float64), 0.5) for days in grid] for grid in self.alarm_days]
        return np.asarray(np.mean(found, axis=0) / self.weeks)

    @property
    def weeks(self) -> float:
        return float(self.alarm_days.shape[2] - 1) / DAYS


def hindsight(rates: Floats, allowed: float) -> int | None:
    """Return the most sensitive setting whose rate is allowed, and that of every less sensitive one; None if there is none.

    The second half matters: a detector that is always in alarm opens no alarm, so at the far end of a grid rates fall again.

    >>> hindsight(np.array([0.0, 7.0, 2.0, 0.9, 0.1]), 1.0)
    3
    >>> hindsight(np.array([3.0, 2.0]), 1.0) is None
    True
    """
    beyond = np.flatnonzero(~(rates <= allowed))
    first = int(beyond[-1]) + 1 if len(beyond) else 0
    return first if first < len(rates) else None


def at(results: Results, setting: int) -> dict[str, Any]:
    """Return rates and, by size of the step, delays of one setting.

    A week has seven alarm days at most; they show a detector that is always in alarm, and that no opening does.
    """
    days = results.alarm_days[:, setting]
    found = results.delay_h[:, setting].ravel()
    size = results.size.ravel()
    return {
        "openings_per_week": round(float(results.rates()[setting]), 3),
        "alarm_days_per_week": round(float(days[:, 1:].any(axis=2).sum(axis=1).mean() / results.weeks), 3),
        "stream_days_in_alarm": round(float(days[:, 1:].mean()), 5),
        "delays": {f"{one:g} sd": delays(found[size == one]) for one in np.unique(size)},
    }


def delays(found_h: Floats) -> dict[str, Any]:
    """Sum up float64[I] delays in hours.

    Steps into a stream that was in alarm already are told (``in_alarm``, a share) and left out of the rest.
    ``median_h`` is None where half of the others are missed, or where there are none.

    >>> delays(np.array([2.0, 6.0, np.inf, np.nan]))
    {'counted': 3, 'in_alarm': 0.25, 'median_h': 6.0, 'missed': 0.3333, 'restricted_mean_h': 114.67}
    """
    counted = found_h[~np.isnan(found_h)]
    if not len(counted):
        return {"counted": 0, "in_alarm": 1.0, "median_h": None, "missed": None, "restricted_mean_h": None}
    middle = float(np.quantile(counted, 0.5, method="higher"))
    return {
        "counted": len(counted),
        "in_alarm": round(1.0 - len(counted) / len(found_h), 4),
        "median_h": round(middle, 2) if np.isfinite(middle) else None,
        "missed": round(float(np.isinf(counted).mean()), 4),
        "restricted_mean_h": round(float(np.minimum(counted, HORIZON_H).mean()), 2),
    }


def row(results: Results, grid: list[float], default: int, allowed: float) -> dict[str, Any]:
    """Return a peer's part of the table: its grid with what it realised there, its default, and its best in hindsight.

    ``tuned`` is None where even the least sensitive setting alarms more often than allowed.
    """
    rates = results.rates()
    best = hindsight(rates, allowed)
    return {
        "grid": grid,
        "openings_per_week": [round(float(rate), 3) for rate in rates],
        "default": {"setting": grid[default]} | at(results, default),
        "tuned": None if best is None else {"setting": grid[best]} | at(results, best),
    }
