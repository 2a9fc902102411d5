"""Waiting for a cluster that may come back, by one rule. What cannot come back (retention, another format) is raised at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError

log = logging.getLogger(__name__)

TRANSIENT = (KafkaError, OSError, TimeoutError)
RETRY_S = 1.0

T = TypeVar("T")


async def patiently(what: str, call: Callable[[], Awaitable[T]]) -> T:
    """Return what a call returns, as soon as it works. ``what`` cannot be done meanwhile, for the log."""
    while True:
        try:
            return await call()
        except TRANSIENT as error:
            log.warning("cannot %s, trying again: %s", what, error or type(error).__name__)
            await asyncio.sleep(RETRY_S)
