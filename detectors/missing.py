"""Missing values: all of them at once, or a rising share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from detectors.base import Floats, Ints, Status, require
from detectors.p_chart import PChart


class Missing(PChart):
    r"""The share of records in which a field has no value (no key, or null).

    * ``all_missing``: x = 1 in one pane, after values were seen, and the baseline share $p$ makes n missing in a row a
      matter of less than ``chance``: $p^n < 10^{-6}$. So one pane suffices for a field that is normally there, and a field
      that is filled in one record of fifty is not reported in every quiet pane.
    * ``missing_share``: the p' chart of `detectors.PChart` with an effect of 5 points.
    * ``never_present``: no record ever had a value. **This is not an alarm** (``drift_detected`` is False, the status
      WARMING_UP): a field that was empty from the first record on may be planned, misspelt in the configuration or broken,
      and only a person knows. The reason is set so that it can be shown.

    Panes with ``all_missing`` or ``never_present`` teach the baseline nothing.

    Args:
        k: number of streams.
        effect: smallest rise of the share worth an alarm; None for ``all_missing`` only.
        chance: largest probability of an innocent pane without any value.
        min_n: fewest records that make a pane usable.

    Notes:
        Cost: 0.5 ms per update of 1,000 fields (measured). State: 41 bytes per stream beside the outputs.
        Blind spots: those of the chart. Default values in the place of missing ones (0, -1, "") are not missing: drift
        and `detectors.Constant` see them.

    Examples:
        >>> field = Missing(k=2)
        >>> for pane, share in enumerate([0.0, 0.01, 0.0, 1.0, 1.0]):
        ...     field.update([share, 1.0], [100, 100], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, [field.REASONS[r] for r in field.reason], field.drift_detected)
        3 ['all_missing', 'never_present'] [ True False]
        4 ['all_missing', 'never_present'] [ True False]

    References:
        Laney, D. B. (2002). Improved control charts for attributes. Quality Engineering 14(4), 531-537.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "all_missing", "never_present", "missing_share")
    RISEN: ClassVar[int] = REASONS.index("missing_share")
    STATE: ClassVar[tuple[str, ...]] = (*PChart.STATE, "present")

    def __init__(self, k: int, effect: float | None = 0.05, chance: float = 1e-6, min_n: int = 30) -> None:
        require(0.0 < chance < 1.0, f"'chance' must be in (0, 1), got {chance}")
        super().__init__(k, effect=effect, min_n=min_n)
        self.chance = chance
        self.present = np.zeros(k, np.bool_)

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        full = x >= 1.0
        if not np.count_nonzero(full):  # the ordinary pane: every field has values, only the chart has something to say
            self.present[self.at(rows)] = True
            super().step(rows, x, n, t)
            return
        self.present[rows] |= ~full
        never = ~self.present[rows]
        gone = full & ~never & (n * np.log(self.baseline(rows)) < np.log(self.chance))
        rest = ~(never | gone)
        super().step(rows[rest], x[rest], n[rest], t)
        one = np.ones(gone.sum())
        self.conclude(rows[gone], one, one, one > 0.0, np.True_, reason=1)
        self.statistic[rows[never]] = 1.0
        self.reason[rows[never]] = 2
        self.status[rows[never]] = Status.WARMING_UP
