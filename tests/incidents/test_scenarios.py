"""The timelines of this directory, each also with a restart before every step."""

import json
from pathlib import Path

import pytest

from stream.judging.incidents import Incidents
from tests.incidents.timeline import parse, show

SCENARIOS = sorted(Path(__file__).parent.glob("*.scenario"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_person_is_told_exactly_this(path: Path) -> None:
    plan, steps = parse(path)
    incidents = Incidents(plan)
    for step in steps:
        told = [show(transition) for call in step.calls for transition in call(incidents)]
        assert told == step.expected, step.text


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_a_restart_before_every_step_changes_nothing(path: Path) -> None:
    plan, steps = parse(path)
    calls = [call for step in steps for call in step.calls]
    calm, shaken = Incidents(plan), Incidents(plan)
    for call in calls:
        saved = json.dumps(shaken.state())
        shaken = Incidents(plan)
        shaken.restore(json.loads(saved))
        assert call(shaken) == call(calm)
        assert shaken.state() == calm.state()
