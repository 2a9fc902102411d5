"""Every detector that the package offers keeps the contract; what is new in `detectors.__all__` needs a case here."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence

import numpy as np
import pytest

import detectors
from detectors import checks
from detectors.base import Detector
from detectors.checks import Panes
from detectors.ranges import fingerprint

MINUTE = 60_000
UNEQUAL = np.array([[0.25, 0.25, 0.25, 0.25], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])


def panes(x, n, onset):
    steps, k = np.asarray(x).shape[:2]
    return Panes(
        x=np.asarray(x),
        n=np.broadcast_to(np.asarray(n, np.int64), (steps, k)).copy(),
        t=np.arange(steps, dtype=np.int64) * MINUTE,
        onset=onset,
    )


def begin(steps, gross):
    """Position of the gross change: three quarters through, when every detector is armed."""
    return steps * 3 // 4 if gross else -1


def share(usual: float, wrong: float, n: int = 400):
    """Shares of n independent values."""

    def make(rng, rows, steps, gross):
        onset = begin(steps, gross)
        p = np.where((np.arange(steps) >= onset) & gross, wrong, usual)
        return panes(rng.binomial(n, p[:, None], (steps, len(rows))) / n, n, onset)

    return make


def outcomes(usual: float, wrong: float):
    """Losses one by one, 0 or 1."""
    return share(usual, wrong, n=1)


def errors(rng, rows, steps, gross):
    """For EDDM: errors frequent enough that it is soon armed again after one of its many false alarms, then nothing else."""
    return outcomes(0.35 if gross else 0.6, 1.0)(rng, rows, steps, gross)


def gaps(rng, rows, steps, gross):
    """A tick a minute, a record within the last two; then none any more."""
    x = rng.uniform(0, 2 * MINUTE, (steps, len(rows)))
    onset = begin(steps, gross)
    if gross:
        x[onset:] = (np.arange(steps - onset)[:, None] + 3) * MINUTE
    return panes(x, 1, onset)


def records(rng, rows, steps, gross):
    """Days of an hour; then hardly any records in even streams and far too many in odd ones."""
    rate = np.tile(300 + 200 * np.sin(np.arange(steps) / 60 * 2 * np.pi), (len(rows), 1)).T
    onset = begin(steps, gross)
    if gross:
        rate[onset:] *= [100.0 if row % 2 else 0.02 for row in rows]
    return panes(rng.poisson(rate).astype(float), 0, onset)


def constants(rng, rows, steps, gross):
    """One pane in a hundred is constant by chance; then all are."""
    onset = begin(steps, gross)
    x = rng.random((steps, len(rows))) < 0.01
    x[onset if gross else steps :] = True
    return panes(x.astype(float), 100, onset)


def fingerprints(rng, rows, steps, gross):
    onset = begin(steps, gross)
    counts = rng.multinomial(200, [0.25] * 4, (steps, len(rows)))
    if gross:
        counts[onset:] = counts[onset]
    return panes(np.array([fingerprint(step) for step in counts]), 200, onset)


def histograms(rng, rows, steps, gross):
    onset = begin(steps, gross)
    x = rng.multinomial(300, UNEQUAL[list(rows)], (steps, len(rows)))
    if gross:
        x[onset:, :, 1] += 600
    return panes(x, x.sum(axis=2), onset)


def pairs(rng, rows, steps, gross):
    """Odd streams have a partner in every second pane, the others in all."""
    onset = begin(steps, gross)
    own = rng.multinomial(60, UNEQUAL[list(rows)], (steps, len(rows)))
    other = rng.multinomial(300, UNEQUAL[list(rows)], (steps, len(rows)))
    other[::2, [row % 2 == 1 for row in rows]] = 0
    if gross:
        own[onset:, :, 0] += 60
    return panes(np.stack([own, other], axis=2), own.sum(axis=2), onset)


def normal(rng, rows, steps, gross):
    x = rng.normal(size=(steps, len(rows)))
    onset = begin(steps, gross)
    if gross:
        x[onset:] += 5.0
    return panes(x, 100, onset)


def plain(cls: type[Detector], **arguments: float):
    return lambda rows: cls(len(rows), **arguments)


def histogram_drift(rows: Sequence[int]) -> Detector:
    zeros = np.zeros(len(rows))
    return detectors.HistogramDrift(UNEQUAL[list(rows)], mean=zeros, sd=zeros)


CASES: dict[str, tuple[checks.Factory, checks.MakeInput]] = {
    "Constant": (plain(detectors.Constant), constants),
    "DDM": (plain(detectors.DDM, drift=4.0), share(0.1, 0.9)),  # at 3 one stream in twelve alarms early
    "EDDM": (plain(detectors.EDDM, beta=0.8), errors),
    "FHDDM": (plain(detectors.FHDDM), outcomes(0.1, 0.9)),
    "Freshness": (plain(detectors.Freshness), gaps),
    "GuardedAdwin": (plain(detectors.GuardedAdwin), normal),
    "HDDMA": (plain(detectors.HDDMA), share(0.1, 0.9)),
    "HDDMW": (plain(detectors.HDDMW), outcomes(0.1, 0.9)),
    "HistogramDrift": (histogram_drift, histograms),
    "KSWIN": (plain(detectors.KSWIN), normal),
    "Late": (plain(detectors.Late), share(0.002, 0.2)),
    "LongestGap": (plain(detectors.LongestGap, floor_ms=MINUTE), gaps),
    "Missing": (plain(detectors.Missing), share(0.05, 1.0)),
    "OutOfRange": (plain(detectors.OutOfRange), share(0.002, 0.2)),
    "PChart": (plain(detectors.PChart), share(0.05, 0.4)),
    "PageHinkley": (plain(detectors.PageHinkley), normal),
    "Rejected": (plain(detectors.Rejected), share(0.002, 0.2)),
    "Removed": (plain(detectors.Removed), share(0.3, 1.0)),
    "Retyped": (plain(detectors.Retyped), share(0.0, 0.9)),
    "ScoreShift": (plain(detectors.ScoreShift, bins=4), pairs),
    "ShareLimit": (plain(detectors.ShareLimit, limit=0.05), share(0.02, 0.3)),
    "ShiryaevRoberts": (lambda rows: detectors.ShiryaevRoberts(np.full(len(rows), 14.0)), normal),
    "Silence": (plain(detectors.Silence), gaps),
    "Stale": (plain(detectors.Stale), share(0.002, 0.2)),
    "Stuck": (plain(detectors.Stuck), fingerprints),
    "Volume": (plain(detectors.Volume, day_ms=60 * MINUTE), records),
}


def test_every_public_detector_has_a_case():
    """Whatever `__all__` offers and can be built is tested."""
    offered = {name: getattr(detectors, name) for name in detectors.__all__}
    concrete = {n for n, c in offered.items() if issubclass(c, Detector) and not inspect.isabstract(c)}
    assert concrete == set(CASES)


@pytest.mark.parametrize("check", list(checks.yield_checks()), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", CASES)
def test_contract(name: str, check: Callable[..., None]):
    """Every detector keeps every law."""
    check(*CASES[name])
