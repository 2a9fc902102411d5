"""The catalogue keeps the naming rules of Prometheus."""

from __future__ import annotations

import re

from stream.serving import metrics
from stream.serving.metrics import CATALOGUE, process_samples

TARGET_LABELS = {
    "job",
    "instance",
    "service",
    "env",
    "environment",
    "stage",
    "region",
    "cluster",
    "owner",
    "customer",
    "type",
}
UNITS = {"s": "_seconds", "bytes": "_bytes", "records": "_records"}


def test_names_are_unique_and_prefixed() -> None:
    names = [metric.name for metric in CATALOGUE]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"(streamgauge|process)_[a-z_]+", name) for name in names)


def test_only_counters_end_in_total() -> None:
    assert all((metric.kind == "counter") == metric.name.endswith("_total") for metric in CATALOGUE)


def test_a_unit_stands_in_the_name() -> None:
    for metric in CATALOGUE:
        unit = UNITS.get(metric.unit, "")
        assert unit.strip("_") in metric.name, metric.name


def test_points_in_time_are_exported_and_never_ages() -> None:
    assert not [
        metric.name for metric in CATALOGUE if "age" in metric.name.split("_") or "delay" in metric.name.split("_")
    ]


def test_no_label_collides_with_those_a_scrape_adds() -> None:
    assert not [metric.name for metric in CATALOGUE if TARGET_LABELS & set(metric.labels)]


def test_every_metric_says_what_it_is_and_how_workers_add_up() -> None:
    for metric in CATALOGUE:
        assert metric.help.endswith("."), metric.name
        assert "\n" not in metric.help, metric.name
        assert metric.aggregate in ("sum", "max", "min"), metric.name


def test_features_stand_last_because_a_full_page_cuts_from_the_end() -> None:
    ours = [metric for metric in CATALOGUE if metric.name.startswith("streamgauge_")]
    assert ours[-2:] == [metrics.FEATURE_STATE, metrics.FEATURE_STATISTIC]
    assert ours[0] == metrics.INCIDENT


def test_the_process_reports_its_memory_and_start() -> None:
    values = {metric.name: value for metric, labels, value in process_samples() if not labels}
    assert values["process_resident_memory_bytes"] > 1e6
    assert values["process_start_time_seconds"] > 1.6e9
