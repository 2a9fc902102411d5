"""Counts: what a tap adds up and the ledger carries. Integers, minima and maxima only, so any grouping of records gives
the same numbers to the bit, and merging is addition.

No number of a record stands here (P14): the smallest and the largest of a pane would be just that. Whether a field is
constant is told by a keyed hash instead, see `FieldCounts.only`.

`FieldCounts` belongs to one (stream, pane, group), a group being (model version, producer). `StreamCounts` is everything
one ledger entry says about one stream. Event times are milliseconds since 1970 UTC; a pane is named by the index
``event time // pane length``.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.layout import BINS, OTHER

ABSENT, NULL, BOOL, NUMBER, STRING, NESTED, NONFINITE = range(7)
TYPES = ("absent", "null", "bool", "number", "string", "nested", "nonfinite")
"""JSON types of a value, in the order of `FieldCounts.types`: a missing key, null, ``true``, ``12``, ``"12"`` all differ."""

EXPECTED = {"number": NUMBER, "code": NUMBER, "category": STRING, "bool": BOOL}
"""JSON type of the values of a field, by its kind."""

NO_EXAMPLE = np.iinfo(np.int64).max
NO_NUMBER, VARIED = 0, 1
"""Marks in `FieldCounts.only`: no number yet; at least two different ones."""
MAX_REFERENCES = 8
MAX_NAMES = 64

Group = tuple[str, str]
"""(model version, producer), each named by the layout or `stream.layout.OTHER`."""


def example(partition: int, offset: NDArray[np.int64] | int) -> Any:
    """Return Kafka coordinates as one integer, so that the smallest is kept: partition in the upper 16 bits, offset below."""
    return (partition << 47) | offset


def coordinates(code: int) -> tuple[int, int] | None:
    """Return (partition, offset) of an `example`, None where there is none.

    >>> coordinates(example(3, 1200))
    (3, 1200)
    """
    return None if code == NO_EXAMPLE else (int(code) >> 47, int(code) & ((1 << 47) - 1))


@dataclass(eq=False)
class FieldCounts:
    """Counts of F fields over ``records`` records.

    Attributes:
        types: int64[F, 7], values by JSON type (`TYPES`).
        outside: int64[F], numbers outside the stated range. stale: int64[F], values older than ``max_age``.
        only: int64[F], keyed hash of the number while all finite numbers are equal (`NO_NUMBER`, `VARIED` otherwise).
        bins: int64[F, 36], finite values of the field's kind by bin.
        example: int64[F], coordinates of one record whose value is missing, of a wrong type, non-finite, outside or stale.
    """

    records: int
    types: NDArray[np.int64]
    outside: NDArray[np.int64]
    stale: NDArray[np.int64]
    only: NDArray[np.int64]
    bins: NDArray[np.int64]
    example: NDArray[np.int64]

    @staticmethod
    def zero(fields: int) -> FieldCounts:
        return FieldCounts(
            records=0,
            types=np.zeros((fields, len(TYPES)), np.int64),
            outside=np.zeros(fields, np.int64),
            stale=np.zeros(fields, np.int64),
            only=np.full(fields, NO_NUMBER, np.int64),
            bins=np.zeros((fields, BINS), np.int64),
            example=np.full(fields, NO_EXAMPLE),
        )

    def add(self, other: FieldCounts) -> None:
        """Add the counts of other records of the same section."""
        self.records += other.records
        self.types += other.types
        self.outside += other.outside
        self.stale += other.stale
        self.only = _only(self.only, other.only)
        self.bins += other.bins
        np.minimum(self.example, other.example, out=self.example)

    def take(self, rows: NDArray[np.int64]) -> FieldCounts:
        """Return the counts of other fields in another order; row -1 means a field without any count."""
        blank = FieldCounts.zero(1)
        columns = ((getattr(self, name), getattr(blank, name)) for name in _ARRAYS)
        return FieldCounts(self.records, *(np.concatenate([ours, none])[rows] for ours, none in columns))

    def to_dict(self) -> dict[str, Any]:
        return {"records": self.records, **{name: getattr(self, name) for name in _ARRAYS}}

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> FieldCounts:
        return FieldCounts(tree["records"], *(tree[name].copy() for name in _ARRAYS))


_ARRAYS = ("types", "outside", "stale", "only", "bins", "example")


def _only(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what is equal in both; what only one of them has stays, and what differs has varied.

    >>> _only(np.array([0, 0, 77, 77, 77, 1]), np.array([0, 77, 0, 77, 78, 77])).tolist()
    [0, 77, 77, 77, 1, 1]
    """
    differs = np.where(ours == NO_NUMBER, theirs, VARIED)
    return np.where((ours == theirs) | (theirs == NO_NUMBER), ours, differs)


