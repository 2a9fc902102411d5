"""How two references differ: fields, shares, limits, and what is promised about false alarms. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stream.baselines import Portrait, Summary
from stream.judging.moved import label

LIMIT_CHANGE = 0.2
"""Share by which a limit must change to be told: the nights move them a little."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A field whose shares moved.

    Attributes:
        deviance: 2 sum(q log(q/p)) over its bins, per value: 0 where nothing moved.
        bin: the one that changed most, in words. before, after: its share.
    """

    subject: str
    deviance: float
    bin: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Changed:
    """Something that was one thing and is another, in words or as a number."""

    subject: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Attributes: added, removed, rebinned: fields as ``stream/field``. moved: the farthest first. limits: the largest ratio
    first. told: status and budget.
    """

    added: tuple[str, ...]
    removed: tuple[str, ...]
    rebinned: tuple[str, ...]
    moved: tuple[Moved, ...]
    limits: tuple[Changed, ...]
    told: tuple[Changed, ...]

    @property
    def none(self) -> bool:
        return not any((self.added, self.removed, self.rebinned, self.moved, self.limits, self.told))


def difference(before: Summary, after: Summary) -> Difference:
    """Return what is other in ``after``. The shares of a field with other bins cannot be compared; that is told instead."""
    old = {f"{stream.name}/{field.name}": field for stream, field in before.fields()}
    new = {f"{stream.name}/{field.name}": field for stream, field in after.fields()}
    both = [name for name in new if name in old]
    same = [name for name in both if old[name].bin_id == new[name].bin_id]
    moved = [item for name in same if (item := _moved(name, old[name], new[name])) is not None]
    limits = [item for name in both for item in _limits(name, old[name], new[name])]
    return Difference(
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
        tuple(name for name in both if name not in same),
        tuple(sorted(moved, key=lambda item: (-item.deviance, item.subject))),
        tuple(changed for _, changed in sorted(limits, key=lambda item: (-item[0], item[1].subject))),
        tuple(_told(before, after)),
    )


def _moved(name: str, old: Portrait, new: Portrait) -> Moved | None:
    if old.shares is None or new.shares is None or np.array_equal(old.shares, new.shares):
        return None
    p, q = old.shares / old.shares.sum(), new.shares / new.shares.sum()
    most = int(np.argmax(np.abs(q - p)))
    words = f"bin {most + 1}" if new.bins is None else label(new.bins, most)
    return Moved(name, float(2 * np.sum(q * np.log(q / p))), words, float(p[most]), float(q[most]))


def _limits(name: str, old: Portrait, new: Portrait) -> list[tuple[float, Changed]]:
    """Return (how far, what) of the limits of a field; one that came or went is as far as can be."""
    was, now = ({pattern.name: pattern.limit for pattern in field.patterns} for field in (old, new))
    found = []
    for contrast in {**now, **was}:
        before, after = was.get(contrast, math.inf), now.get(contrast, math.inf)
        if before == after:
            continue
        apart = math.inf if math.isinf(before) else abs(after - before) / max(abs(before), 1e-9)
        if apart > LIMIT_CHANGE:
            found.append((apart, Changed(f"{name}/{contrast}", limit_text(before), limit_text(after))))
    return found


def limit_text(limit: float) -> str:
    """Return a limit for people.

    >>> limit_text(12.345), limit_text(math.inf)
    ('12.3', 'none')
    """
    return f"{limit:.3g}" if math.isfinite(limit) else "none"


def _told(before: Summary, after: Summary) -> list[Changed]:
    """Return what was said of status and budget, where it is said otherwise now."""
    was, now = before.told, after.told
    pairs = [("status", before.status, after.status)]
    for key, said in (
        ("until", "until"),
        ("false_alarms", "false alarms a week"),
        ("weeks", "weeks"),
        ("days", "days"),
    ):
        pairs.append((said, str(was.get(key) or "-"), str(now.get(key) or "-")))
    pairs.append(
        ("days left out", ", ".join(was.get("left_out", ())) or "-", ", ".join(now.get("left_out", ())) or "-")
    )
    old = {stream.name: stream.status for stream in before.streams}
    pairs += [(stream.name, old[stream.name], stream.status) for stream in after.streams if stream.name in old]
    return [Changed(*pair) for pair in pairs if pair[1] != pair[2]]
