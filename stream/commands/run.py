"""``streamgauge run``: one worker, until it is stopped."""

from __future__ import annotations

import argparse

from stream import app
from stream.commands.presence import meant
from stream.config.compile import compile_plan
from stream.config.settings import Settings


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run a worker; return its exit code.

    Raises:
        Refusal: a missing topic or right, or a broker that went away during the start.
    """
    with meant(",".join(settings.kafka.brokers), compile_plan(settings).topics):
        return app.run(settings, _timing(arguments))


def _timing(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the times of the consumer group that tests shorten, under the names of `stream.kafka.transport.make_app`."""
    timing: dict[str, float] = {}
    if arguments.session_timeout is not None:
        timing |= {"session_timeout": arguments.session_timeout, "heartbeat": arguments.session_timeout / 3}
    if arguments.rebalance_timeout is not None:
        timing["rebalance_timeout"] = arguments.rebalance_timeout
    return timing
