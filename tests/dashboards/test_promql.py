"""The reader of expressions finds what it is there to find."""

from __future__ import annotations

import pytest

from tests.dashboards.promql import problems


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("max(streamgauge_judge) > 0", []),
        ("sum by (stream) (rate(streamgauge_records_total[5m]))", []),
        ("max(streamgauge_jugde)", ["unknown metric streamgauge_jugde"]),
        ('streamgauge_stalled{topc="t"}', ["streamgauge_stalled has no label topc"]),
        ("max by (feature) (streamgauge_stalled)", ["no metric here has the label feature"]),
        (
            "streamgauge_rebalances_total > 3",
            ["streamgauge_rebalances_total: counters stand under rate() or increase(), and nothing else does"],
        ),
        (
            "rate(streamgauge_judge[5m])",
            ["streamgauge_judge: counters stand under rate() or increase(), and nothing else does"],
        ),
    ],
)
def test_expressions_are_held_against_the_catalogue(expression: str, found: list[str]) -> None:
    assert problems(expression) == found
