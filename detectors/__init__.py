"""Detectors: numbers and times in, facts out. No clock, no I/O, no framework.

A good detector

* says what it compared: ``statistic`` and ``threshold`` are the very two numbers, in the user's units where there are any;
* says when it cannot judge yet: WARMING_UP is not STABLE;
* is not blinded by a NaN, a quiet minute or a restart, and knows that panes differ in size;
* does not learn from what it reports, so that a fault does not become normal by lasting;
* states its false alarms, its cost, its memory and what it does not see.

Words: a *stream* is one series of numbers (a field, a version, a topic); a *pane* is one interval of event time; K streams
are judged by one detector at once, exactly as K detectors would. `base` holds the contract and `checks` tests it.

==============================  ==============================================================  ===================
detector                        wrong when                                                      x of a pane
==============================  ==============================================================  ===================
`Missing`                       all values are gone, or more than usual                         share without value
`Removed`, `Retyped`            a key is gone; a type changed                                   share of records
`Freshness`, `Stale`            the newest event, or the values, are too old                    age, share
`Silence`, `Volume`             no records; far fewer or more than at this time of day          gap, records
`OutOfRange`                    values lie outside the stated bounds                            share
`Constant`, `Stuck`             all values are equal; whole panes repeat                        0 or 1, fingerprint
`Rejected`, `Late`              records cannot be used; records come after their pane           share
`HistogramDrift`                the distribution left the reference                             counts by bin
`ShiryaevRoberts`               the mean of a whitened contrast changed                         number
`ScoreShift`                    a model version scores unlike the others                        two histograms
`GuardedAdwin`, `PageHinkley`   the mean of a whitened series changed (river)                   number
`KSWIN`                         the distribution of a whitened series changed (river)           number
`DDM`, `HDDMA`                  losses have risen (river)                                       mean loss
`EDDM`, `HDDMW`, `FHDDM`        losses have risen (river)                                       one loss
`PChart`, `ShareLimit`, ...     the rules behind them, for shares, limits, gaps and runs
==============================  ==============================================================  ===================

A false-alarm budget over all fields of all streams is kept by several modules together: `contrasts` turns histograms into
numbers, `baseline` (with `calendar`) says what is normal for them, `shiryaev_roberts` adds up what speaks for a change,
`risk_control` sets the one threshold, and `budget` learns all of that from weeks of panes; before there are weeks,
`provisional` does what a few days allow. `glr` says when a change began, `kitagawa` in which segments.

Those that stand beside river's names are river's methods, guarded and restorable. `GUARDED` holds the ones that take one
whitened value per pane, by the names a configuration file uses; the others need losses.
"""

from collections.abc import Callable

from detectors.adwin import GuardedAdwin
from detectors.base import Detector, Status
from detectors.error_rate import DDM, EDDM, FHDDM, HDDMA, HDDMW
from detectors.freshness import Freshness, Stale
from detectors.gap import LongestGap
from detectors.histogram import HistogramDrift
from detectors.kswin import KSWIN
from detectors.late import Late
from detectors.missing import Missing
from detectors.p_chart import PChart
from detectors.page_hinkley import PageHinkley
from detectors.ranges import Constant, OutOfRange, Run, Stuck
from detectors.rejected import Rejected
from detectors.schema import Removed, Retyped
from detectors.share_limit import ShareLimit
from detectors.shiryaev_roberts import ShiryaevRoberts
from detectors.version import ScoreShift
from detectors.volume import Silence, Volume

GUARDED: dict[str, Callable[[int], Detector]] = {
    "adwin": GuardedAdwin,
    "kswin": KSWIN,
    "page_hinkley": PageHinkley,
}

__all__ = [
    "DDM",
    "EDDM",
    "FHDDM",
    "HDDMA",
    "HDDMW",
    "KSWIN",
    "Constant",
    "Detector",
    "Freshness",
    "GuardedAdwin",
    "HistogramDrift",
    "Late",
    "LongestGap",
    "Missing",
    "OutOfRange",
    "PChart",
    "PageHinkley",
    "Rejected",
    "Removed",
    "Retyped",
    "Run",
    "ScoreShift",
    "ShareLimit",
    "ShiryaevRoberts",
    "Silence",
    "Stale",
    "Status",
    "Stuck",
    "Volume",
]
