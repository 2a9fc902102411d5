"""nannyml: its univariate drift calculator, a chunk per day, Jensen-Shannon distance (its default) or Wasserstein.

Its threshold is the mean over the reference's own chunks plus 3 standard deviations; the grid is over that 3, worked out from
the distances that the calculator returns, since each setting anew would cost the same pass again.
"""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from protocol import finish, over_days, started

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"  # before it is imported, or it sends an event for every call
from nannyml import UnivariateDriftCalculator

MULTIPLES = [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0, 10.0, 12.0, 16.0, 24.0]


def main() -> None:
    rows, variant = started()
    names = [f"c{column}" for column in range(rows.reference.shape[1])]
    calculator = UnivariateDriftCalculator(
        column_names=names, treat_as_categorical=[], continuous_methods=[variant], chunk_size=rows.per_day
    )
    calculator.fit(pd.DataFrame(rows.reference, columns=names))
    result = calculator.calculate(pd.DataFrame(rows.watched, columns=names))
    known, watched = (
        np.stack(
            [
                result.filter(period=period).to_df()[(name, variant, "value")].to_numpy(dtype=np.float64)
                for name in names
            ],
            axis=1,
        )
        for period in ("reference", "analysis")
    )
    away = (watched - np.nanmean(known, axis=0)) / np.nanstd(known, axis=0)
    finish(rows, MULTIPLES, 3.0, over_days(rows, away, MULTIPLES))


if __name__ == "__main__":
    main()
