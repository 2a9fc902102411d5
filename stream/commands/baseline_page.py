"""A baseline as one page: nothing is loaded, nothing runs, every text from a record or a file is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from stream.baseline_diff import limit_text
from stream.baselines import Pattern, Portrait, Stream, Summary
from stream.commands.baseline_draw import DAYS, along, kind, limits, mix, said, whole
from stream.commands.showing import number
from stream.config.errors import visible
from stream.judging.describe import percent

_STYLE = """
:root{color-scheme:light dark;--bg:#fbfbfa;--card:#fff;--text:#1d2733;--soft:#5b6875;--line:#dfe3e8;--bar:#3b78b8;
--a:#3b78b8;--b:#c2681c;--c:#4d8b47}
@media(prefers-color-scheme:dark){:root{--bg:#14181d;--card:#1c2229;--text:#e4e8ec;--soft:#98a5b1;--line:#333c46;--bar:#6aa5dd;
--a:#6aa5dd;--b:#e59a55;--c:#86c47f}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,sans-serif}
main{max-width:1160px;margin:0 auto;padding:28px 20px 60px}h1{font-size:22px;margin:0 0 6px}h2{font-size:17px;margin:34px 0 10px}
h3{font-size:15px;margin:0;overflow-wrap:anywhere}p{margin:2px 0;color:var(--soft);overflow-wrap:anywhere}
.status{display:inline-block;padding:1px 9px;border:1px solid var(--line);border-radius:10px;font-size:13px;color:var(--text)}
.cards{display:grid;gap:14px;grid-template-columns:repeat(auto-fill,minmax(340px,1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px 16px;min-width:0}
.card p{font-size:13px}svg{display:block;width:100%;height:auto;margin-top:8px}
svg text{fill:var(--soft);font:11px system-ui,sans-serif}.bar{fill:var(--bar)}.axis{stroke:var(--line)}
.d0,.d1,.d2{fill:none;stroke-width:1.6;stroke-linejoin:round}.d0{stroke:var(--a)}.d1{stroke:var(--b)}.d2{stroke:var(--c)}
.d0t{fill:var(--a)!important}.d1t{fill:var(--b)!important}.d2t{fill:var(--c)!important}
details{margin-top:8px;font-size:13px}summary{cursor:pointer;color:var(--soft)}
table{border-collapse:collapse;width:100%;margin-top:6px}td{padding:1px 0;overflow-wrap:anywhere}
td+td{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
"""
WIDTH, BOTTOM = 320, 80
ROW = 19
SHOWN = 12
"""Values of a category that have a bar."""


def page(title: str, summary: Summary, per_week: float) -> str:
    """Return the page of a baseline."""
    return "\n".join(_page(title, summary, per_week))


def _page(title: str, summary: Summary, per_week: float) -> Iterator[str]:
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title>'
    yield '<meta name="viewport" content="width=device-width,initial-scale=1">'
    yield "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    yield f"<style>{_STYLE}</style></head><body><main><h1>{_safe(title)}</h1>"
    yield from (f"<p>{_safe(line)}</p>" for line in whole(summary, per_week))
    for stream in summary.streams:
        yield f'<h2>{_safe(stream.name)} <span class="status">{_safe(_state(stream))}</span></h2><div class="cards">'
        for field in stream.fields:
            yield from _card(field)
        yield "</div>"
    yield "</main></body></html>"


def _state(stream: Stream) -> str:
    return f"{stream.status} until {stream.until}" if stream.until else stream.status


def _card(field: Portrait) -> Iterator[str]:
    facts = f"{kind(field)}, {number(field.values, 'value')}, {limits(field.limits)}"
    yield f'<section class="card"><h3>{_safe(field.name)}</h3><p>{_safe(facts)}</p>'
    if field.shares is None:
        yield "<p>too few values to compare with</p>"
    elif field.bins is not None and field.bins.kind == "number":
        yield _histogram(field)
    elif field.bins is not None:
        yield _bars(field)
    if field.location is not None and field.location.mean.any():
        yield _day(said(field, field.location), field.location)
    if field.limits:
        rows = "".join(
            f"<tr><td>{_safe(said(field, c))}</td><td>{limit_text(c.limit)}</td></tr>" for c in field.patterns
        )
        yield f"<details><summary>limit of each contrast</summary><table>{rows}</table></details>"
    yield "</section>"


def _histogram(field: Portrait) -> str:
    assert field.bins is not None
    assert field.shares is not None
    values = along(field.bins, field.shares, 64)
    top, step = float(values.shares.max()), WIDTH / 64
    bars = []
    for i, share in enumerate(values.shares):
        height = float(share) / top * (BOTTOM - 4)
        bars.append(
            f'<rect class="bar" x="{i * step:.1f}" y="{BOTTOM - height:.1f}" width="{step - 0.6:.1f}" height="{height:.1f}"/>'
        )
    outside = f"{percent(values.outside)} outside" + (", logarithmic axis" if values.log else "")
    texts = _text(WIDTH / 2, BOTTOM + 29, outside, "middle")
    for x, at, anchor in zip((0.0, WIDTH / 2, WIDTH), values.ticks, ("start", "middle", "end"), strict=True):
        texts += _text(x, BOTTOM + 14, f"{at:.4g}", anchor)
    return _svg(BOTTOM + 34, "histogram", "".join(bars) + _axis(BOTTOM) + texts)


def _bars(field: Portrait) -> str:
    assert field.bins is not None
    assert field.shares is not None
    pairs = mix(field.bins, field.shares)
    shown, rest = pairs[:SHOWN], pairs[SHOWN:]
    top = max(share for _, share in shown)
    parts = []
    for i, (name, share) in enumerate(shown):
        y = i * ROW
        parts.append(_text(0, y + 13, _short(name, 18)) + _text(WIDTH, y + 13, percent(share), "end"))
        parts.append(f'<rect class="bar" x="120" y="{y + 4}" width="{max(share / top * 145, 1):.1f}" height="11"/>')
    if rest:
        y = len(shown) * ROW + 13
        parts.append(_text(0, y, f"{len(rest)} more"))
        parts.append(_text(WIDTH, y, percent(sum(share for _, share in rest)), "end"))
    return _svg((len(shown) + bool(rest)) * ROW, "shares", "".join(parts))


def _day(name: str, pattern: Pattern) -> str:
    low, high = float(pattern.mean.min()), float(pattern.mean.max())
    height = 52
    lines = []
    for group, mean in reversed(list(enumerate(pattern.mean))):
        heights = (14 + (1 - (float(value) - low) / (high - low or 1)) * (height - 18) for value in mean)
        points = " ".join(f"{WIDTH / 47 * i:.1f},{y:.1f}" for i, y in enumerate(heights))
        lines.append(f'<polyline class="d{group}" points="{points}"/>')
    legend = "".join(
        _text(x, 9, day, "end", f"d{i}t") for i, (x, day) in enumerate(zip((262, 290, 320), DAYS, strict=True))
    )
    range_ = _text(0, 9, f"{_short(name, 16)} {low:+.2g} to {high:+.2g} sd")
    hours = "".join(
        _text(WIDTH * hour / 24, height + 14, f"{hour} h", {0: "start", 24: "end"}.get(hour, "middle"))
        for hour in (0, 6, 12, 18, 24)
    )
    return _svg(height + 18, "usual course of a day", "".join(lines) + _axis(height) + legend + range_ + hours)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


def _svg(height: int, title: str, inside: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">{inside}</svg>'


def _axis(y: int) -> str:
    return f'<line class="axis" x1="0" y1="{y}" x2="{WIDTH}" y2="{y}"/>'


def _text(x: float, y: float, said: str, anchor: str = "start", style: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{style}">{_safe(said)}</text>'


def _safe(text: str) -> str:
    return escape(visible(text))
