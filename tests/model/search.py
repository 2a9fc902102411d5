"""Run the machine over one protocol and say what was found."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import LedgerMachine
from tests.model.variants import Protocol

STEPS = 60


@dataclass(frozen=True)
class Found:
    """What a search ended with: how many examples it took, and the broken promise; None when all of them held."""

    examples: int
    promise: str | None


def search(protocol: Protocol, examples: int, seed: int, shrink: bool = False) -> Found:
    """Run the machine until a promise breaks, for at most about so many examples.

    Only an AssertionError is a broken promise; any other error is a mistake of the model and is raised. The counterexample
    is shrunk only when a person wants to read it: `examples` then includes the shrinking.
    """
    machine: type[LedgerMachine] = type("Machine", (LedgerMachine,), {"protocol": protocol, "examples": 0})
    phases = [Phase.generate, *([Phase.shrink] if shrink else [])]
    found = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        phases=phases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(seeded(seed)(machine), settings=found)
    except AssertionError as error:
        notes = getattr(error, "__notes__", [])
        return Found(machine.examples, "\n".join([str(error), *(notes if shrink else [])]))
    return Found(machine.examples, None)
