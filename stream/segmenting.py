"""Where it moved: the change of a contrast split over the values of a segment field.

Pure: counts by segment before and now in, the part of each segment out (`detectors.kitagawa`). `stream.reading.segments` counts,
`stream.commands.segments` reads the topic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.kitagawa import split
from stream.contrasts import MISSING, Contrasts
from stream.explaining import PRESENCE, Moved
from stream.judging.describe import percent
from stream.judging.moved import label
from stream.layout import Bins, Section
from stream.reading.segments import NOWHERE, Table

FEW = 30
"""Segments with fewer values both times are added up."""
TOP = 3
"""Segments that are named."""
CLEAR = 3.0
"""Standard deviations of sampling from which on a difference is one."""
ALIKE = 0.25
"""A segment whose own change differs by less than this part of the whole change did what all did."""

OURS = ("others", "without a value", "values never seen before", "category ", "code ")


@dataclass(frozen=True)
class Part:
    """One segment: its part of the values before and now, its own change (sd of the contrast), its part of the whole change."""

    name: str
    was: float
    now: float
    change: str
    share: float


@dataclass(frozen=True)
class Split:
    """The change of one field over one segment field.

    Attributes:
        parts: the segments that contribute most; none where the sample does not show the change, or all moved alike.
        mix: part of the change that changed weights explain. segments: how many were told apart.
        said: a sentence, where there are no parts.
    """

    segment: str
    parts: tuple[Part, ...]
    mix: float
    segments: int
    said: str = ""


def where_moved(
    moved: Moved,
    contrasts: Contrasts,
    section: Section,
    segment: str,
    before: Table,
    now: Table,
    at: int,
) -> Split:
    """Return where a field moved.

    Args:
        contrasts: of the stream's fields, under the reference. before, now: counts by bin of the segment field.
        at: place of the moved field in these counts.
    """
    own = contrasts.of_field(section.names.index(moved.field))
    which = 1 if moved.bins is PRESENCE else 0
    was, is_now = before[which][:, at], now[which][:, at]
    if was.sum() == 0 or is_now.sum() == 0:
        return Split(segment, (), 0.0, 0, "no values to compare")
    if which == 0 and len(own) == 1:
        return Split(segment, (), 0.0, 0, "no contrast to compare")
    family, weights = own[_contrast(moved, own, is_now.sum(axis=0))]
    names, was, is_now = _enough(section.bins[section.names.index(segment)], was, is_now)
    n, n_now = was.sum(axis=1), is_now.sum(axis=1)
    x, x_now = _means(was, weights), _means(is_now, weights)
    mix, within = split(x, n, x_now, n_now)
    parts = mix + within
    change, noise = float(parts.sum()), float(np.sqrt(1 / n.sum() + 1 / n_now.sum()))
    if abs(change) < CLEAR * noise:
        return Split(segment, (), 0.0, len(names), "the sample does not show the change")
    if not _stands_out(x_now - x, n, n_now, change, float(mix.sum())):
        return Split(segment, (), float(mix.sum()) / change, len(names), f"in all {len(names)} segments alike")
    order = np.argsort(-np.abs(parts), kind="stable")[:TOP].tolist()
    return Split(
        segment,
        tuple(
            Part(
                names[s],
                n[s] / n.sum(),
                n_now[s] / n_now.sum(),
                _own_change(family, weights, was[s], is_now[s]),
                float(parts[s]) / change,
            )
            for s in order
        ),
        float(mix.sum()) / change,
        len(names),
    )


def _contrast(moved: Moved, own: dict[str, tuple[str, NDArray[np.float64]]], now: NDArray[np.int64]) -> str:
    """Return the contrast that alarmed; of a change that has none, the first it shows well in: level goes before shape."""
    if moved.bins is PRESENCE:
        return MISSING
    if moved.course is not None and moved.course.name in own:
        return moved.course.name
    sizes = {name: abs(float(now @ weights)) for name, (_, weights) in own.items() if name != MISSING}
    return next(name for name, size in sizes.items() if size >= max(sizes.values()) / 4)


def _enough(
    bins: Bins | None, was: NDArray[np.int64], now: NDArray[np.int64]
) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """Return the segments by name, small ones added up as others."""
    assert bins is not None
    most = np.maximum(was.sum(axis=1), now.sum(axis=1))
    large, small = np.flatnonzero(most >= FEW), np.flatnonzero((most > 0) & (most < FEW))
    names = ["without a value" if row == NOWHERE else _named(bins, row) for row in large.tolist()]
    was, now, few = was[large], now[large], (was[small], now[small])
    if len(small):
        names.append("others")
        was, now = (np.vstack([of, rest.sum(axis=0)]) for of, rest in zip((was, now), few, strict=True))
    return names, was, now


def _named(bins: Bins, row: int) -> str:
    """Return the name of a segment. A value that reads like one of our own words stands in quotes."""
    name = label(bins, row)
    own = row < len(bins.names) and bins.names[row] == name
    return f"'{name}'" if own and (not name or name.startswith((*OURS, "'"))) else name


def _means(counts: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(counts @ weights / counts.sum(axis=1))


def _stands_out(
    own: NDArray[np.float64], n: NDArray[np.int64], n_now: NDArray[np.int64], change: float, mix: float
) -> bool:
    """Tell whether a segment's own change is not that of all, or weights changed."""
    with np.errstate(invalid="ignore", divide="ignore"):
        away, noise = np.abs(own - change), np.sqrt(1 / n + 1 / n_now)
    return bool(abs(mix) > ALIKE * abs(change) or (away > np.maximum(CLEAR * noise, ALIKE * abs(change))).any())


def _own_change(family: str, weights: NDArray[np.float64], was: NDArray[np.int64], now: NDArray[np.int64]) -> str:
    """Return the change inside a segment in words; of contrasts on shares as shares."""
    if not was.any() or not now.any():
        return "not there before" if now.any() else "no longer there"
    moved = float(now @ weights / now.sum() - was @ weights / was.sum())
    if abs(moved) < 2 * np.sqrt(1 / was.sum() + 1 / now.sum()):
        return "there as before"
    if family == "location":
        return f"there {moved:+.2g} sd"
    if family == "scale":
        return f"there {'wider' if moved > 0 else 'narrower'}"
    if family == "shape":
        return "there of another shape"
    shares = [float(counts[weights > 0].sum() / counts.sum()) for counts in (was, now)]
    return f"there {percent(shares[0])} -> {percent(shares[1])} {_MEANT.get(family, 'of the value that moved')}"


_MEANT = {
    MISSING: "without a value",
    "tail": "outermost values",
    "other": "less frequent values",
    "unseen": "values never seen before",
}
