"""benchmarks/detection.md and its plot: promised beside kept, how soon a change is found, and other tools beside it."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from benchmarks.detection.cases import CHANCE
from benchmarks.detection.kept import ROOT
from benchmarks.detection.null import poisson_interval

PAGE, PLOT = ROOT / "benchmarks" / "detection.md", ROOT / "benchmarks" / "detection" / "budget.svg"
PEERS = ROOT / "build" / "detection" / "peers" / "flights.json"
EFFICIENCY, COVERED, PANE_MS, LEARN_S = 1.25, 0.9, 2.0, 120.0
LEAST_RATE, MOST_RATE = 0.3, 1.2
"""Targets: most delay over that of hindsight, least share of onsets within their interval, most cost."""

WIDTH, ROW, LEFT, MOST = 860, 26, 230, 3.0
COLOURS = {"0.5": "#1f77b4", "1.0": "#2ca02c", "2.0": "#d62728"}

INTRODUCTION = """# Detection: is the budget kept, and how soon is a change found?

`make budget` wrote this page, `make budget-full` the rows that name it, and `make budget-peers` the table of other
tools; do not edit it. It runs the modules of `detectors/` that judge and nightly recalibration run, over panes that the
product's own tap and learner made of real and synthetic records. A whole year end to end, through the judge, is in
docs/year.md.

**Null weeks**: whole weeks are permuted, eight teach and the next four are monitored, so every alarm is false. An
alarm is an *opening*: a day on which some series exceeds its limit and did not on the day before. Permutations share
their weeks; the interval is the exact Poisson one as if they did not, and the standard deviation over permutations
stands beside it. A row **passes** when its mean is at most b, the upper end of its interval at most 1.25 b, and its
mean at least 0.3 b (power that is not used is a fault too). Read the column *distinct* beside it: so many different
weeks there are. Where they are few, a hundred permutations would not prove more.

What was chosen with these data in view: the clip (4), the sizes of Shiryaev-Roberts (to lambda = 2), the width of the
onset's interval (on the first half of the year of power) and the constants of the first weeks. The threshold, the
normaliser and everything else is learned from the eight weeks only.

"""

MISSED = """## Targets that are missed

Each budget kept and used; our median delay at most {efficiency:g} times that of our own hindsight; the onset within its
interval in nine of ten cases; false alarms of the first weeks between {least:g} and {most:g} a week at every age; a pane
of 1,000 numbers in 2 ms and a night's learning of them in two minutes.

"""

BUDGET = """
## Promised and kept

![stated and realised budget](detection/budget.svg)

"""

STEPS = """
## How soon a step is found, when it is said to have begun, and whom the alarm names

A step is added to one series, drawn at random, at a random moment of the first two monitored weeks, at b = 1. Its
size is in standard deviations of the series around its own mean at that time of the week, so it is a larger step in
shorter panes: rows of different lengths cannot be compared. A step of 0 is found by
chance: so often another alarm of the series comes within two weeks anyway. Missed: not within two weeks; these count
as 336 h in the restricted mean. *Dated*: the interval for the onset holds it. *Top 3*: the series is among the first
three when all that are new in alarm that day are ordered by how far they are beyond their limits.

"""

OWN = """
## Beside our own hindsight, and when it comes slowly

*Hindsight* is the same monitor on the same weeks and the same steps, with one threshold for all permutations that was
chosen on the monitored weeks themselves: the largest one with at least as many false alarms as the learned thresholds
raised together. What it is faster is the price of having to learn the threshold from eight weeks. *Ratio*: our median
over that one; delays are whole panes, so a ratio of a few panes is coarse. It can be below 1, since learned thresholds
differ from permutation to permutation and the lower ones find more. *Ramp*: the same change in the same places, but
growing evenly over 24 h; hours count from its first pane.

"""

FIRST = """
## The first weeks

Before there are weeks to calibrate on, a provisional threshold is set every night (`detectors/provisional.py`): rate
of false alarms at b = 1, and the median delay of steps by the age at which they begin. Six permuted weeks are lived
through once per permutation; panes of 15 minutes. The rule's constants were chosen on other permutations of these data.
There is no alarm of this kind on the first day. *near*: six weeks that follow each other in the year, permuted among
themselves; of the others a first week of June may stand beside a second one of December, and that is a change.

