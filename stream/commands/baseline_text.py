"""Baselines on a terminal of 80 columns: an overview of all fields, one field in detail, and how two baselines differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from textwrap import wrap

from rich.cells import cell_len, set_cell_size

from stream.baseline_diff import Changed, Difference, limit_text
from stream.baselines import Portrait, Stream, Summary
from stream.commands.baseline_draw import BLOCKS, DAYS, along, kind, limits, mix, said, spark, usual, whole
from stream.commands.showing import aligned, number
from stream.config.errors import visible
from stream.judging.describe import percent

WIDTH = 80
COLUMNS = 48
ROWS = 8
MOST = 10
"""Lines of one kind that a difference shows."""


def clip(text: str, width: int = WIDTH) -> str:
    r"""Return text that cannot steer a terminal and takes no more room than there is.

    >>> clip("a\x1b[2J", 4), clip("a long name", 7)
    ('a?[…', 'a long…')
    """
    safe = visible(text)
    return safe if cell_len(safe) <= width else set_cell_size(safe, width - 1).rstrip() + "…"


def overview(title: str, summary: Summary, per_week: float) -> Iterator[str]:
    """Yield the lines of a whole baseline."""
    yield clip(title)
    for line in whole(summary, per_week):
        yield from wrap(visible(line), WIDTH, subsequent_indent="  ")
    for stream in summary.streams:
        yield ""
        yield clip(f"{stream.name}: {_state(stream)}")
        for field in stream.fields:
            yield from _lines(field)


def _state(stream: Stream) -> str:
    return f"{stream.status} until {stream.until}" if stream.until else stream.status


def _lines(field: Portrait) -> Iterator[str]:
    facts = f"  {kind(field)}, {number(field.values, 'value')}, {limits(field.limits)}"
    yield "  " + clip(field.name, WIDTH - 2 - cell_len(facts)) + facts
    if field.shares is None:
        yield "    too few values to compare with"
        return
    if field.bins is not None and field.bins.kind == "number":
        values = along(field.bins, field.shares, COLUMNS)
        low, _, high = values.ticks
        yield f"    values {spark(values.shares, 0)} {low:.3g} to {high:.3g}"
    elif field.bins is not None:
        yield clip(f"    mix    {usual(field)}")
    pattern = field.location
    if pattern is not None and pattern.name == "location" and pattern.mean.any():
        least, most = float(pattern.mean[0].min()), float(pattern.mean[0].max())
        yield f"    day    {spark(pattern.mean[0])} {least:+.2f} to {most:+.2f} sd"


def detail(stream: Stream, field: Portrait) -> Iterator[str]:
    """Yield the lines of one field."""
    yield clip(f"{stream.name}/{field.name}: {kind(field)}, {number(field.values, 'value')}, {_state(stream)}")
    if field.shares is None:
        yield "too few values to compare with"
    elif field.bins is not None and field.bins.kind == "number":
        yield ""
        yield from _histogram(field)
    elif field.bins is not None:
        yield ""
        pairs = mix(field.bins, field.shares)
        top = max(share for _, share in pairs)
        yield from aligned([(clip(name, 30), f"{percent(share):>8}", _bar(share / top)) for name, share in pairs], "  ")
    for pattern in field.patterns:
        yield ""
        yield f"{clip(said(field, pattern), 50)}: limit {limit_text(pattern.limit)}"
        if pattern.mean.any():
            low, high = float(pattern.mean.min()), float(pattern.mean.max())
            yield f"  usual course of a day, {low:+.2f} to {high:+.2f} standard deviations of one value"
            yield from (
                f"  {day:<8}{spark([low, *mean, high])[1:-1]}" for day, mean in zip(DAYS, pattern.mean, strict=True)
            )
            yield f"  {'':8}0h{'6h':>12}{'12h':>13}{'18h':>12}{'24h':>10}"


def _bar(part: float) -> str:
    return "█" * round(part * 36) or BLOCKS[0]


def _histogram(field: Portrait) -> Iterator[str]:
    assert field.bins is not None
    assert field.shares is not None
    values = along(field.bins, field.shares, 64)
    top = float(values.shares.max())
    heights = [round(float(share) / top * ROWS * 8) or int(share > 0) for share in values.shares]
    for row in range(ROWS - 1, -1, -1):
        cells = (min(max(height - 8 * row, 0), 8) for height in heights)
        yield f"{percent(top) if row == ROWS - 1 else '':>8}  " + "".join(f" {BLOCKS}"[cell] for cell in cells).rstrip()
    low, middle, high = (f"{at:.4g}" for at in values.ticks)
    yield f"{'':10}{low:<20}{middle:^24}{high:>20}"
    yield f"{'':10}{percent(values.outside)} lies outside" + ("; the axis is logarithmic" if values.log else "")


def changes(found: Difference) -> Iterator[str]:
    """Yield how two baselines differ."""
    if found.none:
        yield "They are the same."
        return
    for what, names in (("added", found.added), ("removed", found.removed), ("has other bins", found.rebinned)):
        yield from _listed(f"Fields: {what}", [clip(f"  {name}") for name in names])
    moved = [
        (
            clip(item.subject, 30),
            f"{item.deviance:.3g}",
            f"{clip(item.bin, 24)}: {percent(item.before)} -> {percent(item.after)}",
        )
        for item in found.moved
    ]
    yield from _listed("Shares: deviance of a value, and the bin that changed most", _rows(moved))
    yield from _listed("Limits that changed by more than 20 %", _rows(map(_arrow, found.limits)))
    yield from _listed("Promise", _rows(map(_arrow, found.told)))


def _arrow(item: Changed) -> tuple[str, str]:
    return clip(item.subject, 40), clip(f"{item.before} -> {item.after}", 36)


def _rows(rows: Iterable[Sequence[str]]) -> list[str]:
    return aligned(rows, "  ")


def _listed(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield title
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"  and {len(lines) - MOST} more"
