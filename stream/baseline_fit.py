"""Whether a reference that was learned elsewhere or before fits what is in force, and what it takes to bring it back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stream.baselines import BUDGET, LEARNED, stream_of
from stream.layout import MAX_FIELDS, Layout, Section


def armed(reference: Mapping[str, Any], sections: Mapping[str, Section]) -> tuple[list[str], list[str]]:
    """Return the fields (``stream/field``) that a reference would watch, and those whose bins are other ones now."""
    ready: list[str] = []
    other: list[str] = []
    for name, section in sections.items():
        tree = reference.get(name)
        learned = {} if tree is None else {field.name: field for field in stream_of(name, tree, {}).fields}
        for field, bins in zip(section.names, section.bins, strict=True):
            known = learned.get(field)
            if known is not None and known.shares is not None:
                (ready if bins is not None and bins.id == known.bin_id else other).append(f"{name}/{field}")
    return ready, other


def held(reference: Mapping[str, Any], beside: Mapping[str, Any], day: int) -> dict[str, Any]:
    """Return the tree that brings an older reference into force.

    Streams that it does not have keep what they have. It is dated for today: by an older date the next recalibration would be due
    at once, and nobody would have seen it.

    Args:
        beside: the reference in force. day: ordinal of the application's local day; 0 before its first pane.
    """
    told = {"status": "learning", "until": "", "left_out": [], **reference.get(BUDGET, {})}
    learned = told.get(LEARNED, told.get("day", 0))
    newest = max(learned, beside.get(BUDGET, {}).get("day", 0), day)
    return {**beside, **reference, BUDGET: {**told, "day": newest, LEARNED: learned}}


def with_bins(now: Layout, other: Layout) -> Layout:
    """Return the layout in force with the bins of another one, for streams that are configured alike and have none yet.

    Fields keep their places, since open panes count by them; those that only the other layout has come behind.
    """
    for name, section in now.sections.items():
        source = other.sections.get(name)
        if source is None or section.learned or not alike(now, other, name):
            continue
        bins = dict(zip(source.names, source.bins, strict=True))
        fields = [*section.fields, *(field for field in source.fields if field.name not in section.names)][:MAX_FIELDS]
        old = [*section.bins, *(None,) * (len(fields) - len(section.fields))]
        now = now.with_section(
            section.replace(
                fields=tuple(fields),
                bins=tuple(item or bins.get(field.name) for field, item in zip(fields, old, strict=True)),
                learned=source.learned and all(field.name in bins for field in fields),
            )
        )
    return now


def alike(now: Layout, other: Layout, name: str) -> bool:
    """Return whether two layouts define a stream in the same way."""
    plans = [[stream for stream in layout.plan.streams if stream.name == name] for layout in (now, other)]
    return plans[0] == plans[1]
