"""Just enough of PromQL to see which metrics and labels an expression names. Syntax is promtool's business."""

from __future__ import annotations

import re
from dataclasses import dataclass

from stream.serving.metrics import CATALOGUE

TARGET_LABELS = {"job", "instance"}
NOT_OURS = {
    "up": TARGET_LABELS,
    "ALERTS": {"alertname", "alertstate", "model", "check", "subject", "severity"},
}
LABELS = {metric.name: {*metric.labels, *TARGET_LABELS} for metric in CATALOGUE} | NOT_OURS
COUNTERS = {metric.name for metric in CATALOGUE if metric.kind == "counter"}
WORDS = {
    "abs",
    "absent",
    "and",
    "by",
    "changes",
    "count",
    "increase",
    "max",
    "max_over_time",
    "min",
    "min_over_time",
    "or",
}
WORDS |= {"rate", "sum", "time", "topk", "vector"}


@dataclass(frozen=True)
class Names:
    """What an expression names: metrics, labels in selectors as (metric, label), labels in ``by (...)``."""

    metrics: set[str]
    selected: set[tuple[str, str]]
    kept: set[str]


def names(expression: str) -> Names:
    """Read an expression; whatever is no known word, number or label counts as a metric."""
    plain = re.sub(r'"(\\.|[^"\\])*"', '""', expression)
    selected = {
        (metric, label)
        for metric, body in re.findall(r"(\w+)\s*\{([^}]*)\}", plain)
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", body)
    }
    kept = {label for body in re.findall(r"\bby\s*\(([^)]*)\)", plain) for label in re.findall(r"\w+", body)}
    rest = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\bby\s*\([^)]*\)", " ", plain)
    return Names(set(re.findall(r"[A-Za-z_]\w*", rest)) - WORDS, selected, kept)


def problems(expression: str) -> list[str]:
    """Return what an expression says that the catalogue does not."""
    found = names(expression)
    wrong = [f"unknown metric {metric}" for metric in sorted(found.metrics - set(LABELS))]
    known = found.metrics & set(LABELS)
    wrong += [
        f"{metric} has no label {label}" for metric, label in found.selected if label not in LABELS.get(metric, ())
    ]
    wrong += [
        f"no metric here has the label {label}" for label in found.kept if not any(label in LABELS[m] for m in known)
    ]
    for metric in known:
        if (metric in COUNTERS) != bool(re.search(rf"\b(rate|increase)\(\s*{metric}\b", expression)):
            wrong.append(f"{metric}: counters stand under rate() or increase(), and nothing else does")
    return wrong
