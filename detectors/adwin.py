"""river's ADWIN behind the contract: guarded against NaN, restorable, one instance per stream."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from river._river_rust.drift import AdaptiveWindowing

from detectors.base import Bools, Detector, Floats, Ints, State, Status, require

CHUNK = 256
RIVER = version("river")
VERSION = np.array([int(part) if part.isdigit() else 0 for part in [*RIVER.split("."), "0", "0"][:3]], np.int64)


class GuardedAdwin(Detector):
    r"""A change of the mean of a whitened series, found by an adaptive window.

    ADWIN keeps a window of the past and cuts it in two at many places; the mean has changed when, for some cut into
    $n_0$ and $n_1$ values, the two means differ by more than

    $$ \epsilon = \sqrt{\tfrac{2}{m}\,\sigma^2 \ln\tfrac{2\ln n}{\delta}} + \tfrac{2}{3m}\ln\tfrac{2\ln n}{\delta},
       \qquad m^{-1} = n_0^{-1} + n_1^{-1} $$

    Feed it one whitened number per pane, for example `detectors.location` times the root of n, less its calendar mean:
    on a series with a season it finds the season. An alarm lasts one update; then river starts with an empty window, so a
    lasting shift is one alarm and the new level is learned.

    river does not tell which cut it found. ``statistic`` is the difference between the mean of the last 32 values and the
    mean of the window before them, and ``threshold`` the formula above for that cut: one of those it looks at, and the one
    to draw. An alarm may come from another cut, with the statistic still below the threshold. Both change when river
    decides, at every ``clock``-th update.

    Args:
        k: number of streams.
        delta: error rate of river's bound, no promise: on correlated series it is wrong by orders of magnitude.
        clock: a decision at every ``clock``-th update. river's default of 32 means half an hour at panes of a minute; 4 costs
            a tenth more time and finds a step of 1/2/3 sd after 65/25/16 panes instead of 84/38/29, without a false alarm
            in 100,000 (measured with delta 1e-6). 1 gains another 1 to 3 panes.
        grace: values before the first decision, river's ``grace_period``.
        clip: larger values, in standard deviations, are cut to this: one value of 1,000 in the window would hide every
            change for as long as the window holds it, and 1e200 for ever.
        min_n: fewest values behind a usable number.

    Attributes:
        rewarmed: int64[K], how often a restored window was dropped because another version of river wrote it. The
            stream is then WARMING_UP, visibly, instead of going on from bytes that may mean something else.

    Notes:
        Cost: a Python loop over K, 0.2 us per stream and update. `river.drift.ADWIN` is a Python class around the same window:
        1 us more per update, and 2 s to import, which a restarted worker would wait for. `state` keeps the window's bytes.
        State: river's window, 2.0 kB after 100,000 updates (it grows with the logarithm), as bytes padded to a common
        length, and 300 bytes. One NaN makes river's ADWIN silent for ever; it never gets here.
        Blind spots: a change of the spread; it fires on improvement as well; a slow ramp is followed by the window.

    Examples:
        >>> rng = np.random.default_rng(6)
        >>> adwin = GuardedAdwin(k=1)
        >>> for pane in range(600):
        ...     x = rng.normal(0.0 if pane < 400 else 2.0, size=1)
        ...     adwin.update(np.full(1, np.nan) if pane == 300 else x, [100], pane * 60_000)
        ...     if adwin.drift_detected[0]:
        ...         print(pane, adwin.ignored)
        428 [1]

    References:
        Bifet, A. and Gavalda, R. (2007). Learning from time-changing data with adaptive windowing. SDM 2007.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "mean_changed")
    STATE: ClassVar[tuple[str, ...]] = ("recent", "seen", "fired", "rewarmed")
    BLOBS: ClassVar[tuple[str, ...]] = ("window", "length", "river")
    RECENT: ClassVar[int] = 32
    FALSE_ALARMS: ClassVar[float] = 1e-5

    def __init__(
        self, k: int, delta: float = 1e-6, clock: int = 4, grace: int = 100, clip: float = 10.0, min_n: int = 30
    ) -> None:
        require(0.0 < delta < 1.0, f"'delta' must be in (0, 1), got {delta}")
        require(clock >= 1, f"'clock' must be >= 1, got {clock}")
        require(grace >= self.RECENT, f"'grace' must be >= {self.RECENT}, got {grace}")
        require(clip > 0.0, f"'clip' must be > 0, got {clip}")
        super().__init__(k, min_n)
        self.delta = delta
        self.clock = clock
        self.grace = grace
        self.clip = clip
        self.recent = np.zeros((k, self.RECENT))
        self.seen = np.zeros(k, np.int64)
        self.fired = np.zeros(k, np.bool_)
        self.rewarmed = np.zeros(k, np.int64)
        self.windows = [self._new() for _ in range(k)]

    def _new(self) -> Any:
        return AdaptiveWindowing(
            delta=self.delta, clock=self.clock, grace_period=self.grace, max_buckets=5, min_window_length=5
        )

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        x = np.minimum(np.maximum(x, -self.clip), self.clip)
        restarted = self.fired[rows]
        for row in rows[restarted].tolist():
            self.windows[row] = self._new()
        seen = np.where(restarted, 0, self.seen[rows])
        self.recent[rows, seen % self.RECENT] = x
        seen += 1
        self.seen[rows] = seen
        windows = [self.windows[row] for row in rows.tolist()]
        fired = np.fromiter(map(AdaptiveWindowing.update, windows, x.tolist()), np.bool_, len(rows))
        self.fired[rows] = fired
        decided = rows[fired | restarted | (seen % self.clock == 0)]
        if decided.size:
            statistic, threshold, armed = self._cut(decided)
            self.conclude(decided, statistic, threshold, self.fired[decided], armed)

    def _cut(self, rows: Ints) -> tuple[Floats, Floats, Bools]:
        """Return difference and threshold between the last 32 values and the window before them, where there is one."""
        windows, river = [self.windows[row] for row in rows.tolist()], AdaptiveWindowing
        width, total, squares = (
            np.fromiter(map(read, windows), np.float64, len(rows))
            for read in (river.get_width, river.get_total, river.get_variance)
        )
        late, early = np.float64(self.RECENT), width - self.RECENT
        armed = (self.seen[rows] >= self.grace) & (early > 0)
        last = self.recent[rows].sum(axis=1)
        early, width = np.where(early > 0, early, 1.0), np.maximum(width, 2.0)
        variance = squares / width  # river's `variance` is the sum of squares around the mean, whatever its name
        harmonic = 1.0 / (1.0 / early + 1.0 / late)
        log = np.log(2.0 * np.log(width) / self.delta)
        epsilon = np.sqrt(2.0 / harmonic * variance * log) + 2.0 / (3.0 * harmonic) * log
        apart = np.abs(last / late - (total - last) / early)
        return np.where(armed, apart, 0.0), np.where(armed, epsilon, np.inf), armed

    def state(self) -> State:
        """Return the memory; ``window`` holds river's bytes, ``length`` how many of them, ``river`` who wrote them.

        Raises:
            TypeError: this version of river keeps its window in another form.
        """
        blobs = [window.__getstate__() for window in self.windows]
        if not all(isinstance(blob, bytes) for blob in blobs):
            raise TypeError(f"river {RIVER} does not give ADWIN's window as bytes; GuardedAdwin knows 0.26")
        length = np.array([len(blob) for blob in blobs], np.int64)
        longest = int(length.max(initial=1))
        window = np.zeros((self.k, -(-longest // CHUNK) * CHUNK), np.uint8)
        for row, blob in zip(window, blobs, strict=True):
            row[: len(blob)] = np.frombuffer(blob, np.uint8)
        return {**super().state(), "window": window, "length": length, "river": np.tile(VERSION, (self.k, 1))}

    def restore(self, state: State) -> None:
        super().restore({name: array for name, array in state.items() if name not in self.BLOBS})
        require(len(state["window"]) == self.k, f"GuardedAdwin: state 'window' must have {self.k} rows")
        known = (state["river"] == VERSION).all(axis=1)
        self.windows = [self._new() for _ in range(self.k)]
        for row in np.flatnonzero(known).tolist():
            self.windows[row].__setstate__(state["window"][row, : int(state["length"][row])].tobytes())
        self.rewarmed += ~known
        self.status[~known] = Status.WARMING_UP
        self.seen[~known] = 0
        self.fired[~known] = False

    @classmethod
    def carry(cls, state: State, rows: ArrayLike, fresh: State) -> State:
        """As `Detector.carry`; windows are padded to the longer of the two."""
        longest = max(state["window"].shape[1], fresh["window"].shape[1])
        padded = [{**item, "window": _pad(item["window"], longest)} for item in (state, fresh)]
        return super().carry(padded[0], rows, padded[1])


def _pad(window: NDArray[Any], length: int) -> NDArray[Any]:
    return np.pad(window, ((0, 0), (0, length - window.shape[1])))
