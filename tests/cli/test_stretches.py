"""Which records of a topic `explain` reads for its segments: the change, and the same time before it where the topic holds it."""

from __future__ import annotations

import asyncio

import pytest

from stream.commands import stretches
from stream.commands.stretches import DAY_MS, Stretch, Take, read_both
from stream.demo.broker import EmbeddedBroker
from stream.exits import Refusal
from tests.brokers.admin import Row, create_topic, produce, unique
from tests.brokers.kafka import Kafka

BEGIN, HOUR = 1_767_571_200_000, 3_600_000
CHANGE = (BEGIN, BEGIN + HOUR)


def topic(address: str, backs: list[int], each: int = 60, size: int = 2) -> str:
    """Return a topic of two partitions with an hour of records so long before the change, for each of some times."""
    name = unique("stretches")
    rows = [
        Row(b"{" + b" " * (size - 2) + b"}", None, i % 2, BEGIN - back + i * HOUR // each)
        for back in sorted(backs, reverse=True)
        for i in range(each)
    ]
    asyncio.run(create_topic(address, name, 2, retention_ms="-1"))
    asyncio.run(produce(address, name, rows))
    return name


def read(address: str, name: str) -> tuple[tuple[Stretch, Stretch], list[list[int]]]:
    """Return the stretches, and the offsets that were read of each."""
    taken: list[list[int]] = [[], []]

    def taking(*both: Stretch) -> Take:
        return lambda which, records: taken[which].extend(record.offset for record in records)

    return asyncio.run(read_both(address, name, CHANGE, 10_000, taking)), taken


@pytest.mark.parametrize(
    ("backs", "said"),
    [
        ([8 * DAY_MS, 7 * DAY_MS, DAY_MS, HOUR, 0], "one week earlier"),
        ([7 * DAY_MS, DAY_MS, HOUR, 0], "one day earlier"),
        ([DAY_MS, HOUR, 0], "just before it began"),
        ([HOUR, 0], "just before it began"),
    ],
)
def test_it_is_compared_with_what_the_topic_holds_as_a_whole(
    broker: Kafka | EmbeddedBroker, backs: list[int], said: str
) -> None:
    """A stretch at the beginning of the topic may have been cut off by retention."""
    (before, now), taken = read(broker.address, topic(broker.address, backs))
    assert (before.said, before.held, before.read, now.read) == (said, 60, 60, 60)
    assert [len(part) for part in taken] == [60, 60]


def test_a_sample_lies_evenly_over_partitions_and_time(
    broker: Kafka | EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stretches, "MOST", 80)
    monkeypatch.setattr(stretches, "PER_PIECE", 100)
    name = topic(broker.address, [HOUR, 0], each=400)
    (before, now), (_, offsets) = read(broker.address, name)
    assert (before.held, now.held, now.read) == (400, 400, 40)
    assert min(offsets) == 200
    assert 350 < max(offsets) < 400
    gaps = {b - a for a, b in zip(sorted(set(offsets)), sorted(set(offsets))[1:], strict=False)}
    assert max(gaps) < 50, "no part of the hour is left out"


def test_what_is_read_is_bounded_in_bytes_too(broker: Kafka | EmbeddedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic of large records: less of each piece, and every piece; what one fetch brings may lie above the bound."""
    monkeypatch.setattr(stretches, "MOST_BYTES", 4 << 20)
    monkeypatch.setattr(stretches, "PER_PIECE", 100)
    name = topic(broker.address, [HOUR, 0], each=400, size=50_000)
    (before, now), (_, offsets) = read(broker.address, name)
    assert (before.held, now.held) == (400, 400)
    assert 0 < 50_000 * (before.read + now.read) <= (4 << 20) + 10 * (1 << 18)
    assert max(offsets) > 350, "the last piece is there"


@pytest.mark.parametrize(
    ("backs", "said"),
    [
        ([0], "holds nothing from before 2026-01-05 00:00Z any more"),
        ([DAY_MS], "holds no record from 2026-01-05 00:00Z to 2026-01-05 01:00Z any more"),
    ],
)
def test_what_is_gone_is_said(broker: Kafka | EmbeddedBroker, backs: list[int], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        read(broker.address, topic(broker.address, backs))


def test_a_topic_that_is_gone_is_not_created(broker: Kafka | EmbeddedBroker) -> None:
    with pytest.raises(Refusal, match="topic never-there is not there any more"):
        read(broker.address, "never-there")
