r"""The losses of a model have risen: DDM, EDDM, HDDM_A, HDDM_W and FHDDM, the error-rate family of the drift literature.

x is a loss between 0 and 1 (0 right, 1 wrong), larger and smaller ones are cut. What a pane may be differs:

* `DDM` and `HDDMA` need a mean only, so x is the mean loss of a pane and n the number of outcomes behind it. Ten thousand
  outcomes in ten panes give the same mean as one by one; they are only looked at ten times.
* `HDDMW` and `FHDDM` weigh updates alike: one loss at a time, or the mean of a pane. Their bounds hold for anything between 0
  and 1, but are those of single losses: for means of many outcomes they are far too careful.
* `EDDM` counts what lies between two errors, and a mean has lost that: one outcome at a time only, an error where x is 1.

All of them know one direction, up. An alarm lasts one update; then everything starts again, and the new rate becomes
normal. Given single losses the arithmetic is river's and so are the alarms (tests/detectors/test_river.py); river's warning
level is left out. All cost 0.2 to 0.5 us per stream and update at 500 streams.

The family assumes independent losses; labels that come late, or a rate with a season, break that. `FALSE_ALARMS` is the worst
that was measured on independent outcomes with error rates of 0.01, 0.1, 0.2, 0.3 and 0.5, with some room. Delays
below are medians for an error rate that goes from 0.1 to 0.2/0.3/0.5: in outcomes, and in panes of 400 where that is said.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import numpy as np

from detectors.base import Bools, Detector, Floats, Ints, Status, require


class ErrorRate(Detector):
    """What the family has in common: bounded losses, and a new start after an alarm.

    Attributes:
        START: what each array of the memory begins with.
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "errors_rose")
    START: ClassVar[dict[str, float]] = {}

    def __init__(self, k: int, min_n: int = 1) -> None:
        super().__init__(k, min_n)
        for name, value in self.START.items():
            setattr(self, name, np.full(k, value))

    def step(self, rows: Ints, x: Floats, n: Ints, t: int) -> None:
        again = rows[self.status[rows] == Status.DRIFT]
        for name, value in self.START.items():
            getattr(self, name)[again] = value
        statistic, threshold, wrong, armed = self.judge(rows, np.minimum(np.maximum(x, 0.0), 1.0), n)
        self.conclude(rows, np.where(armed, statistic, 0.0), np.where(armed, threshold, np.inf), wrong & armed, armed)

    @abstractmethod
    def judge(self, rows: Ints, x: Floats, n: Ints) -> tuple[Floats, Floats, Bools, Bools]:
        """Take one loss of each of some streams; return statistic, threshold, what is wrong, and what can be judged."""


class DDM(ErrorRate):
    r"""Drift Detection Method: the error rate is three standard deviations above its best.

    With the error rate p of all n outcomes and $s = \sqrt{p(1-p)/n}$, errors have risen when
    $p + s > p_{\min} + 3\,s_{\min}$; the minimum is taken where p + s was smallest.

    Args:
        k: number of streams.
        warm_start: outcomes before the first decision. drift: the 3 of the formula. min_n: fewest outcomes of a usable pane.

    Notes:
        Delay 200/96/45 outcomes; in panes 8 to 0.2 and 2 to 0.5. False alarms come soon after a start: with an error rate of
        0.1 four streams in ten raise one within 1,000 outcomes, and one in twelve within 300 panes of 400 (measured). State: 32
        bytes per stream beside the outputs.
        Blind spots: slow, because all of the past is in p. A stream without an error in its first outcomes has
        s_min = 0, and its first error is an alarm.

    References:
        Gama, J., Medas, P., Castillo, G. and Rodrigues, P. (2004). Learning with drift detection. SBIA 2004.
    """

    STATE: ClassVar[tuple[str, ...]] = ("count", "mean", "least_p", "least_s")
    START: ClassVar[dict[str, float]] = {"count": 0.0, "mean": 0.0, "least_p": np.inf, "least_s": np.inf}
    FALSE_ALARMS: ClassVar[float] = 2e-3
    count: Floats
    mean: Floats
    least_p: Floats
    least_s: Floats

    def __init__(self, k: int, warm_start: int = 30, drift: float = 3.0, min_n: int = 1) -> None:
        require(warm_start >= 1, f"'warm_start' must be >= 1, got {warm_start}")
        require(drift > 0.0, f"'drift' must be > 0, got {drift}")
        super().__init__(k, min_n)
        self.warm_start = warm_start
        self.drift = drift

    def judge(self, rows: Ints, x: Floats, n: Ints) -> tuple[Floats, Floats, Bools, Bools]:
        at = self.at(rows)
        count, p = add(self.count[at], self.mean[at], x, n)
        self.count[at], self.mean[at] = count, p
        s = np.sqrt(p * (1.0 - p) / count)
        armed = count > self.warm_start
        better = armed & (p + s <= self.least_p[at] + self.least_s[at])
        self.least_p[at] = np.where(better, p, self.least_p[at])
        self.least_s[at] = np.where(better, s, self.least_s[at])
        threshold = self.least_p[at] + self.drift * self.least_s[at]
        return p + s, threshold, p + s > threshold, armed