@dataclass(eq=False)
class PaneCounts:
    """Counts of one stream in one pane.

    Attributes:
        groups: field counts by group.
        applied: records with a usable event time, not late. late: records behind the frontier by more than the lateness.
        late_by_ms: the largest such distance, beyond the lateness itself.
        rejected: records by reason. references: coordinates of some of them by reason (bottom-k by hash).
        versions, producers, unlisted: census: occurrences of each version, producer and field that the layout does not
            name (bottom-k by hash of the name; `MAX_NAMES`).
        spans: per partition, first and last + 1 offset seen in this pane.
    """

    groups: dict[Group, FieldCounts] = field(default_factory=dict)
    applied: int = 0
    late: int = 0
    late_by_ms: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    references: dict[str, list[int]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    producers: dict[str, int] = field(default_factory=dict)
    unlisted: dict[str, int] = field(default_factory=dict)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)

    @property
    def seen(self) -> int:
        """Return the number of records, those that were rejected or late included."""
        return self.applied + self.late + sum(self.rejected.values())

    def add(self, other: PaneCounts) -> None:
        """Add the counts of other records of the same stream, pane and section."""
        for group, counts in other.groups.items():
            if group in self.groups:
                self.groups[group].add(counts)
            else:
                self.groups[group] = FieldCounts.from_dict(counts.to_dict())
        self.add_totals(other)

    def add_totals(self, other: PaneCounts) -> None:
        """Add everything that does not depend on the section."""
        self.applied += other.applied
        self.late += other.late
        self.late_by_ms = max(self.late_by_ms, other.late_by_ms)
        for reason, count in other.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count
        for reason, codes in other.references.items():
            self.references[reason] = smallest(self.references.get(reason, []) + codes)
        for mine, theirs in (
            (self.versions, other.versions),
            (self.producers, other.producers),
            (self.unlisted, other.unlisted),
        ):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
            trim_names(mine)
        for partition, (start, end) in other.spans.items():
            ours = self.spans.get(partition, (start, end))
            self.spans[partition] = (min(ours[0], start), max(ours[1], end))

    def total(self) -> FieldCounts | None:
        """Return the field counts of all groups together, None when there are none."""
        whole: FieldCounts | None = None
        for counts in self.groups.values():
            if whole is None:
                whole = FieldCounts.from_dict(counts.to_dict())
            else:
                whole.add(counts)
        return whole

    def to_dict(self) -> dict[str, Any]:
        return {
            "groups": [[list(group), counts.to_dict()] for group, counts in sorted(self.groups.items())],
            "applied": self.applied,
            "late": self.late,
            "late_by_ms": self.late_by_ms,
            "rejected": dict(self.rejected),
            "references": {reason: list(codes) for reason, codes in self.references.items()},
            "versions": dict(self.versions),
            "producers": dict(self.producers),
            "unlisted": dict(self.unlisted),
            "spans": [[partition, *span] for partition, span in sorted(self.spans.items())],
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> PaneCounts:
        groups = {(pair[0], pair[1]): FieldCounts.from_dict(item) for pair, item in tree["groups"]}
        spans = {partition: (start, end) for partition, start, end in tree["spans"]}
        return PaneCounts(**{**tree, "groups": groups, "spans": spans})


@dataclass(eq=False)
class StreamCounts:
    """What one entry says about one stream: its classes, panes and, while the section is being learned, a sketch.

    The classes of the identity: ``applied + late + sum(rejected) + tombstones + filtered + gaps + lost == to - from``.
    The frontier after the last record stands in the entry's header, because every reader of the ledger needs it.
    """

    applied: int = 0
    late: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    tombstones: int = 0
    filtered: int = 0
    gaps: int = 0
    lost: int = 0
    panes: dict[int, PaneCounts] = field(default_factory=dict)
    sketch: Any = None
    section: str = ""

    @property
    def covered(self) -> int:
        """Return the number of offsets this accounts for."""
        return (
            self.applied
            + self.late
            + sum(self.rejected.values())
            + self.tombstones
            + self.filtered
            + self.gaps
            + self.lost
        )

    def to_dict(self) -> dict[str, Any]:
        tree: dict[str, Any] = {name: getattr(self, name) for name in CLASSES}
        tree |= {"rejected": dict(self.rejected), "section": self.section, "sketch": self.sketch}
        tree["panes"] = [[index, pane.to_dict()] for index, pane in sorted(self.panes.items())]
        return tree

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> StreamCounts:
        panes = {index: PaneCounts.from_dict(pane) for index, pane in tree["panes"]}
        return StreamCounts(**{**tree, "panes": panes})


CLASSES = ("applied", "late", "tombstones", "filtered", "gaps", "lost")
"""Classes of the accounting identity beside the rejected ones, which are counted by reason."""


def smallest(codes: Iterable[int]) -> list[int]:
    """Return at most 8 coordinates, the same ones however the records were grouped: those with the smallest hash."""
    return sorted(set(codes), key=lambda code: (_mix(code), code))[:MAX_REFERENCES]


def trim_names(names: dict[str, int]) -> None:
    """Keep at most `MAX_NAMES` names, those with the smallest hash, so that grouping does not matter; `OTHER` counts the rest."""
    if len(names) > MAX_NAMES:
        rest = sum(names.pop(name) for name in sorted(names.keys() - {OTHER}, key=_name_hash)[MAX_NAMES - 1 :])
        if rest:
            names[OTHER] = names.get(OTHER, 0) + rest


def _name_hash(name: str) -> tuple[int, str]:
    return zlib.crc32(name.encode()), name


def _mix(code: int) -> int:
    """Return a 64-bit mix of an integer (the finaliser of splitmix64)."""
    mask = (1 << 64) - 1
    code = (code ^ (code >> 30)) * 0xBF58476D1CE4E5B9 & mask
    code = (code ^ (code >> 27)) * 0x94D049BB133111EB & mask
    return code ^ (code >> 31)
