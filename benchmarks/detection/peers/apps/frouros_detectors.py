"""frouros: CUSUM and GeometricMovingAverage, updated with every pane that has a value; KSTest of each day against the reference.

The first two see a rise only (they are made for error rates), so each stream has one of its values and one of their negatives;
both are reset after an alarm, as its examples do. KSTest is its batch detector; days against all reference panes.
"""

from __future__ import annotations

from functools import partial

from frouros.detectors.concept_drift import (
    CUSUM,
    CUSUMConfig,
    GeometricMovingAverage,
    GeometricMovingAverageConfig,
)
from frouros.detectors.data_drift import KSTest
from protocol import Values, daily, finish, finish_tests, one_by_one, started, surprise

GRIDS = {
    "cusum": ([50.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 800.0], 50.0),
    "gma": ([0.4, 0.6, 0.8, 1.0, 1.1, 1.25, 1.5, 2.0], 1.0),
}

Pair = list[CUSUM] | list[GeometricMovingAverage]


def pair(variant: str, threshold: float) -> Pair:
    """Return a detector for each direction."""
    if variant == "cusum":
        return [CUSUM(CUSUMConfig(lambda_=threshold)) for _ in range(2)]
    return [GeometricMovingAverage(GeometricMovingAverageConfig(lambda_=threshold)) for _ in range(2)]


def alarms(both: Pair, value: float) -> bool:
    """Update; return whether one of both alarms."""
    found = False
    for detector, signed in zip(both, (value, -value), strict=True):
        detector.update(value=signed)
        if detector.drift:
            detector.reset()
            found = True
    return found


def test(reference: Values, day: Values) -> float:
    """Return -log p of its Kolmogorov-Smirnov test."""
    detector = KSTest()
    detector.fit(X=reference)
    result, _ = detector.compare(X=day)
    return surprise(result.p_value)


def main() -> None:
    rows, variant = started()
    if variant == "ks":
        finish_tests(rows, daily(rows, test))
    else:
        grid, default = GRIDS[variant]
        runs = (one_by_one(rows, partial(pair, variant, one), alarms, until=0.0) for one in grid)
        finish(rows, grid, default, (run > 0.0 for run in runs))


if __name__ == "__main__":
    main()