class EDDM(ErrorRate):
    r"""Early Drift Detection Method: errors lie closer together than they did.

    With mean m and standard deviation s of the number of outcomes from one error to the next, errors have risen when
    $(m + 2s) / \max(m + 2s) < \beta$. ``statistic`` and ``threshold`` are 1 less the two, the part by which the distance
    fell.

    Args:
        k: number of streams.
        warm_start: outcomes, and errors, before the first decision. beta: as above. min_n: fewest outcomes of a usable pane.

    Notes:
        Delay 84/55/32 outcomes, but with an error rate of 0.1 nine streams in ten raise a false alarm within 1,000 (measured).
        State: 56 bytes per stream beside the outputs.
        Blind spots: the noisiest of the family. It looks only when an error comes. A jump raises the spread as well as it
        lowers the mean: where every third or fourth outcome was wrong, 75 wrong ones in a row were not found (measured).

    References:
        Baena-Garcia, M. et al. (2006). Early drift detection method. Workshop on knowledge discovery from data streams.
    """

    STATE: ClassVar[tuple[str, ...]] = ("count", "errors", "last", "mean", "squares", "most", "level")
    START: ClassVar[dict[str, float]] = {
        "count": 0.0,
        "errors": 0.0,
        "last": 0.0,
        "mean": 0.0,
        "squares": 0.0,
        "most": -1.0,
        "level": 1.0,
    }
    FALSE_ALARMS: ClassVar[float] = 5e-3
    count: Floats
    errors: Floats
    last: Floats
    mean: Floats
    squares: Floats
    most: Floats
    level: Floats

    def __init__(self, k: int, warm_start: int = 30, beta: float = 0.9, min_n: int = 1) -> None:
        require(warm_start >= 1, f"'warm_start' must be >= 1, got {warm_start}")
        require(0.0 < beta < 1.0, f"'beta' must be in (0, 1), got {beta}")
        super().__init__(k, min_n)
        self.warm_start = warm_start
        self.beta = beta

    def judge(self, rows: Ints, x: Floats, n: Ints) -> tuple[Floats, Floats, Bools, Bools]:
        at = self.at(rows)
        self.count[at] += 1.0
        self._error(rows[x == 1.0])
        level, errors = self.level[at], self.errors[at]
        return 1.0 - level, np.full(len(rows), 1.0 - self.beta), level < self.beta, errors > self.warm_start

    def _error(self, rows: Ints) -> None:
        """Learn from the distance to the error before."""
        distance = self.count[rows] - self.last[rows]
        self.last[rows] = self.count[rows]
        before = self.mean[rows]
        self.errors[rows], self.mean[rows] = add(self.errors[rows], before, distance, np.ones(len(rows)))
        self.squares[rows] += (distance - before) * (distance - self.mean[rows])
        spread = np.sqrt(self.squares[rows] / np.maximum(self.errors[rows] - 1.0, 1.0))
        reach = self.mean[rows] + 2.0 * spread
        rows, reach = rows[self.count[rows] > self.warm_start], reach[self.count[rows] > self.warm_start]
        self.most[rows] = np.maximum(self.most[rows], reach)
        self.level[rows] = reach / self.most[rows]


