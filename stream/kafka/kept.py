"""The coarse panes that the topic ``panes`` has kept: what learning, explaining and drawing read."""

from __future__ import annotations

from collections.abc import AsyncIterator

from stream.codec import FormatError, UnknownFormatError, unpack
from stream.gathering import DAY_MS, Kept
from stream.kafka.tail import Tail


async def kept_panes(brokers: str, app: str, length_ms: int, since_ms: int) -> AsyncIterator[Kept]:
    """Yield the coarse panes from an event time on, as they were written: after a crash one may come twice.

    Those of another length, from before the configuration was changed, are passed over.

    A pane is written after its event time is over, except for clocks that run ahead by some hours at most: none asked for
    was written a day before ``since_ms``.
    """
    tail = Tail(brokers, f"{app}.panes")
    try:
        begin = await tail.start()
        tail.go_to(max(begin, await tail.since(since_ms - DAY_MS)))
        end = await tail.end()
        while await tail.position() < end:
            for _, key, value in await tail.read():
                if value is None or key is None or b"/coarse/" not in key:
                    continue
                try:
                    header, body = unpack(value)
                except UnknownFormatError:
                    raise
                except FormatError:
                    continue  # as the judge does with a damaged record of the ledger
                if header["length"] == length_ms and (header["index"] + 1) * length_ms > since_ms:
                    yield Kept.of(header, body)
    finally:
        await tail.stop()
