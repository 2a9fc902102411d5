"""The newest records of a topic, and how many it gets: what ``streamgauge check`` looks at before anything runs.

A plain consumer without a group: looking must not take a partition away from a worker, nor leave a committed offset.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CorruptRecordException, KafkaError, TopicAuthorizationFailedError

from stream.batch import RecordBatch
from stream.clock import Clocks
from stream.commands.pace import HOUR_MS, Looked, Pace, pace
from stream.kafka.cluster import denied, unreachable
from stream.kafka.inflate import Limit

PATIENCE_S = 5.0
"""How long to wait for records that should be there: the end of a transaction leaves offsets without a record."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Attributes: partitions: of the topic. batches: the newest records, one batch per partition that has any. kept: offsets
    the topic holds. last_hour: offsets that were written in the last hour. pace: how many come.
    """

    topic: str
    partitions: int
    batches: tuple[RecordBatch, ...]
    kept: int
    last_hour: int
    pace: Pace


async def sample(brokers: str, topics: Mapping[str, int], count: int, clocks: Clocks) -> dict[str, Sample]:
    """Return a sample of each topic.

    Args:
        topics: partition count of each. count: records wanted of a topic, shared over its partitions.
        clocks: the wall clock is read after the records, so that none of them lies in the future.

    Raises:
        ClusterError: no right to read, or no broker answers.
    """
    Limit().install()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        return {topic: await _sample(consumer, topic, topics[topic], count, clocks) for topic in topics}
    except TopicAuthorizationFailedError as error:
        raise denied(error) from None
    except (KafkaError, OSError, TimeoutError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await consumer.stop()


async def _sample(consumer: AIOKafkaConsumer, topic: str, partitions: int, count: int, clocks: Clocks) -> Sample:
    tps = [TopicPartition(topic, partition) for partition in range(partitions)]
    consumer.assign(tps)
    begins, listed = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
    share = -(-count // partitions)
    for tp in tps:
        consumer.seek(tp, max(begins[tp], listed[tp] - share))
    found = await read_to(consumer, listed)
    # The embedded broker lists an end that lies inside the last batch; what a fetch says is the end indeed.
    ends = {tp: max(listed[tp], consumer.highwater(tp) or 0) for tp in tps}
    now_ms = clocks.wall_ms
    recent = await consumer.offsets_for_times(dict.fromkeys(tps, now_ms - HOUR_MS))
    hour_ago = {tp: ends[tp] if at is None else at.offset for tp, at in recent.items()}
    looked = [
        Looked(tuple(record.timestamp for record in found[tp]), ends[tp] - hour_ago[tp], hour_ago[tp] > begins[tp])
        for tp in tps
    ]
    return Sample(
        topic,
        partitions,
        tuple(batch_of(records, ends[tp]) for tp, records in found.items() if records),
        sum(ends[tp] - begins[tp] for tp in tps),
        sum(part.last_hour for part in looked),
        pace(looked, now_ms),
    )


async def read_to(
    consumer: AIOKafkaConsumer,
    ends: dict[TopicPartition, int],
    patience_s: float = PATIENCE_S,
    most_bytes: float = math.inf,
) -> dict[TopicPartition, list[Any]]:
    """Read to these ends, to the first batch of a partition that cannot be unpacked, or until it is so much in all.

    Args:
        most_bytes: after which nothing more is fetched; what one fetch brought may lie above it.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience_s
    found: dict[TopicPartition, list[Any]] = {tp: [] for tp in ends}
    waiting, read = set(ends), 0
    while waiting and loop.time() < deadline:
        for tp in sorted(waiting):
            if read >= most_bytes:
                return found
            if await consumer.position(tp) >= ends[tp]:
                waiting.remove(tp)
                continue
            try:
                records = (await consumer.getmany(tp, timeout_ms=50)).get(tp, [])
                found[tp] += records
                read += sum(map(_bytes, records))
            except CorruptRecordException:
                waiting.remove(tp)
            except KafkaError:
                raise
            except Exception:  # whatever the parsers and codecs raise over damaged bytes, or a bomb
                waiting.remove(tp)
    return found


def _bytes(record: Any) -> int:
    parts = (record.key, record.value, *(value for _, value in record.headers))
    return sum(len(part) for part in parts if part is not None)


def batch_of(found: list[Any], end: int = 0) -> RecordBatch:
    """Return records of one partition as the columns that are decoded. Args: end: end offset of the partition."""
    return RecordBatch(
        found[0].topic,
        found[0].partition,
        found[0].offset,
        found[-1].offset + 1,
        end,
        [record.offset for record in found],
        [record.timestamp for record in found],
        [record.key for record in found],
        [record.value for record in found],
        [tuple(record.headers) for record in found],
    )
