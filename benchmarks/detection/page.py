"""benchmarks/detection.md and its plot: what was promised beside what was kept, and how soon a change is found."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.detection.null import poisson_interval

PAGE, PLOT = Path("benchmarks/detection.md"), Path("benchmarks/detection/budget.svg")
WIDTH, ROW, LEFT, MOST = 860, 26, 230, 3.0
COLOURS = {"0.5": "#1f77b4", "1.0": "#2ca02c", "2.0": "#d62728"}

INTRODUCTION = """# Detection: is the budget kept, and how soon is a change found?

`make budget` wrote this page; do not edit it. It runs the detectors of the product over panes that the product's own
tap and learner made of real and synthetic records. **Null weeks**: whole weeks are permuted, eight teach and the next
four are monitored, so every alarm is false. Permutations share their weeks: the interval is the exact Poisson one as
if they did not, and the standard deviation over permutations stands beside it.

An alarm is an *opening*: a day on which some series exceeds its limit and did not on the day before. A row **passes**
when its mean is at most b, the upper end of its interval at most 1.25 b, and its mean at least 0.3 b (power that is
not used is a fault too).

"""

DELAYS = """
## How soon a step is found

A step is added to one series, drawn at random, at a random moment of the first two monitored weeks, at b = 1. Its size
is in standard deviations of the series around its own mean at that time of the week, over all weeks. Missed: not
within two weeks; these count as 336 h in the restricted mean.

"""


def write(results: dict[str, Any]) -> None:
    """Write page and plot from what `benchmarks.detection.cases.summary` says of each case."""
    lines = [
        "| environment | series | panes | b | false alarms | weeks | a week | 95 % | sd | |",
        "|---|--:|--:|--:|--:|--:|--:|---|--:|---|",
    ]
    lines += [line for item in results.values() for line in budget_rows(item)]
    delay = [
        "| environment | series | panes | step | median h | missed | restricted mean h | injections |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    delay += [line for item in results.values() for line in delay_rows(item)]
    where = f"\nPython {platform.python_version()}, numpy {version('numpy')}; seeds 0 to {permutations(results) - 1}.\n"
    PAGE.write_text(
        INTRODUCTION
        + "![stated and realised budget](detection/budget.svg)\n\n"
        + "\n".join(lines)
        + "\n"
        + DELAYS
        + "\n".join(delay)
        + "\n"
        + where
    )
    PLOT.write_text(plot(results))


def permutations(results: dict[str, Any]) -> int:
    """Return the largest number of permutations of a case."""
    return max(item["budget"]["1.0"]["weeks"] // 4 for item in results.values())


def verdict(row: dict[str, Any], b: float) -> tuple[float, float, float, bool]:
    """Return (mean, lower, upper, whether the budget is kept and used).

    >>> verdict({"alarms": 180, "weeks": 200}, 1.0)[3], verdict({"alarms": 40, "weeks": 200}, 1.0)[3]
    (True, False)
    """
    lower, upper = poisson_interval(row["alarms"], row["weeks"])
    mean = row["alarms"] / row["weeks"]
    return mean, lower, upper, mean <= b and upper <= 1.25 * b and mean >= 0.3 * b


def budget_rows(item: dict[str, Any]) -> list[str]:
    """Return a row for each budget."""
    rows = []
    for b, row in item["budget"].items():
        mean, lower, upper, passes = verdict(row, float(b))
        told = "pass" if passes else "**fail**"
        cells = [
            item["name"],
            item["K"],
            f"{item['minutes']} min",
            f"{float(b):g}",
            row["alarms"],
            row["weeks"],
            f"{mean:.2f}",
        ]
        rows.append(table_row(*cells, f"{lower:.2f} – {upper:.2f}", f"{row['sd']:.2f}", told))
    return rows


def delay_rows(item: dict[str, Any]) -> list[str]:
    """Return a row for each size of a step."""
    rows = []
    for size, row in item["delay"].items():
        cells = [item["name"], item["K"], f"{item['minutes']} min", f"{float(size):g} sd", f"{row['median_h']:.1f}"]
        rows.append(
            table_row(*cells, f"{100 * row['missed']:.0f} %", f"{row['restricted_mean_h']:.1f}", row["injections"])
        )
    return rows


def table_row(*cells: object) -> str:
    """Return a line of a Markdown table.

    >>> table_row("a", 1)
    '| a | 1 |'
    """
    return "| " + " | ".join(map(str, cells)) + " |"


def plot(results: dict[str, Any]) -> str:
    """Return an SVG: realised over stated, with its interval, for each environment and budget; 1 is the promise."""
    rows = [(item, b, row) for item in results.values() for b, row in item["budget"].items()]
    height = ROW * len(rows) + 60

    def x(ratio: float) -> float:
        return LEFT + (WIDTH - LEFT - 20) * min(ratio, MOST) / MOST

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18">false alarms per week, realised / stated (95 % Poisson interval)</text>',
    ]
    for tick in (0.0, 0.3, 1.0, 1.25, 2.0, 3.0):
        dash = "" if tick == 1.0 else ' stroke-dasharray="3 4"'
        parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="28" y2="{height - 24}" stroke="#999"{dash}/>')
        parts.append(f'<text x="{x(tick):.1f}" y="{height - 8}" text-anchor="middle">{tick:g}</text>')
    for index, (item, b, row) in enumerate(rows):
        mean, lower, upper, _ = (value / float(b) for value in verdict(row, float(b)))
        y = 44 + ROW * index
        colour = COLOURS[b]
        parts += [
            f'<text x="8" y="{y + 4}">{item["name"]} {item["minutes"]} min, b = {float(b):g}</text>',
            f'<line x1="{x(lower):.1f}" x2="{x(upper):.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="{x(mean):.1f}" cy="{y}" r="5" fill="{colour}"/>',
        ]
    return "\n".join([*parts, "</svg>", ""])
