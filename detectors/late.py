"""Records that came too late for their pane."""

from __future__ import annotations

from typing import ClassVar

from detectors.share_limit import ShareLimit


class Late(ShareLimit):
    """The share of records that lie behind the frontier by more than the lateness.

    Late records are counted but not mixed into panes, so a large share means that the statistics describe another
    population than the stream: the lateness is set too small, or a producer replays. There is no chart against the past,
    because the limit is about what our own numbers are worth, not about what is usual.

    Args:
        k: number of streams.
        limit: the largest share that is tolerated.
        min_n: fewest records, late ones included, that make a pane usable.

    Notes:
        Cost and state: as `detectors.ShareLimit`. Blind spots: a stream that is late as a whole moves its own frontier
        and has no late records; that is `detectors.Freshness`'s.

    Examples:
        >>> stream = Late(k=1)
        >>> for pane, late in enumerate([0, 2, 11, 31]):
        ...     stream.update([late / 1000], [1000], pane * 60_000)
        ...     if stream.drift_detected[0]:
        ...         print(pane, stream.REASONS[stream.reason[0]])
        3 late
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "late")

    def __init__(self, k: int, limit: float = 0.01, min_n: int = 30) -> None:
        super().__init__(k, limit=limit, min_n=min_n)
