"""A bounded sample of a topic over two stretches of time: a change, and what it is compared with.

A plain consumer without a group, as `stream.commands.sampling`: nothing is written, no worker notices. What is read is bounded in
records, bytes and seconds and lies evenly over partitions and time, also where the seconds run out: pieces are read in an order
in which any first few of them are spread. Each has its part of the bytes, held alone: of large records less of each is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from stream.commands.sampling import PATIENCE_S, read_to
from stream.exits import NO_INPUT, Refusal
from stream.explaining import when
from stream.kafka.cluster import denied, describe, unreachable
from stream.kafka.inflate import Limit

MOST = 200_000
"""Records read in all."""
MOST_BYTES = 256 << 20
"""Bytes read in all; a fetch more for each piece."""
LONGEST_S = 30.0
"""Seconds after which no further piece is begun."""
PIECES = 16
PER_PIECE = 2_000
"""Fewer records than this are not cut into pieces."""
DAY_MS = 86_400_000

Ends = dict[TopicPartition, tuple[int, int]]


@dataclass
class Stretch:
    """One stretch of time. Attributes: begin, end: event time (ms). said: which one it is. held: offsets the topic has of it.
    read: records.
    """

    begin: int
    end: int
    said: str
    held: int = 0
    read: int = 0


Take = Callable[[int, list[Any]], None]
"""Takes records of one partition of the stretch before (0) or of the change (1)."""


async def read_both(
    brokers: str, topic: str, change: tuple[int, int], late_ms: int, take: Callable[[Stretch, Stretch], Take]
) -> tuple[Stretch, Stretch]:
    """Read samples of the stretch to compare with, and of the change; return what was read of them.

    Args:
        late_ms: how long after its event time a record may have been written.
        take: is given both stretches once they are known, and returns what takes their records.

    Raises:
        Refusal: the topic is gone, may not be read, or holds nothing of one of the stretches.
    """
    partitions = (await describe(brokers, [topic])).get(topic)
    if partitions is None:
        raise Refusal(f"topic {topic} is not there any more", NO_INPUT)
    Limit().install()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
        max_partition_fetch_bytes=1 << 18,
    )
    try:
        await consumer.start()
        tps = [TopicPartition(topic, partition) for partition in range(partitions)]
        consumer.assign(tps)
        both, places = await _chosen(consumer, tps, change, late_ms)
        await _read(consumer, both, places, take(*both))
        return both
    except TopicAuthorizationFailedError as error:
        raise denied(error) from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await consumer.stop()


async def _chosen(
    consumer: AIOKafkaConsumer, tps: list[TopicPartition], change: tuple[int, int], late_ms: int
) -> tuple[tuple[Stretch, Stretch], tuple[Ends, Ends]]:
    """Return the stretches and where they lie: the first one to compare with that the topic holds as a whole."""
    begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    begin, end = change
    length = end - begin

    async def placed(begin: int, end: int) -> Ends:
        at = [await consumer.offsets_for_times(dict.fromkeys(tps, max(ms, 0))) for ms in (begin, end)]
        low, high = ({tp: ends[tp] if item[tp] is None else item[tp].offset for tp in tps} for item in at)
        return {tp: (low[tp], high[tp]) for tp in tps if low[tp] < high[tp]}

    now = await placed(begin, end + late_ms)
    if not now:
        raise Refusal(f"topic {tps[0].topic} holds no record from {when(begin)} to {when(end)} any more", NO_INPUT)
    for back, said in ((7 * DAY_MS, "one week earlier"), (DAY_MS, "one day earlier"), (length, "just before it began")):
        before = await placed(begin - back, min(end - back + late_ms, begin))
        whole = all(low > begins[tp] for tp, (low, _) in before.items()) or back == length
        if length <= back and before and whole:
            stretches = Stretch(begin - back, end - back, said), Stretch(begin, end, "of the change")
            return stretches, (before, now)
    raise Refusal(f"topic {tps[0].topic} holds nothing from before {when(begin)} any more", NO_INPUT)


async def _read(
    consumer: AIOKafkaConsumer, both: tuple[Stretch, Stretch], places: tuple[Ends, Ends], take: Take
) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + LONGEST_S
    for stretch, ends in zip(both, places, strict=True):
        stretch.held = sum(high - low for low, high in ends.values())
    pieces = min(PIECES, 1 + max(stretch.held for stretch in both) // PER_PIECE)
    for piece in sorted(range(pieces), key=lambda k: f"{k:04b}"[::-1]):
        for which, ends in enumerate(places):
            if (left := deadline - loop.time()) <= 0:
                return
            wanted = {tp: _piece(*span, MOST // 2 // len(ends), pieces, piece) for tp, span in ends.items()}
            for tp, (low, _) in wanted.items():
                consumer.seek(tp, low)
            highs = {tp: high for tp, (_, high) in wanted.items()}
            found = await read_to(consumer, highs, min(PATIENCE_S, left), MOST_BYTES / 2 / pieces)
            for tp, records in found.items():
                inside = [record for record in records if record.offset < wanted[tp][1]]
                both[which].read += len(inside)
                if inside:
                    take(which, inside)


def _piece(low: int, high: int, most: int, pieces: int, piece: int) -> tuple[int, int]:
    """Return the offsets of one of so many pieces that lie evenly and hold ``most`` records together.

    >>> [_piece(100, 200, 1000, 2, piece) for piece in (0, 1)]
    [(100, 150), (150, 200)]
    >>> [_piece(100, 200, 10, 2, piece) for piece in (0, 1)]
    [(100, 105), (150, 155)]
    """
    begin, end = (low + (high - low) * k // pieces for k in (piece, piece + 1))
    return begin, min(end, begin + max(most // pieces, 1))
