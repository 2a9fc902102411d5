"""``streamgauge check``."""

from __future__ import annotations

import argparse
import asyncio

from stream.cluster import require, require_ours
from stream.compile import compile_plan
from stream.exits import OK
from stream.settings import Settings
from stream.showing import screen


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    plan = compile_plan(settings)
    screen().print(f"the file is right: configuration {plan.config_hash}")
    if not arguments.offline:
        brokers = ",".join(settings.kafka.brokers)
        asyncio.run(require(brokers, plan.topics))
        asyncio.run(require_ours(brokers, settings.app))
    return OK
