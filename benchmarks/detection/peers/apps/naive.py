"""What a team writes in an afternoon, in numpy, and the two detectors that know nothing.

``daily_mean``: mean of a day against mean and sd of the reference's daily means. ``trailing_mean``: the same for the mean of
the last 24 hours, at every pane. ``cusum``: the textbook's, two-sided, k = .5, on values standardised by the reference, set
to 0 after an alarm. With ``clipped_`` before it each sees values clipped at 2.5 standard deviations, so
that one stormy pane cannot alarm alone. ``always`` and ``never`` alarm in every pane and in none.
"""

from __future__ import annotations

import numpy as np
from protocol import Bools, Rows, Values, finish, over, over_days, started

Z = [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 14.0, 16.0, 20.0, 24.0]
H = [4.0, 5.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 160.0, 192.0, 224.0, 256.0]
K = 0.5
CLIP = 2.5


def day_means(values: Values, per_day: int) -> Values:
    """Return float64[days, C]; nan for a day without values."""
    days = values.reshape(-1, per_day, values.shape[1])
    count = np.isfinite(days).sum(axis=1)
    return np.where(count, np.nansum(days, axis=1) / np.maximum(count, 1), np.nan)


def trailing_means(values: Values, per_day: int) -> Values:
    """Return float64[T - per_day + 1, C], means over the last per_day panes."""
    sums, counts = (
        np.cumsum(np.vstack([np.zeros((1, values.shape[1])), part]), axis=0)
        for part in (np.nan_to_num(values), np.isfinite(values).astype(np.float64))
    )
    count = counts[per_day:] - counts[:-per_day]
    return np.where(count > 0, (sums[per_day:] - sums[:-per_day]) / np.maximum(count, 1.0), np.nan)


def away(means: Values, known: Values) -> Values:
    """Return how many standard deviations of the known means each mean is away from their mean."""
    with np.errstate(divide="ignore", invalid="ignore"):  # one that never varied is no distance away, or infinitely far
        return np.asarray(np.abs(means - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0))


def cusum(rows: Rows, h: float) -> Bools:
    """Return the alarms of both one-sided sums together."""
    mean, sd = np.nanmean(rows.reference, axis=0), np.nanstd(rows.reference, axis=0)
    series = (np.vstack([rows.reference[: -rows.per_day], rows.watched]) - mean) / sd
    alarms = np.zeros(series.shape, np.bool_)
    up, down = np.zeros(series.shape[1]), np.zeros(series.shape[1])
    for pane, value in enumerate(series):
        there = np.isfinite(value)
        up = np.where(there, np.maximum(up + value - K, 0.0), up)
        down = np.where(there, np.maximum(down - value - K, 0.0), down)
        alarms[pane] = there & ((up > h) | (down > h))
        up[alarms[pane]] = down[alarms[pane]] = 0.0
    return alarms[-len(rows.watched) :]


def main() -> None:
    rows, variant = started()
    if variant.startswith("clipped_"):
        variant = variant.removeprefix("clipped_")
        rows.reference, rows.watched = (np.clip(values, -CLIP, CLIP) for values in (rows.reference, rows.watched))
    shape, per_day = rows.watched.shape, rows.per_day
    if variant == "always":
        finish(rows, [0.0], 0.0, [np.ones(shape, np.bool_)])
    elif variant == "never":
        finish(rows, [0.0], 0.0, [np.zeros(shape, np.bool_)])
    elif variant == "cusum":
        finish(rows, H, 5.0, (cusum(rows, h) for h in H))
    elif variant == "daily_mean":
        z = away(day_means(rows.watched, per_day), day_means(rows.reference, per_day))
        finish(rows, Z, 3.0, over_days(rows, z, Z))
    else:
        series = np.vstack([rows.reference[: -rows.per_day], rows.watched])
        z = away(trailing_means(series, per_day), trailing_means(rows.reference, per_day))
        finish(rows, Z, 3.0, over(z[-len(rows.watched) :], Z))


if __name__ == "__main__":
    main()
