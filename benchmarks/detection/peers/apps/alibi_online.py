"""alibi-detect: CVMDriftOnline, windows of 20 and 60 values, against the last 500 values of the reference; 20 streams only.

Its thresholds are simulated for a stated mean run length without drift (ERT): here 1,000 values, from 10,000 simulations, which
is its default number and ten times the ERT, as it asks for. They depend on ranks alone, so one calibration serves all streams:
each gets a copy with another reference, which only its private ``_configure_ref`` can give. The grid goes on from there, as
multiples of these thresholds (1 is the tool as it is). It is not reset after an alarm, which lasts while the windows say so.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import numpy as np
from alibi_detect.cd import CVMDriftOnline
from protocol import Rows, finish, one_by_one, over, started

WINDOWS, REFERENCE, ERT, SEED = [20, 60], 500, 1000.0, 1
MULTIPLES = [1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]


def detectors(rows: Rows) -> Iterator[CVMDriftOnline]:
    """Yield the detector of each stream. It simulates with numpy's global generator."""
    np.random.seed(SEED)
    references = [column[np.isfinite(column)][-REFERENCE:, None] for column in rows.reference.T[: rows.streams]]
    calibrated: dict[int, CVMDriftOnline] = {}
    for reference in references:
        size = len(reference)
        if size not in calibrated:
            calibrated[size] = CVMDriftOnline(reference, ERT, WINDOWS, verbose=False)
        detector = copy.deepcopy(calibrated[size])
        detector.x_ref = reference
        detector._configure_ref()
        yield detector


def statistic(detector: CVMDriftOnline, value: float) -> float:
    """Update; return the larger of both statistics as a multiple of the threshold."""
    found = detector.score(np.array([value]))
    limit = float(detector.get_threshold(detector.t - 1)[0])
    return float(np.nanmax(found)) / limit if detector.t >= WINDOWS[0] else 0.0


def main() -> None:
    rows, _ = started()
    ready = detectors(rows)
    finish(rows, MULTIPLES, 1.0, over(one_by_one(rows, lambda: next(ready), statistic, until=np.inf), MULTIPLES))


if __name__ == "__main__":
    main()
