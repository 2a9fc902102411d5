"""``streamgauge check``: is the file right, is the cluster right, and what do its records look like to us?"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator

from rich.text import Text

from stream.commands.showing import number, screen
from stream.config.compile import compile_plan
from stream.config.hash_key import NO_KEY
from stream.config.settings import Settings
from stream.exits import OK
from stream.plan import Plan


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Check a configuration and print what was found.

    Raises:
        Refusal: no broker, a missing topic, a missing right.
    """
    plan = compile_plan(settings)
    out = screen()
    out.print(_file(plan))
    for line in _weights(plan):
        out.print(line)
    warnings = list(_of_file(plan))
    if not arguments.offline:
        # Loaded only now: who validates files in an editor or a pipeline must not wait for Kafka clients and statistics.
        inspecting, app = (importlib.import_module(name) for name in ("stream.commands.inspecting", "stream.app"))
        found = inspecting.inspect(settings, plan, app.CLOCKS, not arguments.no_values)
        for line in found.lines:
            out.print(line)
        warnings += found.warnings
    out.print()
    out.print(Text("no warnings" if not warnings else number(len(warnings), "warning"), "bold"))
    for warning in warnings:
        out.print(Text.assemble(("  ! ", "yellow"), warning))
    return OK


def _file(plan: Plan) -> str:
    return (
        f"the file is right: {number(len(plan.models), 'model')}, {number(len(plan.streams), 'stream')}, "
        f"{number(len(plan.topics), 'topic')}; configuration {plan.config_hash}"
    )


def _weights(plan: Plan) -> Iterator[str]:
    """Say which models were given more or less of the false-alarm budget, where any was."""
    stated = [f"{model.name} {model.weight:g}" for model in plan.models if model.weight != 1.0]
    if stated:
        others = ", the others 1" if len(stated) < len(plan.models) else ""
        yield f"weight in the false-alarm budget, from the next night on: {', '.join(stated)}{others}"


def _of_file(plan: Plan) -> Iterator[str]:
    if plan.hash_key_id == NO_KEY:
        yield (
            "hash_key: not stated, so whoever reads our topics and knows the name of the application can try out "
            "category values and codes; state {env: NAME} or {file: PATH}"
        )
