"""Frontier: how far event time has come in one partition of one stream. A function of the log alone.

The frontier is the largest event time seen, with one exception: one wrong clock must not blind a partition by making
all that follows late. A jump of more than 10 min above the frontier (and the first record of all, which has nothing
below it) is only a *candidate*. It counts when the very next record lies beyond that bound too; then the frontier becomes
the smaller of the two, and the later record may be the next candidate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.ledger import Frontier

JUMP_MS = 600_000
NEVER = -(1 << 62)
"""Stands for "no frontier yet" in arrays; far below every event time, with room to subtract a lateness."""


def advance(state: Frontier, times: NDArray[np.int64]) -> tuple[NDArray[np.int64], Frontier]:
    """Pass the event times of some records, in log order.

    Args:
        state: (frontier, candidate) before them.
        times: int64[n], event times in ms.

    Returns:
        int64[n], the frontier before each record (`NEVER` where there was none), and the state after the last one.

    >>> before, state = advance((1_000, None), np.array([2_000, 900_000, 3_000]))
    >>> before.tolist(), state
    ([1000, 2000, 2000], (3000, None))
    """
    frontier, candidate = state
    if frontier is not None and candidate is None:
        reached = np.maximum.accumulate(np.concatenate([[frontier], times]))
        if not (times - reached[:-1] > JUMP_MS).any():
            return reached[:-1], (int(reached[-1]), None)
    before = np.empty(len(times), np.int64)
    for i, time in enumerate(times.tolist()):
        before[i] = NEVER if state[0] is None else state[0]
        state = _step(state, time)
    return before, state


def _step(state: Frontier, time: int) -> Frontier:
    frontier, candidate = state
    if frontier is not None and time <= frontier + JUMP_MS:
        return max(frontier, time), None
    if candidate is None:
        return frontier, time
    confirmed = min(candidate, time)
    return confirmed, time if time > confirmed + JUMP_MS else None
