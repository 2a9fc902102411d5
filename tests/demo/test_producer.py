"""The producer against a broker: every record once, in order, with the timestamp of its flight."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.demo.broker import BrokerMissingError, EmbeddedBroker
from stream.demo.faults import schedule
from stream.demo.producer import Producer
from stream.demo.run import PARTITIONS, _create_topics
from stream.demo.timeline import FEATURES, PREDICTIONS, TOPICS, Timeline


@pytest.fixture
def brokers() -> Iterator[str]:
    try:
        broker = EmbeddedBroker().start()
    except BrokerMissingError as error:
        pytest.skip(str(error))
    yield broker.address
    broker.stop()


async def _consumed(brokers: str, topic: str) -> list[list[tuple[str, int, bytes]]]:
    """Return (key, timestamp, value) of every record, by partition, read until no more comes.

    The end offsets are not asked: those of the embedded broker only know the first record of the newest batch.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        found: list[list[tuple[str, int, bytes]]] = [[] for _ in range(PARTITIONS)]
        while fetched := await consumer.getmany(timeout_ms=500):
            for partition, records in fetched.items():
                found[partition.partition] += [(r.key.decode(), r.timestamp, r.value) for r in records]
        return found
    finally:
        await consumer.stop()


def test_history_and_live_part_meet_without_a_gap(brokers: str, small_timeline: Timeline) -> None:
    timeline = small_timeline
    now = timeline.begin_ms + 30_000
    end = now + 1500

    async def produce() -> Producer:
        nonlocal now
        await _create_topics(brokers)
        await _create_topics(brokers)  # topics that exist already are taken as they are
        async with Producer(brokers, timeline, now=lambda: now) as producer:
            await producer.preload()
            live = asyncio.create_task(producer.live())
            while producer.sent_ms < end:
                now = min(now + 100, end)
                await asyncio.sleep(0.02)
            live.cancel()
        return producer

    producer = asyncio.run(produce())
    for topic in TOPICS:
        expected = list(timeline.between(topic, timeline.begin_ms, end))
        found = asyncio.run(_consumed(brokers, topic))
        assert all(rows for rows in found), "both partitions are used"
        assert all([row[1] for row in rows] == sorted(row[1] for row in rows) for rows in found)
        assert {row for rows in found for row in rows} == {
            (record.key, record.timestamp_ms, orjson.dumps(record.value)) for record in expected
        }
        assert sum(map(len, found)) == producer.sent[topic] == len(expected)


def test_faults_change_what_is_sent_and_nothing_before_or_after(brokers: str, small_timeline: Timeline) -> None:
    timeline = small_timeline
    begin = timeline.begin_ms
    one = {fault.name: fault for fault in schedule(1, 0)}
    silent = replace(one["predictions silent"], start_ms=begin + 4000, end_ms=begin + 9000)
    cut = replace(one["unreadable records"], start_ms=begin + 12_000, end_ms=begin + 14_000)

    async def produce() -> None:
        await _create_topics(brokers)
        async with Producer(brokers, timeline, now=lambda: begin + 20_000) as producer:
            producer.faults = (silent, cut)
            await producer.preload()

    asyncio.run(produce())
    times = [row[1] - begin for rows in asyncio.run(_consumed(brokers, PREDICTIONS)) for row in rows]
    assert not [ms for ms in times if 4000 <= ms < 9000]
    assert min(times) < 4000
    assert max(times) >= 9000
    broken = [
        row[1] - begin for rows in asyncio.run(_consumed(brokers, FEATURES)) for row in rows if row[2][-1:] != b"}"
    ]
    assert broken
    assert all(12_000 <= ms < 14_000 for ms in broken)
