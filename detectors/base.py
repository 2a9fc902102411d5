"""The contract of every detector: K streams at once, one call per closed pane, no clock, no surprise.

The guard stands here, once, instead of in every detector: a pane with a non-finite number or with too few values never
reaches `Detector.step`, so no detector can be blinded by a NaN (river's ADWIN and PageHinkley stay silent for ever after
one). Arrays over streams were chosen over one object per stream because a monitor has thousands of them: a step is a
handful of numpy calls for all.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
State = dict[str, NDArray[Any]]


class Status(IntEnum):
    """What a detector thinks of a stream after its last usable pane."""

    WARMING_UP = 0
    """It has not seen enough to judge. Never the same as a silent "all is well"."""
    STABLE = 1
    WARNING = 2
    """Wrong in this pane, but one more rule (several panes in a row) is not yet met."""
    DRIFT = 3


WARMING_UP, STABLE, DRIFT = np.int8(Status.WARMING_UP), np.int8(Status.STABLE), np.int8(Status.DRIFT)


class Detector(ABC):
    """Watches K streams at once.

    A subclass names its `REASONS` and the arrays it remembers (`STATE`), and writes `step`. Every method works on K
    streams exactly as K detectors of one stream would, bit for bit.

    **A pane that says nothing** (a non-finite number, or fewer than ``min_n`` values) teaches nothing and raises no
    alarm; statistic, threshold and status stay those of the last usable pane; `ignored` counts it. Detectors for which
    an empty pane does say something (`detectors.Volume`) have ``min_n=0``.

    Args:
        k: number of streams.
        min_n: fewest values that make a pane usable.

    Attributes:
        REASONS: names of what can be wrong; index 0 is "" (nothing).
        STATE: names of the arrays that make up the memory, beside the outputs below.
        FALSE_ALARMS: stated upper bound of alarms per update of one stream on stationary, independent data with default
            settings. The contract suite holds every detector to it.
        statistic, threshold: float64[K], the two numbers that were compared; 0 and inf before the first comparison.
        drift_detected: bool[K], found wrong by this very update. A rule, and a test against a fixed reference, say so at
            every update at which it is wrong; a change detector only once.
        status: int8[K] of `Status`. reason: int8[K], index into `REASONS`.
        ignored: int64[K], panes that said nothing.

    The output arrays are overwritten by the next update: copy what is to be kept.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("",)
    STATE: ClassVar[tuple[str, ...]] = ()
    FALSE_ALARMS: ClassVar[float] = 0.0
    OUTPUTS: ClassVar[tuple[str, ...]] = ("statistic", "threshold", "drift_detected", "status", "reason", "ignored")

    def __init__(self, k: int, min_n: int = 30) -> None:
        require(k >= 0, f"'k' must be >= 0, got {k}")
        require(min_n >= 0, f"'min_n' must be >= 0, got {min_n}")
        self.k = k
        self.min_n = min_n
        self.statistic = np.zeros(k)
        self.threshold = np.full(k, np.inf)
        self.drift_detected = np.zeros(k, np.bool_)
        self.status = np.full(k, Status.WARMING_UP, np.int8)
        self.reason = np.zeros(k, np.int8)
        self.ignored = np.zeros(k, np.int64)

    def update(self, x: ArrayLike, n: ArrayLike, t: int) -> None:
        """Take one closed pane of all streams.

        Args:
            x: float64[K], or counts int64[K, ...] for detectors that compare histograms. Copied, never changed.
            n: int64[K], number of values behind x.
            t: event time of the pane in milliseconds.

        Raises:
            ValueError: x or n is not about K streams.
        """
        x = np.asarray(x, order="C")
        n = np.asarray(n, np.int64)
        if x.shape[:1] != (self.k,):
            raise ValueError(f"{type(self).__name__}: 'x' must have {self.k} rows, got shape {x.shape}")
        if n.shape != (self.k,):
            raise ValueError(f"{type(self).__name__}: 'n' must have shape ({self.k},), got {n.shape}")
        usable = n >= self.min_n
        if x.dtype.kind not in "iu":  # an integer is finite, and a histogram has many
            finite = np.isfinite(x)
            usable &= finite if x.ndim == 1 else finite.all(axis=tuple(range(1, x.ndim)))
        self.drift_detected.fill(False)
        self.reason.fill(0)
        rows = usable.nonzero()[0]
        if rows.size < self.k:
            self.ignored += ~usable
        if rows.size:
            self.step(rows, x[rows], n[rows], int(t))  # indexing by rows copies

    @abstractmethod
    def step(self, rows: Ints, x: NDArray[Any], n: Ints, t: int) -> None:
        """Judge and learn one usable pane of the streams ``rows``; x and n are already those of these rows."""

    def at(self, rows: Ints) -> Ints | slice:
        """Return what picks ``rows`` (ascending) out of an array over all streams: a slice where it is all of them.

        A slice is a view and costs next to nothing; an index array copies row by row.
        """
        return slice(None) if len(rows) == self.k else rows

    def conclude(
        self,
        rows: Ints,
        statistic: Floats,
        threshold: Floats,
        wrong: Bools,
        armed: Bools | np.bool_,
        reason: int | Ints = 1,
    ) -> None:
        """Write the outputs of some streams, at most once per stream and update, which has cleared what was wrong before."""
        at = self.at(rows)
        self.statistic[at] = statistic
        self.threshold[at] = threshold
        status = np.where(armed, STABLE, WARMING_UP)
        if np.count_nonzero(wrong):
            self.drift_detected[at] = wrong
            self.reason[at] = np.where(wrong, reason, 0)
            status = np.where(wrong, DRIFT, status)
        self.status[at] = status

    def state(self) -> State:
        """Return a copy of the whole memory; the first axis of every array is the stream."""
        return {name: getattr(self, name).copy() for name in (*self.OUTPUTS, *self.STATE)}

    def restore(self, state: State) -> None:
        """Go on where `state` was taken: the same numbers as without the interruption, bit for bit.

        Raises:
            ValueError: the state is of another detector, or of another number of streams or bins.
        """
        self._check(state)
        for name, array in state.items():
            ours = getattr(self, name)
            require(
                array.shape == ours.shape,
                f"{type(self).__name__}: state '{name}' must have shape {ours.shape}, got {array.shape}; "
                "a state of other streams must go through carry() first",
            )
            ours[...] = array

    @classmethod
    def carry(cls, state: State, rows: ArrayLike, fresh: State) -> State:
        """Move a state onto another set of streams, because fields were added, removed or put in another order.

        Args:
            state: the old state. rows: for each new stream its old row, -1 for one that is new.
            fresh: the state of a new detector over the new streams; it fills the new rows.

        Raises:
            ValueError: the two states are not of the same detector.

        >>> old, new = {"level": np.array([1.0, 2.0])}, {"level": np.zeros(3)}
        >>> Detector.carry(old, [1, -1, 0], new)
        {'level': array([2., 0., 1.])}
        """
        require(state.keys() == fresh.keys(), f"{cls.__name__}: cannot carry {sorted(state)} onto {sorted(fresh)}")
        source = np.asarray(rows, np.int64)
        kept = source >= 0
        moved = {name: array.copy() for name, array in fresh.items()}
        for name, array in moved.items():
            require(
                state[name].shape[1:] == array.shape[1:],
                f"{cls.__name__}: cannot carry '{name}' of shape {state[name].shape} onto {array.shape}",
            )
            array[kept] = state[name][source[kept]]
        return moved

    def _check(self, state: State) -> None:
        expected = sorted((*self.OUTPUTS, *self.STATE))
        require(sorted(state) == expected, f"{type(self).__name__}: state must hold {expected}, got {sorted(state)}")

    def __repr__(self) -> str:
        names = inspect.signature(type(self).__init__).parameters
        return f"{type(self).__name__}({', '.join(f'{n}={_show(getattr(self, n))}' for n in names if n != 'self')})"


def require(condition: bool | np.bool_, message: str) -> None:
    """Raise ValueError with ``message`` unless the condition holds."""
    if not condition:
        raise ValueError(message)


def _show(value: Any) -> str:
    return f"{value.dtype}{list(value.shape)}" if isinstance(value, np.ndarray) else repr(value)
