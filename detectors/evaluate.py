"""How good a detector is: delay, misses and false alarms, in the field's own terms.

Time is counted in updates. ``drifts`` are the positions at which something changed, ``alarms`` those at which the detector
said so (`numpy.flatnonzero` of what it said). A drift is *found* by the first alarm at or after it, before the next drift
and within ``horizon``; all other alarms outside that span after a drift are *false*; repeated alarms inside it are
neither. No single number is enough: one that alarms always has no delay, and one that never alarms is never wrong, so each
function says what to read beside it. F1 over windows is not here on purpose: an alarm every 100 steps scores well.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isnan, nan


def detection_delay(drifts: Sequence[int], alarms: Sequence[int], horizon: float = inf) -> float:
    """Return the mean delay of the drifts that were found.

    nan when none was found. Read `missed_detection_rate` beside it: a drift that is missed does not count here.

    >>> detection_delay([100, 200], [103, 207])
    5.0
    >>> detection_delay([100], [])
    nan
    """
    delays = [delay for delay in _delays(drifts, alarms, horizon) if delay is not None]
    return sum(delays) / len(delays) if delays else nan


def missed_detection_rate(drifts: Sequence[int], alarms: Sequence[int], horizon: float = inf) -> float:
    """Return the share of drifts that were not found.

    nan without drifts. Read `false_alarm_rate` beside it: constant alarms miss nothing.

    >>> missed_detection_rate([100, 200], [203], horizon=50)
    0.5
    >>> missed_detection_rate([], [3])
    nan
    """
    delays = _delays(drifts, alarms, horizon)
    return delays.count(None) / len(delays) if delays else nan


def false_alarm_rate(drifts: Sequence[int], alarms: Sequence[int], length: int, horizon: float = inf) -> float:
    """Return false alarms per update in which nothing had changed.

    nan when there is no such update (a drift at 0 and no horizon). Read the number of updates beside it: 0 of 100 says
    little. Without a horizon only the time before the first drift is clean.

    >>> false_alarm_rate([100], [20, 101, 150], length=300, horizon=100)
    0.005
    """
    clean = sum(not _explained(t, drifts, horizon) for t in range(length))
    return len(_false(drifts, alarms, horizon)) / clean if clean else nan


def mean_time_between_false_alarms(drifts: Sequence[int], alarms: Sequence[int], horizon: float = inf) -> float:
    """Return the mean distance of one false alarm to the next (MTFA).

    nan with fewer than two false alarms, that is for the best detectors. Read `false_alarm_rate` beside it.

    >>> mean_time_between_false_alarms([], [10, 40, 100])
    45.0
    >>> mean_time_between_false_alarms([], [10])
    nan
    """
    false = _false(drifts, alarms, horizon)
    return (false[-1] - false[0]) / (len(false) - 1) if len(false) > 1 else nan


def mean_time_ratio(drifts: Sequence[int], alarms: Sequence[int], horizon: float = inf) -> float:
    """Return MTFA / delay x (1 - missed), the ratio of Bifet (2017); larger is better.

    nan when there are fewer than two false alarms or nothing was found, inf when every delay is 0. Read its three parts
    beside it, always: it ranks a detector without false alarms nowhere.

    >>> mean_time_ratio([100], [10, 60, 105], horizon=50)
    10.0
    >>> mean_time_ratio([100], [105])
    nan
    """
    delay = detection_delay(drifts, alarms, horizon)
    between = mean_time_between_false_alarms(drifts, alarms, horizon)
    if delay == 0.0 and not isnan(between):
        return inf
    return between / delay * (1.0 - missed_detection_rate(drifts, alarms, horizon))


def _explained(t: int, drifts: Sequence[int], horizon: float) -> bool:
    return any(drift <= t < drift + horizon for drift in drifts)


def _false(drifts: Sequence[int], alarms: Sequence[int], horizon: float) -> list[int]:
    return sorted(alarm for alarm in alarms if not _explained(alarm, drifts, horizon))


def _delays(drifts: Sequence[int], alarms: Sequence[int], horizon: float) -> list[int | None]:
    """Return for each drift, in order, its delay, None where it was missed."""
    ordered = sorted(drifts)
    following_drifts = [*ordered[1:], inf]
    delays: list[int | None] = []
    for drift, following in zip(ordered, following_drifts, strict=False):
        end = min(following, drift + horizon)
        delays.append(min((alarm - drift for alarm in alarms if drift <= alarm < end), default=None))
    return delays
