"""Breaks of the schema: a key that is gone, a type that changed. Added fields are a census, not a statistic."""

from __future__ import annotations

from typing import ClassVar

from detectors.missing import Missing
from detectors.p_chart import PChart


class Removed(Missing):
    """A field whose key is gone from every record, after it had been there.

    x is the share of records *without the key*; a null is a present key. The rule is ``all_missing`` of
    `detectors.Missing` on another count, without its chart: a rising share of absent keys is already `Missing`'s finding,
    and a producer that drops a field drops it from all its records. Feed it per version and producer, or one deployment
    among many is only a share.

    Args:
        k: number of streams.
        chance: largest probability of an innocent pane in which an optional key never occurs.
        min_n: fewest records that make a pane usable.

    Notes:
        Cost and state: as `detectors.Missing`. Blind spots: a key that most records lack anyway needs long panes; a key
        that never was there is ``never_present`` and no alarm.

    Examples:
        >>> field = Removed(k=1)
        >>> for pane, share in enumerate([0.0, 0.4, 1.0]):
        ...     field.update([share], [50], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, field.REASONS[field.reason[0]])
        2 removed
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "removed", "never_present")

    def __init__(self, k: int, chance: float = 1e-6, min_n: int = 30) -> None:
        super().__init__(k, effect=None, chance=chance, min_n=min_n)


class Retyped(PChart):
    """A field whose values have another JSON type than expected: ``"12"`` where 12 was.

    x is the share of present, non-null values whose type differs from the expected one. One pane with a sure majority
    (the limit of 50 %) is a changed schema, with or without a past; a smaller share is judged by the p' chart.

    Args:
        k: number of streams.
        effect: smallest rise of the share worth an alarm.
        limit: share of other types that is a changed schema at once.
        min_n: fewest present values that make a pane usable.

    Notes:
        Cost and state: as `detectors.PChart`. Blind spots: a change inside one JSON type (seconds to milliseconds,
        numbers to codes) is drift's or `detectors.OutOfRange`'s; a minority from the first pane on is normal.

    Examples:
        >>> field = Retyped(k=1)
        >>> for pane, share in enumerate([0.0, 0.0, 0.97]):
        ...     field.update([share], [60], pane * 60_000)
        ...     if field.drift_detected[0]:
        ...         print(pane, field.REASONS[field.reason[0]])
        2 retyped
    """

    REASONS: ClassVar[tuple[str, ...]] = ("", "retyped")

    def __init__(self, k: int, effect: float = 0.05, limit: float = 0.5, min_n: int = 30) -> None:
        super().__init__(k, effect=effect, limit=limit, min_n=min_n)
