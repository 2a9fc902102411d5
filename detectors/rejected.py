"""Records that could not be read or used."""

from __future__ import annotations

from typing import ClassVar

from detectors.p_chart import PChart


class Rejected(PChart):
    """The share of records that were rejected (not JSON, no event time, from the future, too large).

    More than 5 % is wrong whatever the past was; below that a rise by 1 point over the stream's own past is, because
    some topics always carry a little rubbish. A stream of which nothing can be read has no panes: the caller feeds it on
    ticks, with the records of the last minute as n.

    Args:
        k: number of streams.
        effect: smallest rise of the share worth an alarm.
        limit: share that is too much at once.
        min_n: fewest records, rejected ones included, that make a pane usable.

    Notes:
        Cost and state: as `detectors.PChart`. Blind spots: a few rejected records in a large stream, which the
        accounting shows and no alarm does.

    Examples:
        >>> stream = Rejected(k=1)
        >>> for pane, share in enumerate([0.0, 0.0, 0.01, 0.3]):
        ...     stream.update([share], [200], pane * 60_000)
        ...     if stream.drift_detected[0]:
        ...         print(pane, stream.REASONS[stream.reason[0]])
        3 rejected
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "rejected")

    def __init__(self, k: int, effect: float = 0.01, limit: float = 0.05, min_n: int = 30) -> None:
        super().__init__(k, effect=effect, limit=limit, min_n=min_n)
