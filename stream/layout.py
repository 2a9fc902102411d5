"""Layout: what a tap must know. Which fields, of what kind, with which bin edges. Content-addressed and immutable.

A layout holds the plan and, for each stream, a *section*: the fields in a fixed order, and for each field either nothing
yet (layout 0: the rules run, the learner collects a sketch) or bins. A layout is in force from its ``adopt`` note in the
ledger on; taps switch at their next cut. Counts of two sections are added by field name; bin counts only where the edges
are equal (`stream.panes`).

Bins (36 per field):

* numeric: 35 edges (fewer where they coincide); bin 0 lies below the reference minimum, the last one above its maximum;
* category: 24 top values, 7 hash buckets for the other known ones, 1 never seen in the reference, 4 spare;
* code (numbers that are categories): as category, its top values in the order of the numbers;
* bool: false, true.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.codec import digest
from stream.plan import Field, Plan

BINS = 36
TOP = 24
BUCKETS = 7
UNSEEN = TOP + BUCKETS
MAX_FIELDS = 200
MAX_VERSIONS = 3
MAX_PRODUCERS = 4
OTHER = "*"
"""Group name of versions and producers that the layout does not name."""


@dataclass(frozen=True, eq=False)
class Bins:
    """How the values of one field fall into bins.

    Attributes:
        kind: ``number``, ``code`` (numbers that are categories), ``category`` (strings) or ``bool``.
        edges: float64, ascending: the bin edges (``number`` only).
        known: int64, ascending: keyed hashes of the known values (``category`` and ``code``).
        bin: int64, the bin of each entry of ``known``.
        names: what may be said of the values of a bin: empty unless the field says ``show``; a code's rounded number.
    """

    kind: str
    edges: NDArray[np.float64]
    known: NDArray[np.int64]
    bin: NDArray[np.int64]
    names: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """Equal ids mean that bin counts may be added."""
        return digest([self.kind, self.edges, self.known, self.bin])

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "edges": self.edges, "known": self.known, "bin": self.bin, "names": list(self.names)}

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Bins:
        return Bins(tree["kind"], tree["edges"], tree["known"], tree["bin"], tuple(tree["names"]))


@dataclass(frozen=True, eq=False)
class Section:
    """The part of a layout that belongs to one stream.

    Attributes:
        fields: in the order of the count arrays.
        bins: one per field; None while it is being learned, or when it has no useful bins (``text``).
        learned: the learner has spoken: no more sketches are wanted from the taps.
        versions: named model versions (at most 3), producers: named producers (at most 4).
        partitions: partition count of the topic when it was first watched. One beyond it was added later, and is read from its
            beginning: nothing that was written to it is history.
    """

    stream: str
    fields: tuple[Field, ...]
    bins: tuple[Bins | None, ...]
    learned: bool
    versions: tuple[str, ...]
    producers: tuple[str, ...]
    partitions: int

    @cached_property
    def id(self) -> str:
        return digest(self.to_dict())

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @cached_property
    def bin_ids(self) -> tuple[str | None, ...]:
        """Return `Bins.id` of each field; None where it has no bins."""
        return tuple(None if item is None else item.id for item in self.bins)

    def replace(self, **changes: Any) -> Section:
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        return {
            "stream": self.stream,
            "fields": [dataclasses.asdict(item) for item in self.fields],
            "bins": [None if item is None else item.to_dict() for item in self.bins],
            "learned": self.learned,
            "versions": list(self.versions),
            "producers": list(self.producers),
            "partitions": self.partitions,
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Section:
        return Section(
            stream=tree["stream"],
            fields=tuple(Field(**{**item, "range": item["range"] and tuple(item["range"])}) for item in tree["fields"]),
            bins=tuple(None if item is None else Bins.from_dict(item) for item in tree["bins"]),
            learned=tree["learned"],
            versions=tuple(tree["versions"]),
            producers=tuple(tree["producers"]),
            partitions=tree["partitions"],
        )


@dataclass(frozen=True, eq=False)
class Layout:
    """The plan and one section per stream. `id` is its content address."""

    plan: Plan
    sections: dict[str, Section]

    @cached_property
    def id(self) -> str:
        return digest(self.to_dict())

    def with_section(self, section: Section) -> Layout:
        return Layout(self.plan, {**self.sections, section.stream: section})

    def to_dict(self) -> dict[str, Any]:
        return {
            "plan": self.plan.to_dict(),
            "sections": {name: section.to_dict() for name, section in self.sections.items()},
        }

    @staticmethod
    def from_dict(tree: dict[str, Any]) -> Layout:
        sections = {name: Section.from_dict(item) for name, item in tree["sections"].items()}
        return Layout(Plan.from_dict(tree["plan"]), sections)


def layout_zero(plan: Plan, partitions: dict[str, int], before: Layout | None = None) -> Layout:
    """Return the first layout of a plan: sources and declared fields, no edges.

    Args:
        plan: what is watched.
        partitions: partition count per topic.
        before: the layout in force. Sections of streams that the new plan defines in the same way are kept, without what
            another hash key has made meaningless.
    """
    known: dict[str, int] = {}
    for stream in before.plan.streams if before else ():
        if before and stream.name in before.sections:
            known[stream.topic] = before.sections[stream.name].partitions
    sections = {}
    for stream in plan.streams:
        old = before.sections.get(stream.name) if before else None
        if before is None or old is None or stream not in before.plan.streams:
            old = Section(stream.name, stream.fields, (None,) * len(stream.fields), False, (), (), 0)
        elif before.plan.hash_key_id != plan.hash_key_id:
            old = _without_hashes(old)
        sections[stream.name] = old.replace(partitions=known.get(stream.topic, partitions.get(stream.topic, 0)))
    return Layout(plan, sections)


def _without_hashes(section: Section) -> Section:
    """Return a section that learns its categories and codes anew: under another key their hashes are other ones."""
    bins = tuple(None if item is not None and len(item.known) else item for item in section.bins)
    return section.replace(bins=bins, learned=section.learned and bins == section.bins)
