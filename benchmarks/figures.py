"""Every figure that is reported, with its target, and the report that holds the values.

A target was stated before anything was measured, and is never moved to where the measurement came out. Where the statement is a
word ("flat"), the number that stands for it here is said to be ours, in the unit. A figure that was not measured has no value.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = ("faust-streaming", "aiokafka", "confluent-kafka", "orjson", "msgspec", "numpy", "cramjam")
FLAT = 0.02
"""What "flat" means for memory and descriptors: the last part of a run has at most so much more than the part before."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``group`` says what measures it, ``better`` is ``higher`` or ``lower``, a target of None means: reported."""

    name: str
    group: str
    unit: str
    target: float | None
    better: str

    def met(self, value: float | None) -> bool | None:
        """Return whether a value meets the target; None where there is no target or no value.

        >>> Figure("x", "g", "ms", 2.0, "lower").met(2.5), Figure("x", "g", "ratio", 0.9, "higher").met(0.9)
        (False, True)
        """
        if value is None or self.target is None:
            return None
        return value >= self.target if self.better == "higher" else value <= self.target


def _figures(group: str, *rows: tuple[str, str, float | None, str]) -> list[Figure]:
    return [Figure(name, group, unit, target, better) for name, unit, target, better in rows]


CATALOGUE: tuple[Figure, ...] = (
    *_figures(
        "throughput",
        ("throughput_ratio", "events per CPU-second, Streamgauge / bare loop (getmany + orjson)", 0.9, "higher"),
        (
            "throughput_ratio_to_confluent",
            "events per CPU-second, Streamgauge / confluent-kafka + orjson",
            None,
            "higher",
        ),
        ("getmany_cpu", "us CPU per event, getmany alone", None, "lower"),
        ("bare_cpu", "us CPU per event, bare loop", None, "lower"),
        ("confluent_cpu", "us CPU per event, confluent-kafka + orjson, check.crcs", None, "lower"),
        ("streamgauge_cpu", "us CPU per event, all detectors on", None, "lower"),
        ("bare_rate", "events per second (wall), bare loop", None, "higher"),
        ("confluent_rate", "events per second (wall), confluent-kafka + orjson", None, "higher"),
        ("streamgauge_rate", "events per second (wall), Streamgauge", None, "higher"),
    ),
    *_figures(
        "scaling",
        ("two_workers_cpu_ratio", "events per CPU-second, two workers / one", 0.85, "higher"),
        (
            "two_workers_wall_ratio",
            "events per second (wall), two workers / one, broker on the same machine",
            None,
            "higher",
        ),
    ),
    *_figures(
        "judging",
        (
            "judge_pane",
            "ms CPU, detectors and incidents for one pane of 1,000 features (5 streams of 200)",
            2.0,
            "lower",
        ),
        ("judge_close", "ms CPU, adding up, writing and judging the same pane", None, "lower"),
        (
            "judge_core_share",
            "% of a core, 64 partitions x 1,000 features, 60 s panes, an entry a second",
            20.0,
            "lower",
        ),
        ("judge_entry", "ms CPU, one entry of 1,000 features read and folded", None, "lower"),
    ),
    *_figures(
        "scraping",
        ("metrics_page", "ms (wall), one page of 50,000 series rendered", 100.0, "lower"),
        ("metrics_loop_gap", "ms, longest time the event loop stood still during a scrape over HTTP", 5.0, "lower"),
        ("metrics_scrape", "ms (wall), one scrape of 50,000 series over HTTP", None, "lower"),
        ("metrics_first_page", "ms (wall), the first page after a start", None, "lower"),
    ),
    *_figures(
        "latency",
        ("alert_latency_p99", "s, pane close to the alert at a consumer of the topic, 99th percentile", 2.0, "lower"),
        ("alert_latency_p50", "s, the same, median", None, "lower"),
        ("alert_latency_max", "s, the same, largest", None, "lower"),
        ("alert_latency_incidents", "incidents measured", None, "higher"),
    ),
    *_figures(
        "ledger",
        ("ledger_share", "ledger bytes / input bytes, 1,000 events/s per partition, 30 features, 1 kB", 0.005, "lower"),
        ("ledger_share_learning", "the same while bins are being learned", None, "lower"),
        *(
            (
                f"ledger_day_{size}",
                f"MB of ledger per day and partition, {size} features, 1,000 events/s",
                None,
                "lower",
            )
            for size in (10, 30, 100, 200)
        ),
        ("ledger_day_idle", "MB of ledger per day and partition without records", None, "lower"),
        *(
            (f"panes_day_{size}", f"MB of panes per day and stream of {size} features", None, "lower")
            for size in (10, 30, 100, 200)
        ),
    ),
    *_figures(
        "memory",
        (
            "rss_growth",
            f"share, RSS of a worker in the last fifth of the run over the second fifth, minus 1 (flat: {FLAT})",
            FLAT,
            "lower",
        ),
        ("rss_slope", "MB per million records, the same run from its second fifth on", None, "lower"),
        ("rss_peak", "MB, largest RSS of the same run", None, "lower"),
        ("rss_records", "million records in that run (5 asked for)", 5.0, "higher"),
    ),
    *_figures(
        "day",
        (
            "day_rss_growth",
            f"share, RSS in the last quarter of a simulated day over the second, minus 1 (flat: {FLAT})",
            FLAT,
            "lower",
        ),
        ("day_descriptors_growth", "descriptors more at the end than in the second quarter (flat: 0)", 0.0, "lower"),
        ("day_panes", "panes judged in that day", None, "higher"),
    ),
    *_figures(
        "soak",
        (
            "soak_rss_growth",
            f"share, RSS in the last quarter of 20 real minutes over the second, minus 1 (flat: {FLAT})",
            FLAT,
            "lower",
        ),
        ("soak_descriptors_growth", "descriptors more in the last quarter than in the second (flat: 0)", 0.0, "lower"),
        ("soak_rss_slope", "MB per hour from the second quarter on", None, "lower"),
        ("soak_minutes", "minutes", 20.0, "higher"),
    ),
    *_figures(
        "sizing",
        *(
            (f"cpu_{shape}", f"us CPU per event end to end, {words}", None, "lower")
            for shape, words in (
                ("10_floats", "10 fractions, flat"),
                ("30_floats", "30 fractions, flat"),
                ("100_floats", "100 fractions, flat"),
                ("30_floats_nested", "30 fractions, nested"),
                ("30_ints", "30 whole numbers, flat"),
                ("30_strings", "30 strings, flat"),
                ("30_mixed", "10 fractions, 10 whole numbers, 10 strings, flat"),
            )
        ),
        ("memory_per_feature_judge", "kB RSS per feature of the judge (learned, detectors on)", None, "lower"),
        ("memory_per_feature_tap", "kB RSS per feature and partition of a tap", None, "lower"),
    ),
)
"""In the order of the report."""


