"""The page benchmarks/peers.md and its plot, written from the report of a run."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import Any

PAGE, PLOT = Path("benchmarks/peers.md"), Path("benchmarks/peers/peers.svg")
WIDTH, LEFT, LINE, RIGHT = 860, 250, 30, 150
BLUE, GREY = "#1f6feb", "#8b949e"

HEAD = """\
# Streamgauge beside its peers

`make bench-peers` wrote this page; do not edit it. Everybody read the same records of one Apache Kafka in one run, on
one core: 30 numeric features in JSON of about 1 kB, one null in a hundred records, 4 partitions, checksums on.
**These tools do not do the same thing**: read the column *computes* before you compare two rows.

![CPU per event in multiples of the bare loop](peers/peers.svg)
"""

TAIL = """\
## How it was measured

* CPU is that of the consumer's process, all its threads and its children, from the first record handed over to the
  last one done; start-up and imports are not in it. Pathway shows no first record, so its engine's start is in it.
  The broker's CPU is in nobody's.
* *of bare* is the bare loop's cost over the peer's: the bare loop ran before and after every run of every peer, and
  the ratio is taken to the mean of the two. Much of the noise of a busy machine cancels in it; microseconds are those
  of the moment.
* Peers that count had their counts compared with what was produced, window by window (*windows right*: of those that
  had come complete when the last record was read). Smallest and largest may differ in the last binary digit.
* Everybody uses a way that its documentation shows, with the settings as they come. Where there is one by batch and
  one by record, both were run. The records have their partition as key, which spares Quix Streams a repartition topic
  that real keys would need. Bytewax and Pathway run without recovery and persistence, which makes them cheaper than
  in production; Quix Streams and Streamgauge write what they need to start again, Faust commits offsets only.
* Windows hold 6,000 records. Streamgauge has a second row with a quarter as many, because it was dearer there,
  probably since what it counts is put down by partition and pane; the others were run at 6,000 only.
* Rows are in the order of the ratio. The order by microseconds may differ where rows are close: look at the spread of
  the bare loop below before you call one of two the faster.
* Streamgauge had learned its layout and reference from earlier records, so every detector is on. It counts two more
  fields (`request_id`, `note`), since nobody listed them.
* Bytewax, Quix Streams and Pathway read with librdkafka (C), not with aiokafka as the bare loop does: a part of a
  difference may be the client's.
* *after kill -9* is from documentation, except for Streamgauge. Nobody was killed here.
"""


def write(report: dict[str, Any]) -> None:
    """Write page and plot."""
    measured = sorted((row for row in report["rows"] if row["runs"]), key=lambda row: -row["of_bare"])
    missing = [row for row in report["rows"] if not row["runs"]]
    PLOT.write_text(plot(measured))
    PAGE.write_text(
        "\n".join([HEAD, *figures(measured, missing), *meanings(report["rows"]), TAIL, *where(report, measured)])
    )


def figures(measured: list[dict[str, Any]], missing: list[dict[str, Any]]) -> list[str]:
    """Return the table of numbers."""
    lines = [
        "| | us CPU per event | events per CPU-second | of bare | records, runs | windows right |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in measured:
        last = row["runs"][-1]
        right = f"{last['right']} of {last['complete']}" if last.get("complete") else "–"
        name = f"**{row['name']}**" if row["name"] == "Streamgauge" else row["name"]
        lines.append(
            f"| {name} | {row['us_per_event']} | {row['events_per_cpu_second']:,} | {row['of_bare']:.3f} "
            f"| {row['records']:,}, {len(row['runs'])} | {right} |"
        )
    lines += [f"| {row['name']} | not measured: {one_line(row['reason'])} | | | | |" for row in missing]
    return [*lines, ""]


def meanings(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of words."""
    lines = ["| | computes | after kill -9 it has lost |", "|---|---|---|"]
    return [*lines, *(f"| {row['name']} | {row['computes']} | {row['killed']} |" for row in rows), ""]


def where(report: dict[str, Any], measured: list[dict[str, Any]]) -> list[str]:
    """Return date, machine, load and versions."""
    place = report["environment"]
    lines = ["## This run", "", f"* {place['date']}; {place['machine']}; {place['cores']}; {place['broker']}."]
    spread = sorted(one["cpu_s"] / one["records"] * 1e6 for one in report["rows"][0]["runs"])
    before, after = (", ".join(map(str, place[when])) for when in ("load_before", "load_after"))
    busy = place["load_before"][0] > 1
    lines.append(
        f"* Load average before {before}; after {after}" + (": the machine did other things as well." if busy else ".")
    )
    lines.append(
        f"* The bare loop itself took {spread[0]:.1f} to {spread[-1]:.1f} us here: rows as close as that are not told apart."
    )
    lines.append(
        f"* {place['records']:,} records, 100 to a second of event time; slow peers read its first part only, as the table says. "
        f"Rounds: {place['rounds']}."
    )
    for row in measured:
        versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
        lines.append(f"* {row['name']}: {versions}.")
    return [*lines, ""]


def one_line(text: str) -> str:
    """Return text that fits into a cell."""
    return " ".join(text.replace("|", "/").split())


def plot(rows: list[dict[str, Any]]) -> str:
    """Return bars of CPU per event, in bare loops, on a logarithmic scale."""
    low, high = 0.8, 1.1 / min(row["of_bare"] for row in rows)
    height = LINE * len(rows) + 70

    def x(times: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(times / low) / math.log(high / low)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        '<text x="10" y="20" font-weight="bold">CPU per event in bare loops (logarithmic; shorter is better)</text>',
    ]
    for tick in (1, 2, 5, 10, 20, 50, 100, 200):
        if low <= tick <= high:
            parts.append(f'<line x1="{x(tick):.1f}" y1="32" x2="{x(tick):.1f}" y2="{height - 24}" stroke="#d0d7de"/>')
            parts.append(f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle" fill="#57606a">{tick}</text>')
    for number, row in enumerate(rows):
        y, end = 36 + LINE * number, x(1 / row["of_bare"])
        colour = BLUE if row["name"].startswith("Streamgauge") else GREY
        label = f"{1 / row['of_bare']:.3g} ({row['us_per_event']:g} us)"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 17}" text-anchor="end">{escape(row["name"])}</text>')
        parts.append(f'<rect x="{LEFT}" y="{y}" width="{max(end - LEFT, 1):.1f}" height="{LINE - 8}" fill="{colour}"/>')
        parts.append(f'<text x="{end + 6:.1f}" y="{y + 17}" fill="#24292f">{label}</text>')
    return "\n".join([*parts, "</svg>", ""])
