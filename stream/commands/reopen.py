"""``streamgauge reopen``: an operator moves the monitor's position by a record in the ledger.

Offsets of the consumer group change nothing: the ledger alone says where reading goes on. A running worker goes there within
seconds, one that is started later starts there.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream.commands.showing import screen
from stream.commands.writing import run, writer
from stream.config.compile import compile_plan
from stream.config.errors import did_you_mean
from stream.config.settings import Settings
from stream.exits import NO_INPUT, OK, TRY_AGAIN, USAGE, Refusal
from stream.kafka.cluster import require, require_ours
from stream.ledger import Fold, open_header

MAX_WHY = 200


@dataclass(frozen=True, slots=True)
class Move:
    """Attributes: partition: of the topic. before, to: positions. end: of the partition. inc: incarnation that begins."""

    partition: int
    before: int
    to: int
    end: int
    inc: int

    def __str__(self) -> str:
        n = abs(self.to - self.before)
        if n == 0:
            return f"already at {self.to}"
        records = "1 record is" if n == 1 else f"{n} records are"
        if self.to > self.before:
            return f"{self.before} -> {self.to}: {records} skipped and counted as lost"
        return f"{self.before} -> {self.to}: {records} read again; panes that are closed do not change"


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Move the position of one partition of a topic, or of all of them.

    Raises:
        Refusal: the topic is not watched, the offset is not there, the monitor has not begun, or somebody else moved it just now.
    """
    plan, topic = compile_plan(settings), arguments.topic
    if topic not in plan.topics:
        near = did_you_mean(topic, plan.topics)
        raise Refusal(f"--topic {topic}: not watched by {plan.app}{f'; did you mean {near}?' if near else ''}", USAGE)
    if not 0 < len(arguments.why) <= MAX_WHY or not arguments.why.isprintable():
        raise Refusal(f"--why: expected 1 to {MAX_WHY} printable characters: they stand in the alert", USAGE)
    brokers = ",".join(settings.kafka.brokers)
    moves = run(brokers, _reopen(brokers, plan.app, topic, arguments.partition, arguments.at, arguments.why))
    for move in moves:
        screen().print(f"{topic}/{move.partition}: {move}")
    return OK


async def _reopen(brokers: str, app: str, topic: str, partition: int | None, at: str, why: str) -> list[Move]:
    counts = await require(brokers, [topic])
    await require_ours(brokers, app)
    if partition is not None and partition >= counts[topic]:
        raise Refusal(f"--partition {partition}: {topic} has {counts[topic]}, from 0", USAGE)
    if at.isdecimal() and partition is None and counts[topic] > 1:
        raise Refusal(f"--at {at}: name its --partition, {topic} has {counts[topic]}", USAGE)
    wanted = range(counts[topic]) if partition is None else [partition]
    async with writer(brokers, app) as ledger:
        offsets = await _offsets(brokers, topic, wanted)
        moves = [_move(ledger.fold, topic, number, at, *offsets[number]) for number in wanted]
        for move in (move for move in moves if move.to != move.before):
            key = (topic, move.partition)
            header = open_header(key, move.inc, move.to, move.end, why=why)
            if not await ledger.write(f"{key[0]}/{key[1]}".encode(), header):
                raise Refusal(
                    f"{topic}/{move.partition}: somebody else moved it just now; look and try again", TRY_AGAIN
                )
    return moves


async def _offsets(brokers: str, topic: str, partitions: Any) -> dict[int, tuple[int, int]]:
    """Return the first retained and the end offset of each partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        tps = [TopicPartition(topic, number) for number in partitions]
        begins, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        return {tp.partition: (begins[tp], ends[tp]) for tp in tps}
    finally:
        await consumer.stop()


def _move(fold: Fold, topic: str, partition: int, at: str, begin: int, end: int) -> Move:
    position = fold.positions.get((topic, partition))
    if position is None:
        raise Refusal(f"{topic}/{partition}: the monitor has not begun to read it", NO_INPUT)
    to = {"earliest": begin, "end": end}.get(at)
    if to is None:
        to = int(at)
        if not begin <= to <= end:
            raise Refusal(f"--at {at}: {topic}/{partition} holds the offsets {begin} to {end}", USAGE)
    return Move(partition, position.next, to, end, position.incarnation + 1)