class Report:
    """Attributes: values: by figure name. details: by group, whatever its rounds want to keep. load_at_start: how many processes
    wanted a core when the run began; on an idle machine it is below 0.3.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.details: dict[str, Any] = {}
        self.load_at_start = round(os.getloadavg()[0], 2)

    def add(self, group: str, values: Mapping[str, float], details: Any = None) -> None:
        """Take the values of a group.

        Raises:
            KeyError: a value that is not of this group's figures.
        """
        known = {figure.name for figure in CATALOGUE if figure.group == group}
        if not values.keys() <= known:
            raise KeyError(f"{group} has no figures named {sorted(values.keys() - known)}")
        self.values |= {name: significant(value) for name, value in values.items()}
        if details is not None:
            self.details[group] = details

    def to_dict(self) -> dict[str, Any]:
        """Return the report: every figure of the catalogue, in its order; the value of one not measured is None."""
        return {
            "figures": [_row(figure, self.values.get(figure.name)) for figure in CATALOGUE],
            "environment": {**environment(), "load_at_start": self.load_at_start},
            "details": self.details,
        }

    @staticmethod
    def load(path: Path) -> Report:
        """Return the report of a file, an empty one where there is none. Figures the catalogue does not know are left out."""
        report = Report()
        if path.exists():
            tree = json.loads(path.read_text())
            known = {figure.name for figure in CATALOGUE}
            report.values = {
                row["name"]: row["value"]
                for row in tree["figures"]
                if row["value"] is not None and row["name"] in known
            }
            report.details = tree.get("details", {})
            report.load_at_start = tree["environment"].get("load_at_start", report.load_at_start)
        return report

    def save(self, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1))

    def lines(self, groups: Iterable[str]) -> list[str]:
        """Return the figures of some groups as lines for people."""
        wanted = set(groups)
        return [_line(figure, self.values.get(figure.name)) for figure in CATALOGUE if figure.group in wanted]


def significant(value: float) -> float:
    """Return a value with four significant digits: more of them is noise.

    >>> significant(12.79423), significant(0.000123456), significant(75834.6)
    (12.79, 0.0001235, 75830.0)
    """
    return float(f"{value:.4g}")


def growth(before: float, after: float) -> float:
    """Return by what share something grew.

    >>> growth(100.0, 102.0)
    0.02
    """
    return round(after / before - 1, 6)


def environment() -> dict[str, Any]:
    """Return what the figures depend on, as far as it can be told without naming the machine."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        **{name: version(name) for name in PACKAGES},
    }


def _row(figure: Figure, value: float | None) -> dict[str, Any]:
    row = asdict(figure)
    return {"name": row["name"], "value": value, "unit": row["unit"], "target": row["target"], "better": row["better"]}


def _line(figure: Figure, value: float | None) -> str:
    shown = "not measured" if value is None else f"{value:g}"
    word = {True: "met", False: "MISSED", None: ""}[figure.met(value)]
    target = "" if figure.target is None else f"   target {figure.target:g} {word}"
    return f"{figure.name:<30} {shown:>12}  {figure.unit}{target}"
