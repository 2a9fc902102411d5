"""river: ADWIN, PageHinkley and KSWIN, a detector per stream, updated with every pane that has a value.

PageHinkley's threshold is in units of its input, so it only makes sense on scaled values. KSWIN draws a random sample: it is
seeded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from protocol import finish, one_by_one, started
from river.base import DriftDetector
from river.drift import ADWIN, KSWIN, PageHinkley

GRIDS: dict[str, tuple[Callable[[float], DriftDetector], list[float], float]] = {
    "adwin": (
        lambda delta: ADWIN(delta=delta),
        [2e-3, 1e-4, 1e-6, 1e-8, 1e-10, 1e-13, 1e-16, 1e-20, 1e-25, 1e-30, 1e-35, 1e-40, 1e-45, 1e-50, 1e-60, 1e-80],
        2e-3,
    ),
    "page_hinkley": (
        lambda threshold: PageHinkley(threshold=threshold),
        [25.0, 50.0, 100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 1000.0, 1200.0, 1600.0],
        50.0,
    ),
    "kswin": (lambda alpha: KSWIN(alpha=alpha, seed=1), [5e-3, 1e-4, 1e-7, 1e-10], 5e-3),
}
"""By variant: the detector of a setting, the settings, the default."""


def alarms(detector: DriftDetector, value: float) -> bool:
    """Update; return whether it alarms."""
    detector.update(value)
    return bool(detector.drift_detected)


def main() -> None:
    rows, variant = started()
    make, grid, default = GRIDS[variant]
    finish(rows, grid, default, (one_by_one(rows, partial(make, one), alarms, until=0.0) > 0.0 for one in grid))


if __name__ == "__main__":
    main()