class HDDMA(ErrorRate):
    r"""HDDM_A: the mean loss is above that up to the best moment by more than Hoeffding's inequality allows.

    The best moment is the one with the smallest mean plus bound $\sqrt{\ln(1/c)/2n}$. With its mean $\bar x$ of n outcomes
    and the mean $\bar z$ of all N, losses have risen when

    $$ \bar z - \bar x \ge \sqrt{\tfrac{1}{2}\,\tfrac{N-n}{nN}\,\ln\tfrac{2}{c}} $$

    Args:
        k: number of streams.
        confidence: c. min_n: fewest outcomes of a usable pane.

    Notes:
        Delay 495/106/32 outcomes; in panes of 400 it is 3 to 0.2, 1 to 0.5, and 30 to 0.12. The best of the family on panes.
        State: 32 bytes per stream beside the outputs.
        Blind spots: after a long quiet time the mean of all moves slowly.

    References:
        Frias-Blanco, I. et al. (2015). Online and non-parametric drift detection methods based on Hoeffding's bounds. IEEE
        Transactions on Knowledge and Data Engineering 27(3).
    """

    STATE: ClassVar[tuple[str, ...]] = ("count", "mean", "best_count", "best_mean")
    START: ClassVar[dict[str, float]] = {"count": 0.0, "mean": 0.0, "best_count": 0.0, "best_mean": 0.0}
    FALSE_ALARMS: ClassVar[float] = 1e-4
    count: Floats
    mean: Floats
    best_count: Floats
    best_mean: Floats

    def __init__(self, k: int, confidence: float = 0.001, min_n: int = 1) -> None:
        require(0.0 < confidence < 1.0, f"'confidence' must be in (0, 1), got {confidence}")
        super().__init__(k, min_n)
        self.confidence = confidence

    def judge(self, rows: Ints, x: Floats, n: Ints) -> tuple[Floats, Floats, Bools, Bools]:
        at = self.at(rows)
        count, mean = add(self.count[at], self.mean[at], x, n)
        self.count[at], self.mean[at] = count, mean
        first = self.best_count[at] == 0.0
        known = np.where(first, count, self.best_count[at])
        better = first | (self.best_mean[at] + self._bound(known) >= mean + self._bound(count))
        best_count = self.best_count[at] = np.where(better, count, known)
        best_mean = self.best_mean[at] = np.where(better, mean, self.best_mean[at])
        share = (count - best_count) / best_count * (1.0 / count)
        threshold = np.sqrt(share / 2 * math.log(2.0 / self.confidence))
        return mean - best_mean, threshold, ~better & (mean - best_mean >= threshold), np.ones(len(rows), np.bool_)

    def _bound(self, count: Floats) -> Floats:
        bound: Floats = np.sqrt(1.0 / (2 * count) * math.log(1.0 / self.confidence))
        return bound


class HDDMW(ErrorRate):
    r"""HDDM_W: a weighted mean of the losses since the best moment is above that before it, by McDiarmid's inequality.

    Means are exponentially weighted by $\lambda$, and $v_t = \lambda^2 + (1-\lambda)^2 v_{t-1}$, $v_0 = 1$, is the sum of
    their squared weights. The best moment is the one with the smallest mean plus bound $\sqrt{v\ln(1/c)/2}$. With the means
    and v up to there (1) and since (2), losses have risen when $\bar x_2 - \bar x_1 > \sqrt{(v_1 + v_2)\ln(1/c)/2}$.

    Args:
        k: number of streams.
        confidence: c. lam: weight of the newest loss. min_n: fewest outcomes of a usable pane.

    Notes:
        Delay 143/27 outcomes to 0.3/0.5; a rise to 0.2 is mostly missed (1,500 where it is found), and so is everything in
        panes of 400. State: 56 bytes per stream beside the outputs.
        Blind spots: it forgets after about 1/lam updates, so a slow rise is followed.

    References:
        As `HDDMA`.
    """

    STATE: ClassVar[tuple[str, ...]] = ("mean", "weight", "cut", "early", "early_weight", "late", "late_weight")
    START: ClassVar[dict[str, float]] = {
        "mean": np.nan,
        "weight": 1.0,
        "cut": np.inf,
        "early": np.nan,
        "early_weight": 1.0,
        "late": np.nan,
        "late_weight": 1.0,
    }
    FALSE_ALARMS: ClassVar[float] = 1e-3
    mean: Floats
    weight: Floats
    cut: Floats
    early: Floats
    early_weight: Floats
    late: Floats
    late_weight: Floats

    def __init__(self, k: int, confidence: float = 0.001, lam: float = 0.05, min_n: int = 1) -> None:
        require(0.0 < confidence < 1.0, f"'confidence' must be in (0, 1), got {confidence}")
        require(0.0 < lam < 1.0, f"'lam' must be in (0, 1), got {lam}")
        super().__init__(k, min_n)
        self.confidence = confidence
        self.lam = lam

    def judge(self, rows: Ints, x: Floats, n: Ints) -> tuple[Floats, Floats, Bools, Bools]:
        at = self.at(rows)
        mean, weight = self._fade(self.mean[at], self.weight[at], x)
        late, late_weight = self._fade(self.late[at], self.late_weight[at], x)
        reach = mean + self._bound(weight)
        best = reach < self.cut[at]
        self.mean[at], self.weight[at] = mean, weight
        self.cut[at] = np.where(best, reach, self.cut[at])
        self.early[at] = early = np.where(best, mean, self.early[at])
        self.early_weight[at] = early_weight = np.where(best, weight, self.early_weight[at])
        self.late[at] = np.where(best, np.nan, late)
        self.late_weight[at] = np.where(best, 1.0, late_weight)
        statistic = np.where(best, 0.0, late - early)
        threshold = self._bound(early_weight + self.late_weight[at])
        return statistic, threshold, statistic > threshold, np.ones(len(rows), np.bool_)

    def _fade(self, mean: Floats, weight: Floats, x: Floats) -> tuple[Floats, Floats]:
        """Return mean and sum of squared weights after one more loss; NaN is the mean of none."""
        faded = np.where(np.isnan(mean), x, self.lam * x + (1.0 - self.lam) * mean)
        return faded, self.lam * self.lam + (1.0 - self.lam) ** 2 * weight

    def _bound(self, weight: Floats) -> Floats:
        bound: Floats = np.sqrt(weight * math.log(1.0 / self.confidence) / 2)
        return bound


