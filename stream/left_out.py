"""What a night does not learn from, though nobody has said anything of it: days of everything, and outages of a field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detectors.budget import Series, days_of, fitted
from detectors.risk_control import DAYS
from stream.contrasts import FAMILIES, MISSING, missing_contrast

GLOBAL_SHARE, GLOBAL_SD, GLOBAL_LEAST = 0.25, 3.0, 5
"""A day is left out when so many of the series, and no fewer than five, have a mean further than 3 long-run sd from normal."""

OUTAGE, OUTAGE_DAYS = 0.5, 2
"""Share of missing values from which on a pane is one of an outage, and the most days of the reference that may have some, of all
fields together. What happens more often is how the file is, and its limits must know of it: a bound for each field alone let
outages of twenty fields open four incidents a week."""


def global_days(series: Series) -> list[int]:
    """Return the days (counted from 0) on which many series stood apart together: something happened to everything.

    Of the series that move at all: most fields are never missing, and that is no sign that nothing happened to them.
    """
    days = days_of(series)
    usable = np.flatnonzero(np.fmax.reduce(series.x) > np.fmin.reduce(series.x))
    if len(days) < 2 * DAYS or len(usable) < GLOBAL_LEAST:
        return []
    normal = fitted(series, streams=usable)
    found = []
    for number, day in enumerate(days):
        today = series.take(day, usable)
        z = normal.whiten(today.x, today.n, today.groups, today.slots)
        m = np.isfinite(z).sum(axis=0)
        far = np.abs(np.nansum(z, axis=0)) > GLOBAL_SD * np.sqrt(np.maximum(m, 1))
        if far.sum() >= max(GLOBAL_LEAST, GLOBAL_SHARE * (m > 0).sum()):
            found.append(number)
    return found


def leave_outages_out(series: Series, family: NDArray[np.int64]) -> None:
    """Blank the panes in which most values of a field were missing, where that happened on two days at most.

    Fields of which it happens more often are passed over: they are known for it, and their days do not count for the others.

    The rule on missing values tells of an outage; what the contrast has to tell of is the few percent of the next week. Three
    hours among weeks make the field's variance many times as large, and those few percent are found hours later. Panes in which
    no value is left have no contrast anyway.

    Args:
        series: of which the contrasts on missing values are changed. family: int64[K], index into `stream.contrasts.FAMILIES`.
    """
    columns = np.flatnonzero(family == FAMILIES.index(MISSING))
    days = days_of(series)
    if len(days) < 2 * DAYS:
        return
    gone = series.x[:, columns] > missing_contrast(OUTAGE)
    by_day = np.array([gone[day].any(axis=0) for day in days])
    rare = np.flatnonzero(by_day.sum(axis=0) <= OUTAGE_DAYS)
    if by_day[:, rare].any(axis=1).sum() <= OUTAGE_DAYS:
        panes, fields = np.nonzero(gone[:, rare])
        series.x[panes, columns[rare[fields]]] = np.nan
