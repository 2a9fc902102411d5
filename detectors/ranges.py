"""Values outside their stated range, a field that became constant, a field whose panes repeat."""

from __future__ import annotations

import zlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from detectors.base import DRIFT, Bools, Detector, Floats, Ints, require
from detectors.share_limit import ShareLimit


class OutOfRange(ShareLimit):
    """The share of values outside their stated bounds.

    Args:
        k: number of fields.
        limit: the largest share that is tolerated.
        min_n: fewest values that make a pane usable.

    Notes:
        Cost and state: as `detectors.ShareLimit`. Blind spots: everything inside the bounds; that is drift's.

    Examples:
        >>> field = OutOfRange(k=1)
        >>> for pane, share in enumerate([0.0, 0.01, 0.03]):
        ...     field.update([share], [1000], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, field.REASONS[field.reason[0]], field.threshold.round(4))
        2 out_of_range [0.0199]
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "out_of_range")

    def __init__(self, k: int, limit: float = 0.01, min_n: int = 30) -> None:
        super().__init__(k, limit=limit, min_n=min_n)


class Run(Detector):
    """A row of panes that show something rare: the rule behind `Constant` and `Stuck`.

    Wrong when the row is at least ``needed`` panes long and 3 times longer than any completed row before it, in a stream
    in which at most 5 % of the panes showed the thing. Both conditions are there for fields that naturally rest: rain is 0
    for days, a flag is false all night. Their rows are long and frequent, and they are never armed.
    Panes found wrong do not teach.

    Args:
        k: number of streams.
        needed: panes in a row. grace: panes that must have taught.
        rare: largest share of earlier panes. factor: multiple of the longest earlier row.
        min_n: fewest values that make a pane usable.
    """

    STATE: ClassVar[tuple[str, ...]] = ("row", "longest", "hits", "panes")
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self, k: int, needed: int, grace: int = 200, rare: float = 0.05, factor: float = 3.0, min_n: int = 30
    ) -> None:
        require(needed >= 1, f"'needed' must be >= 1, got {needed}")
        require(grace >= 1, f"'grace' must be >= 1, got {grace}")
        super().__init__(k, min_n)
        self.needed = needed
        self.grace = grace
        self.rare = rare
        self.factor = factor
        self.row = np.zeros(k)
        self.longest = np.zeros(k)
        self.hits = np.zeros(k, np.int64)
        self.panes = np.zeros(k, np.int64)

    def judge(self, rows: Ints, hit: Bools) -> None:
        """Judge and learn whether each of some streams shows the thing in this pane."""
        before, longest, hits, panes = self.row[rows], self.longest[rows], self.hits[rows], self.panes[rows]
        ended = ~hit & (self.status[rows] != DRIFT)
        np.maximum(longest, before, out=longest, where=ended)
        row = np.where(hit, before + 1.0, 0.0)
        armed = (panes >= self.grace) & (hits <= self.rare * panes)
        threshold = np.where(armed, np.maximum(self.needed, self.factor * longest + 1.0), np.inf)
        right = row < threshold
        self.conclude(rows, row, threshold, ~right, armed)
        self.row[rows] = row
        self.longest[rows] = longest
        self.hits[rows] = hits + (hit & right)
        self.panes[rows] = panes + right


class Constant(Run):
    """A field whose values are all equal, after having varied.

    x is 1 where all values of the pane are equal (a category: one bin holds all), else 0. A stuck
    sensor and a default value that took the place of a broken lookup look like this.

    Args:
        k: number of fields.
        needed: constant panes in a row. grace: panes that must have been seen before.
        min_n: fewest values that make a pane usable; two equal values prove nothing.

    Notes:
        Cost: 0.3 ms per update of 1,000 fields (measured). State: 32 bytes per field beside the outputs.
        Blind spots: fields that were constant in more than 5 % of their panes (`Run` says why); a constant mixed into
        other values is drift's.

    Examples:
        >>> field = Constant(k=1)
        >>> for pane in range(300):
        ...     field.update([0.0 if pane < 250 else 1.0], [100], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, field.REASONS[field.reason[0]])
        ...         break
        252 constant
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "constant")

    def __init__(self, k: int, needed: int = 3, grace: int = 200, min_n: int = 30) -> None:
        super().__init__(k, needed, grace, min_n=min_n)

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        self.judge(rows, x > 0.0)


class Stuck(Run):
    """A field whose whole pane repeats exactly: the same batch is being sent again and again.

    x is a `fingerprint` of everything the pane knows of the field: counts by type and by bin. Counts are the right input,
    not shares or means: those of two healthy panes are often equal after rounding, while equal counts of hundreds of
    independent values in 36 bins practically never are. The number of records is thereby part of it, and a source that
    repeats its values at a varying rate is not found. Where values fill few bins, x should be NaN: it proves nothing.

    Args:
        k: number of fields.
        needed: repetitions in a row; 2 are three equal panes.
        grace: panes that must have been seen before.
        min_n: fewest values that make a pane usable.

    Attributes:
        previous: float64[K], the last fingerprint, -1 before the first.

    Notes:
        Cost: 0.3 ms per update of 1,000 fields, and 1 us per field for the fingerprint. State: 40 bytes per field beside
        the outputs. Blind spots: fields that fill few bins, and few-valued fields at a constant rate, which repeat by
        nature and are never armed.

    Examples:
        >>> rng = np.random.default_rng(5)
        >>> field = Stuck(k=1)
        >>> for pane in range(300):
        ...     counts = rng.multinomial(200, [0.25] * 4, size=1) if pane < 250 else counts
        ...     field.update(fingerprint(counts), [200], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, field.REASONS[field.reason[0]])
        ...         break
        251 stuck
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "stuck")
    STATE: ClassVar[tuple[str, ...]] = (*Run.STATE, "previous")

    def __init__(self, k: int, needed: int = 2, grace: int = 200, min_n: int = 30) -> None:
        super().__init__(k, needed, grace, min_n=min_n)
        self.previous = np.full(k, -1.0)

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        self.judge(rows, x == self.previous[rows])
        self.previous[rows] = x


def fingerprint(*parts: NDArray[Any]) -> Floats:
    """Return one number per stream that changes with any bit of its arrays: a CRC-32, exact in a float64.

    Args:
        parts: arrays whose first axis is the stream.

    >>> fingerprint(np.array([[1, 2], [1, 2], [1, 3]])).astype(int)
    array([  16178617,   16178617, 3428637991])
    """
    crc = [0] * len(parts[0])
    for part in parts:
        for row, values in enumerate(np.ascontiguousarray(part)):
            crc[row] = zlib.crc32(values.tobytes(), crc[row])
    return np.array(crc, np.float64)
