"""The process in which references are learned: a frame in, a frame out, so that a slow fit never delays a judge.

``lesson``: the first reference of some streams, from panes that come with the frame. ``night``: a recalibration, from the
coarse panes that the topic ``panes`` has kept.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from stream.codec import pack, unpack
from stream.gathering import DAY_MS
from stream.kafka.kept import kept_panes
from stream.learn import learn_references
from stream.recalibrate import EPOCH, REACH_DAYS, Night

NICE = 10


async def night(lesson: dict[str, Any], brokers: str, app: str) -> dict[str, Any]:
    """Return the reference for the next day."""
    work = Night(lesson)
    async for pane in kept_panes(brokers, app, lesson["coarse_ms"], (lesson["day"] - EPOCH - REACH_DAYS - 1) * DAY_MS):
        work.add(pane)
    return work.reference()


def main() -> None:
    """Read a frame from standard input, write one to standard output."""
    os.nice(NICE)
    header, body = unpack(sys.stdin.buffer.read())
    if header["kind"] == "night":
        learned = asyncio.run(night(body, header["brokers"], header["app"]))
    else:
        learned = learn_references(body)
    sys.stdout.buffer.write(pack({"kind": "reference"}, learned))


if __name__ == "__main__":
    main()
