"""evidently: normed Wasserstein distance and Kolmogorov-Smirnov test of each day's pane values against all of the reference.

Its test functions are called directly, as its registry holds them, instead of a Report for each day, which computes much else;
on a day of six streams both gave the same numbers. ``preset`` is the choice of its DataDriftPreset, which has no grid: the
distance, at .1, for streams with more than 1,000 values in the reference, and the test, at .05, for the others.
"""

from __future__ import annotations

import pandas as pd
from evidently.legacy.calculations.stattests import ks_stat_test, wasserstein_stat_test
from evidently.legacy.core import ColumnType
from protocol import Values, daily, finish, finish_tests, over_days, started, surprise

DISTANCES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0]


def distance(reference: Values, day: Values) -> float:
    """Return the normed distance."""
    result = wasserstein_stat_test(pd.Series(reference), pd.Series(day), ColumnType.Numerical, 0.1)
    return float(result.drift_score)


def test(reference: Values, day: Values) -> float:
    """Return -log p."""
    result = ks_stat_test(pd.Series(reference), pd.Series(day), ColumnType.Numerical, 0.05)
    return surprise(result.drift_score)


def preset(reference: Values, day: Values) -> float:
    """Return how far its own choice is beyond its own threshold, > 0 if it is."""
    if len(reference) > 1000:
        return distance(reference, day) - 0.1
    return test(reference, day) - surprise(0.05)


def main() -> None:
    rows, variant = started()
    if variant == "ks":
        finish_tests(rows, daily(rows, test))
    elif variant == "preset":
        finish(rows, [0.0], 0.0, over_days(rows, daily(rows, preset), [0.0]))
    else:
        finish(rows, DISTANCES, 0.1, over_days(rows, daily(rows, distance), DISTANCES))


if __name__ == "__main__":
    main()