"""

FAULTS = """
## Faults in the records of one stream of flights

From the onset on, the records of one airport (or of all) are changed; everything is counted by the tap's fold. *Rule*
is `detectors.Missing`, which stands outside the budget.

"""

COST = """
## What it costs

One pane of 1,000 numbers with all their contrasts, from counts to statistics: {pane_ms:.2f} ms of CPU (target 2).
Learning from eight weeks of panes of five minutes: {learn_100_s:.0f} s of CPU for 100 such fields, {learn_1000_s:.0f}
s for 1,000 (target 120).
"""

OTHERS = """
## Other tools, tuned in hindsight to our realised rate

All see the same pane values of the flights, with the calendar taken out unless *raw* is said; {streams} series, panes
of {minutes} minutes, {seeds} permutations. A peer's setting is the most sensitive one of its grid whose rate is at
most ours ({allowed:.2f} openings a week), chosen on the weeks it is judged on: a help that we do not have. Cells:
median hours / missed / restricted mean hours. *Days*: days of a week on which it is in alarm somewhere, since an
alarm that never ends opens only once. Peers that were shown fewer series × permutations (they are slow) are judged
too kindly, since fewer series raise fewer alarms.

"""


def write(results: dict[str, Any]) -> None:
    """Write page and plot from what `benchmarks.detection.__main__` found."""
    cases = results["cases"]
    text = INTRODUCTION + MISSED.format(efficiency=EFFICIENCY, least=LEAST_RATE, most=MOST_RATE)
    text += "".join(f"* {line}\n" for line in missed(results) or ["none"])
    text += BUDGET + table(BUDGET_HEAD, budget_rows(cases)) + STEPS + table(STEP_HEAD, step_rows(cases))
    text += OWN + table(DELAY_HEAD, delay_rows(cases))
    text += FIRST + table(FIRST_HEAD, first_rows(results["first_weeks"]))
    text += FAULTS + table(FAULT_HEAD, fault_rows(results["faults"]))
    if PEERS.exists():
        text += others(json.loads(PEERS.read_text()))
    text += COST.format(**results["cost"])
    text += f"\nPython {platform.python_version()}, numpy {version('numpy')}. Permutations are numbered from 0: a quarter of the "
    text += "weeks in the first table; 32 of the first weeks, 8 of the faults.\n"
    PAGE.write_text(text)
    PLOT.write_text(plot(cases))


def missed(results: dict[str, Any]) -> list[str]:
    """Return the targets that are missed, each as a line."""
    lines = []
    for item in results["cases"].values():
        where = f"{item['name']}, panes of {item['minutes']} min"
        for b, row in item["budget"].items():
            mean, _, upper, passes = verdict(row, float(b))
            if not passes:
                lines.append(f"{where}: {mean:.2f} false alarms a week at b = {float(b):g}, at most {upper:.2f}")
        for size, row in item["delay"].items():
            change = f"{where}, a step of {float(size):g} sd"
            slower = ratio(item, size)
            if slower and slower > EFFICIENCY:
                lines.append(f"{change}: {slower:.2f} times the delay of hindsight")
            if size != str(CHANCE) and row.get("onset_covered", 1.0) < COVERED:
                lines.append(f"{change}: {percent(row['onset_covered'])} of the onsets within their interval")
    for name, ages in results["first_weeks"].items():
        for age, row in ages.items():
            if not LEAST_RATE <= rate(row) <= MOST_RATE:
                lines.append(f"{name}, days {age} of a reference: {rate(row):.2f} false alarms a week")
    cost = results["cost"]
    if cost["pane_ms"] > PANE_MS:
        lines.append(f"a pane of 1,000 numbers takes {cost['pane_ms']:.2f} ms")
    if cost["learn_1000_s"] > LEARN_S:
        lines.append(f"learning of 1,000 numbers takes {cost['learn_1000_s']:.0f} s")
    return lines


def table(head: str, rows: Iterable[list[object]]) -> str:
    """Return a Markdown table.

    >>> print(table("a | b", [[1, 2]]), end="")
    | a | b |
    |---|---|
    | 1 | 2 |
    """
    rule = "|".join("---" for _ in head.split(" | "))
    lines = [f"| {head} |", f"|{rule}|", *("| " + " | ".join(map(str, row)) + " |" for row in rows)]
    return "\n".join(lines) + "\n"


def verdict(row: dict[str, Any], b: float) -> tuple[float, float, float, bool]:
    """Return (mean, lower, upper, whether the budget is kept and used).

    >>> verdict({"alarms": 180, "weeks": 200}, 1.0)[3], verdict({"alarms": 40, "weeks": 200}, 1.0)[3]
    (True, False)
    """
    lower, upper = poisson_interval(row["alarms"], row["weeks"])
    mean = row["alarms"] / row["weeks"]
    return mean, lower, upper, mean <= b and upper <= 1.25 * b and mean >= 0.3 * b


BUDGET_HEAD = "environment | series | panes | b | false alarms | weeks | distinct | a week | 95 % | sd |   | make"


def budget_rows(cases: dict[str, Any]) -> Iterator[list[object]]:
    """Yield a row for each environment and budget."""
    for item in cases.values():
        for b, row in item["budget"].items():
            mean, lower, upper, passes = verdict(row, float(b))
            told = "pass" if passes else "**fail**"
            rate = [f"{mean:.2f}", f"{lower:.2f} – {upper:.2f}", f"{row['sd']:.2f}", told]
            where = [item["name"], item["K"], f"{item['minutes']} min", f"{float(b):g}"]
            yield [*where, row["alarms"], row["weeks"], item["distinct_weeks"], *rate, item["command"]]


STEP_HEAD = (
    "environment | panes | step | median h | missed | restricted mean h | dated | interval h | top 1 | top 3 | steps"
)


def step_rows(cases: dict[str, Any]) -> Iterator[list[object]]:
    """Yield a row for each environment and size."""
    for item in cases.values():
        for size, row in item["delay"].items():
            told = size != str(CHANCE) and "top_1" in row
            shares = [percent(row[name]) if told else "" for name in ("top_1", "top_3")]
            dated = [percent(row["onset_covered"]), f"{row['onset_width_h']:.1f}"] if told else ["", ""]
            where = [item["name"], f"{item['minutes']} min", f"{float(size):g} sd"]
            yield [*where, *delay_cells(row), *dated, *shares, row["injections"]]


DELAY_HEAD = (
    "environment | panes | size | median h | in hindsight | ratio | restricted mean h | in hindsight "
    "| false alarms a week | in hindsight | ramp: median h | missed | restricted mean h"
)


def delay_rows(cases: dict[str, Any]) -> Iterator[list[object]]:
    """Yield a row for each environment and size: our delay, that of our hindsight, and that of a ramp."""
    for item in cases.values():
        rates = [f"{rate(row):.2f}" for row in (item["budget"]["1.0"], item["hindsight"])]
        for size, best in item["hindsight"]["delay"].items():
            ours, slower = item["delay"][size], ratio(item, size)
            told = "–" if slower is None else f"{slower:.2f}" if slower <= EFFICIENCY else f"**{slower:.2f}**"
            where = [item["name"], f"{item['minutes']} min", f"{float(size):g} sd"]
            medians, means = ([hours(row[name]) for row in (ours, best)] for name in ("median_h", "restricted_mean_h"))
            yield [*where, *medians, told, *means, *rates, *delay_cells(item["ramp"][size])]


def ratio(item: dict[str, Any], size: str) -> float | None:
    """Return our median delay over that of hindsight; None where half are missed, or hindsight was not asked."""
    best = item["hindsight"]["delay"].get(size, {}).get("median_h")
    ours = item["delay"][size]["median_h"]
    return ours / best if ours and best else None


def rate(row: dict[str, Any]) -> float:
    """Return false alarms per week."""
    return float(row["alarms"] / row["weeks"])


FIRST_HEAD = "environment | age, days | false alarms a week | weeks | 1 sd | 2 sd | 3 sd | 5 sd"


def first_rows(found: dict[str, Any]) -> Iterator[list[object]]:
    """Yield a row for each environment and age: median hours / missed by size."""
    for name, ages in found.items():
        for age, row in ages.items():
            rate = f"{row['alarms'] / row['weeks']:.2f}"
            cells = [f"{hours(item['median_h'])} / {percent(item['missed'])}" for item in row["delay"].values()]
            yield [name, age, rate, f"{row['weeks']:.0f}", *cells]


FAULT_HEAD = "fault | median h | missed | restricted mean h | times"


def fault_rows(found: dict[str, Any]) -> Iterator[list[object]]:
    """Yield a row for each fault."""
    for name, row in found.items():
        yield [name, *delay_cells(row), row["injections"]]


def others(report: dict[str, Any]) -> str:
    """Return the table of the peers."""
    options = report["options"]
    text = OTHERS.format(
        streams=report["streams"],
        minutes=options["pane_minutes"],
        seeds=options["seeds"],
        allowed=report["allowed_per_week"],
    )
    rows = [["**Streamgauge**, not tuned", "", *peer_cells(report["ours"]["default"]), "", "all"]]
    for peer in report["peers"]:
        if "reason" in peer:
            rows.append([peer["name"], f"not run: {peer['reason']}", *[""] * 8])
        elif peer["tuned"] is None:
            rows.append([peer["name"], f"{peer['default']['openings_per_week']:.2f}", "never so quiet", *[""] * 7])
        else:
            default = f"{peer['default']['openings_per_week']:.2f} ({peer['default']['alarm_days_per_week']:.1f})"
            shown = f"{peer['streams']} × {peer['permutations']}"
            rows.append([peer["name"], default, *peer_cells(peer["tuned"]), f"{peer['tuned']['setting']:g}", shown])
    head = "method | a week at defaults (days) | a week, tuned | days | 1 sd | 2 sd | 3 sd | 5 sd | setting | shown"
    grids = [
        f"* {peer['name']}: {', '.join(f'{item:g}' for item in peer['grid'])}"
        for peer in report["peers"]
        if "grid" in peer
    ]
    found = {name: number for peer in report["peers"] for name, number in peer.get("versions", {}).items()}
    versions = ", ".join(
        f"{name} {number}" for name, number in sorted(found.items()) if name not in ("python", "numpy")
    )
    return text + table(head, rows) + "\nGrids:\n\n" + "\n".join(grids) + f"\n\nVersions: {versions}.\n"


def peer_cells(row: dict[str, Any]) -> list[object]:
    """Return rates and delays of one setting."""
    cells = [
        "–"
        if item["missed"] is None
        else f"{hours(item['median_h'])} / {percent(item['missed'])} / {item['restricted_mean_h']:.0f}"
        for item in row["delays"].values()
    ]
    return [f"{row['openings_per_week']:.2f}", f"{row['alarm_days_per_week']:.1f}", *cells]


def delay_cells(row: dict[str, Any]) -> list[object]:
    """Return median, missed and restricted mean."""
    return [hours(row["median_h"]), percent(row["missed"]), hours(row["restricted_mean_h"])]


def hours(value: float | None) -> str:
    """Return hours; where half are missed there is no median.

    >>> hours(2.25), hours(None)
    ('2.2', '–')
    """
    return "–" if value is None else f"{value:.1f}"


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def plot(cases: dict[str, Any]) -> str:
    """Return an SVG: realised over stated, with its interval, for each environment and budget; 1 is the promise."""
    rows = [(item, b, row) for item in cases.values() for b, row in item["budget"].items()]
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
        mean, lower, upper = (value / float(b) for value in verdict(row, float(b))[:3])
        y = 44 + ROW * index
        parts += [
            f'<text x="8" y="{y + 4}">{item["name"]} {item["minutes"]} min, b = {float(b):g}</text>',
            f'<line x1="{x(lower):.1f}" x2="{x(upper):.1f}" y1="{y}" y2="{y}" stroke="{COLOURS[b]}" stroke-width="3"/>',
            f'<circle cx="{x(mean):.1f}" cy="{y}" r="5" fill="{COLOURS[b]}"/>',
        ]
    return "\n".join([*parts, "</svg>", ""])
