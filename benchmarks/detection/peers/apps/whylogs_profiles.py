"""whylogs: a profile (KLL sketches) of each day's pane values against one of the reference, Kolmogorov-Smirnov test of the two.

``calculate_drift_scores`` is its documented way; 0.05 is its bound for "drift".
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import whylogs
from protocol import Rows, Values, finish_tests, started, surprise
from whylogs.core import DatasetProfileView
from whylogs.viz.drift.column_drift_algorithms import KS, calculate_drift_scores


def profile(values: Values) -> DatasetProfileView:
    """Return the profile of values [panes, C]."""
    names = [f"c{column}" for column in range(values.shape[1])]
    return whylogs.log(pandas=pd.DataFrame(values, columns=names)).view()


def surprises(rows: Rows) -> Values:
    """Return float64[1 + days, C], -log p; -inf for a day without values."""
    reference = profile(rows.reference)
    found = np.full(rows.wanted().shape, -np.inf)
    columns = rows.reference.shape[1]
    algorithms = {f"c{column}": KS() for column in range(columns)}
    for day, values in enumerate(rows.days()):
        scores = calculate_drift_scores(profile(values), reference, algorithms)
        for column in range(columns):
            score = scores.get(f"c{column}")
            if score:
                found[day, column] = surprise(score["pvalue"])
    return found


def main() -> None:
    rows, _ = started()
    finish_tests(rows, surprises(rows))


if __name__ == "__main__":
    main()
