"""The process: clocks, signals, logging, the HTTP pages, one worker. Nothing below this file reads a clock."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
import time
from typing import Any

from stream.clock import Clocks
from stream.codec import UnknownFormatError
from stream.config.compile import compile_plan
from stream.config.settings import Settings
from stream.exits import CONFIGURATION, Refusal
from stream.serving.web import serve
from stream.worker import Worker

QUIET_S = 10.0

CLOCKS = Clocks(time.monotonic, time.time)
"""The real ones. Whoever needs a clock is handed these."""


def run(settings: Settings, timing: dict[str, Any] | None = None) -> int:
    """Run one worker until a signal or an end of its own; return the exit code.

    Args:
        settings: the configuration file, checked. timing: session and rebalance times for the group (see `make_app`).

    Raises:
        Refusal: a topic or a right is missing, the broker went away during the start, or the port of the pages is in use.
    """
    _log()
    spare_the_collector()
    return asyncio.run(_run(settings, timing))


def spare_the_collector() -> None:
    """Have the garbage collector look rarely: a million short-lived dicts a second hold no cycles, scanning them is waste."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


async def _run(settings: Settings, timing: dict[str, Any] | None) -> int:
    worker = Worker(
        compile_plan(settings),
        ",".join(settings.kafka.brokers),
        settings.key.secret,
        settings.start == "earliest",
        CLOCKS,
        timing,
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, worker.stop)
    try:
        runner = await serve(worker.registry, worker, settings.web.host, settings.web.port, settings.web.insecure)
    except OSError as error:
        where = f"{settings.web.host}:{settings.web.port}"
        reason = (error.strerror or "unknown reason").lower()
        raise Refusal(
            f"web.port: {where} cannot be used: {reason} (another worker on this host?). Set web: {{port: ...}}, 0 for any",
            CONFIGURATION,
        ) from None
    worker.address = "http://{}:{}".format(*runner.addresses[0][:2])
    try:
        return await worker.run()
    except UnknownFormatError as error:
        raise Refusal(
            f"app: {worker.plan.app}: its topics were written by another release ({error}). Run that release, "
            "or give `app:` a new name, which starts a new history",
            CONFIGURATION,
        ) from None
    finally:
        await runner.cleanup()


def _log() -> None:
    """Our own lines from INFO on; those of the libraries from WARNING on: their INFO repeats ours in other words."""
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_Sparse())
    logging.getLogger("stream").setLevel(logging.INFO)
    logging.getLogger("stream.kafka.hooks").setLevel(logging.WARNING)


class _Sparse(logging.Filter):
    """Lets one line of each library logger through in 10 s: without a broker the client repeats itself 200 times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("stream."):
            return True
        now = time.monotonic()
        allowed = now - self._last.get(record.name, -QUIET_S) >= QUIET_S
        if allowed:
            self._last[record.name] = now
        return allowed
