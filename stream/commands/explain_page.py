"""An incident as one page: nothing is loaded, nothing runs, every text from a record is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np

from stream.commands.segments import Where
from stream.commands.showing import places
from stream.config.errors import visible
from stream.explaining import Moved, spell, when
from stream.judging.describe import percent
from stream.judging.moved import label
from stream.redating import Course

_STYLE = """
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--text:#1d2733;--soft:#5b6875;--line:#dfe3e8;--was:#9aa7b4;--now:#c2681c;
--usual:#3b78b8}
@media(prefers-color-scheme:dark){:root{--bg:#14181d;--card:#1c2229;--text:#e4e8ec;--soft:#98a5b1;--line:#333c46;--was:#5f6d7a;
--now:#e59a55;--usual:#6aa5dd}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:860px;margin:0 auto;padding:28px 20px 60px}h1{font-size:22px;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:17px;margin:0 0 4px;overflow-wrap:anywhere}p{margin:2px 0;color:var(--soft);overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin-top:18px}
svg{display:block;width:100%;height:auto;margin-top:10px}svg text{fill:var(--soft);font:11px system-ui,sans-serif}
.was{fill:var(--was)}.now{fill:var(--now)}
.line{fill:none;stroke:var(--now);stroke-width:1.3}
.usual{fill:none;stroke:var(--usual);stroke-width:1.6}.onset{fill:var(--now);opacity:.16}.axis{stroke:var(--line)}
.top{font-weight:700!important;fill:var(--text)!important}
@media(max-width:640px){.card{overflow-x:auto}svg{min-width:620px}}
p.note{margin-top:10px}pre{white-space:pre-wrap;color:var(--soft);margin:8px 0 0;font-size:13px}
"""
WIDTH, HEIGHT, ROW, LEFT = 760, 150, 20, 190
POINTS = 380


def page(
    event: dict[str, Any],
    moved: Sequence[Moved],
    notes: Sequence[str],
    commands: Sequence[str],
    segments: Where | None = None,
) -> str:
    """Return the page of an incident.

    Args:
        notes: sentences about all of it. commands: lines to copy for a verdict. segments: where it moved.
    """
    return "\n".join(_page(event, moved, notes, commands, segments or Where()))


def _page(
    event: dict[str, Any], moved: Sequence[Moved], notes: Sequence[str], commands: Sequence[str], segments: Where
) -> Iterator[str]:
    title = event["annotations"]["summary"]
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<style>{_STYLE}</style></head><body><main><h1>{_safe(title)}</h1>"
    yield from (f"<p>{_safe(line)}</p>" for line in event["annotations"]["description"].splitlines())
    yield f"<pre>{_safe_lines(list(places(event)))}</pre>"
    for item in moved:
        yield f'<section class="card"><h2>{_safe(item.field)}</h2><p>{_safe(item.text)}</p>'
        counted = f"{int(item.now.sum()):,} values {spell(item)}, against {item.learned:,} of the reference"
        yield f"<p>{_safe(f'{item.size}; {counted}' if item.size else counted)}</p>"
        if item.course is not None:
            yield _course(item.course)
        yield _bars(item)
        lines = list(segments.lines(item.field))
        if lines:
            yield f"<pre>{_safe_lines(lines)}</pre>"
        yield "</section>"
    yield from (f'<p class="note">{_safe(note)}</p>' for note in notes)
    yield f"<pre>Say what it is:\n{_safe_lines(commands)}</pre></main></body></html>"


def _course(course: Course) -> str:
    """Draw a contrast and what is usual for it, thinned to so many points; the interval of the onset is shaded."""
    part = course.shown()
    times, values, expected = course.times[part], course.values[part], course.expected[part]
    pieces = np.array_split(np.arange(len(times)), min(POINTS, len(times)))
    means = np.array([[_mean(values[piece]), _mean(expected[piece])] for piece in pieces])
    low, high = float(np.nanmin(means)), float(np.nanmax(means))
    y = 12 + (HEIGHT - 24) * (1 - (means - low) / (high - low or 1))

    def at(ms: float) -> float:
        return float(np.interp(ms, [times[0], times[-1] + 1], [0, WIDTH]))

    x = [at(float(times[piece].mean())) for piece in pieces]
    early, likely, late = course.onset
    shade = (
        f'<rect class="onset" x="{at(early):.1f}" y="0" width="{max(at(late) - at(early), 3):.1f}" height="{HEIGHT}"/>'
    )
    lines = "".join(
        f'<polyline class="{style}" points="{_points(x, y[:, column])}"/>'
        for column, style in ((0, "line"), (1, "usual"))
    )
    texts = _text(0, HEIGHT + 14, when(int(times[0]))) + _text(WIDTH, HEIGHT + 14, when(int(times[-1])), "end")
    texts += _text(min(max(at(likely), 90), WIDTH - 90), HEIGHT + 28, f"began about {when(likely)}", "middle", "top")
    texts += _text(
        0, 9, f"{course.name}: observed, and usual at that time of the week (blue); {low:+.2g} to {high:+.2g} sd"
    )
    return _svg(HEIGHT + 34, "course", shade + lines + texts)


def _bars(item: Moved) -> str:
    now = item.now / max(int(item.now.sum()), 1)
    shown = [bin for bin in range(len(now)) if max(now[bin], item.before[bin]) >= 0.002 or bin in item.top]
    most, room = max(float(now.max()), float(item.before.max())), WIDTH - LEFT - 130
    parts = [_text(0, 13, f"share before (grey) and of {int(item.now.sum()):,} values of the change")]
    for place, bin in enumerate(shown, 1):
        y, style = place * ROW, "top" if bin in item.top else ""
        parts.append(_text(0, y + 13, label(item.bins, bin)[:30], style=style))
        for share, kind, top in ((item.before[bin], "was", y + 3), (now[bin], "now", y + 10)):
            parts.append(f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{share / most * room:.1f}" height="6"/>')
        parts.append(
            _text(WIDTH, y + 13, f"{percent(float(item.before[bin]))} -> {percent(float(now[bin]))}", "end", style)
        )
    return _svg((len(shown) + 1) * ROW + 4, "shares", "".join(parts))


def _mean(values: Any) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else np.nan


def _points(x: Any, y: Any) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True) if np.isfinite(b))


def _svg(height: int, title: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">{inside}</svg>'


def _text(x: float, y: float, said: str, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{_safe(said)}</text>'


def _safe(text: str) -> str:
    return escape(visible(text))


def _safe_lines(lines: Sequence[str]) -> str:
    return "\n".join(map(_safe, lines))
