"""What contrasts were of late: enough to say when a change began, small enough to keep for thousands of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.glr import onset
from stream.judging.thin import pick

PANES = 288
"""A day of five-minute panes. A change that began before is dated "or earlier"; `streamgauge explain` looks further back."""

UNIT = 1 / 31
"""Values are kept in so many standard deviations as an int8: their clip at 4 (`detectors.baseline`) is 124."""

_BLANK = -128


class Recent:
    r"""A ring of $\psi$ (`detectors.baseline`) in the newest coarse panes of K series. Not divided by their long-run sd: a night
    changes that, most of all in the first weeks, and half of the ring would be of another measure than the rest.

    Attributes:
        index: of the newest coarse pane; None before the first. ring: int8[K, 288], that of pane i in column i % 288.
    """

    def __init__(self, k: int) -> None:
        self.index: int | None = None
        self.ring = np.full((k, PANES), _BLANK, np.int8)

    def add(self, index: int, psi: NDArray[np.floating]) -> None:
        """Take a coarse pane; nan where a series had no value. Panes in between had none."""
        if self.index is not None:
            skipped = range(max(self.index + 1, index - PANES + 1), index)
            self.ring[:, [i % PANES for i in skipped]] = _BLANK
        self.ring[:, index % PANES] = np.where(np.isfinite(psi), np.rint(np.nan_to_num(psi) / UNIT), _BLANK)
        self.index = index

    def values(self, row: int) -> NDArray[np.float64]:
        """Return float64[288], oldest first; nan where there is none."""
        assert self.index is not None
        row_now = np.roll(self.ring[row], -(self.index + 1) % PANES)
        return np.where(row_now == _BLANK, np.nan, row_now * UNIT)

    def onset(self, row: int, longrun: float) -> tuple[int, int, int]:
        """Return (earliest, likeliest, latest) coarse pane at which a change of this series may have begun."""
        assert self.index is not None
        first = self.index - PANES + 1
        early, likely, late = onset(self.values(row), longrun)
        return first + early, first + likely, first + late

    def mean_since(self, row: int, index: int) -> float:
        """Return the mean of a series from a coarse pane on."""
        assert self.index is not None
        return float(np.nanmean(self.values(row)[index - self.index - 1 :]))

    def forget(self, rows: NDArray[np.int64]) -> None:
        self.ring[rows] = _BLANK

    def carry(self, rows: NDArray[np.int64]) -> Recent:
        """Return the ring of other series in another order; row -1 is a new one."""
        moved = Recent(0)
        moved.index, moved.ring = self.index, pick(self.ring, rows, _BLANK)
        return moved

    def state(self) -> dict[str, Any]:
        return {"index": self.index, "ring": self.ring}

    def restore(self, tree: dict[str, Any]) -> None:
        self.index, self.ring = tree["index"], tree["ring"].astype(np.int8)