class FHDDM(ErrorRate):
    r"""FHDDM: the share of right answers in a sliding window has fallen below its highest by more than Hoeffding allows.

    With the share u of right answers (1 less the loss) in the last w updates, errors have risen when
    $\max u - u > \sqrt{\ln(1/c)/2w}$.

    river's docstring asks for 1 where the model erred, but its code looks for a fall of the share of ones: fed errors it
    found none of 12 drifts, fed right answers 11. Here x is a loss as everywhere, and turned round inside.

    Args:
        k: number of streams.
        window: w. confidence: c. min_n: fewest outcomes of a usable pane.

    Notes:
        Delay 104/52 outcomes to 0.3/0.5; a rise to 0.2 takes 1,200 or is missed. In panes of 400 only the rise to 0.5 is found,
        after 66.
        State: 8 bytes per update of the window, 800 as it stands, and 16.
        Blind spots: a rise of less than the bound, 0.26 as it stands, however long it lasts.

    References:
        Pesaranghader, A. and Viktor, H. L. (2016). Fast Hoeffding drift detection method for evolving data streams. ECML
        PKDD 2016.
    """

    STATE: ClassVar[tuple[str, ...]] = ("right", "seen", "highest")
    START: ClassVar[dict[str, float]] = {"seen": 0.0, "highest": 0.0}
    FALSE_ALARMS: ClassVar[float] = 2e-4
    seen: Floats
    highest: Floats

    def __init__(self, k: int, window: int = 100, confidence: float = 1e-6, min_n: int = 1) -> None:
        require(window >= 1, f"'window' must be >= 1, got {window}")
        require(0.0 < confidence < 1.0, f"'confidence' must be in (0, 1), got {confidence}")
        super().__init__(k, min_n)
        self.window = window
        self.confidence = confidence
        self.right = np.zeros((k, window))

    def judge(self, rows: Ints, x: Floats, n: Ints) -> tuple[Floats, Floats, Bools, Bools]:
        self.right[rows, self.seen[rows].astype(np.int64) % self.window] = 1.0 - x
        self.seen[rows] += 1.0
        armed = self.seen[rows] >= self.window
        share = self.right[rows].sum(axis=1) / self.window
        self.highest[rows] = np.where(armed, np.maximum(self.highest[rows], share), 0.0)
        threshold = np.full(len(rows), math.sqrt(math.log(1 / self.confidence) / (2 * self.window)))
        fall = self.highest[rows] - share
        return fall, threshold, fall > threshold, armed


def add(count: Floats, mean: Floats, x: Floats, n: Ints | Floats) -> tuple[Floats, Floats]:
    """Return number and mean of values after n more with the mean x (West 1979)."""
    total = count + n
    return total, mean + (n / total) * (x - mean)
