"""``streamgauge alerts``: what the monitor has found, for people or as lines of JSON."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.structs import ConsumerRecord

from stream.commands.showing import Screen, event_line, event_page, screen
from stream.config.settings import Settings
from stream.exits import NO_INPUT, OK
from stream.judging.alerts import AlertRecord, to_line
from stream.kafka.cluster import ClusterError, denied, describe, unreachable


def command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print alert events, oldest first; or, with ``--state``, the newest state of each alert.

    Raises:
        Refusal: no broker, no topic, no right.
    """
    brokers = ",".join(settings.kafka.brokers)
    topic = f"{settings.app}.alerts" + (".state" if arguments.state else "")
    asyncio.run(_print(arguments, brokers, topic))
    return OK


async def _print(arguments: argparse.Namespace, brokers: str, topic: str) -> None:
    if topic not in await describe(brokers, [topic]):
        raise ClusterError(f"topic {topic}: does not exist on {brokers}; has the monitor been set up?", NO_INPUT)
    out = screen()
    newest: dict[bytes, ConsumerRecord] = {}
    found = 0
    async for record in _records(brokers, topic, arguments.follow):
        if arguments.state:
            _keep(newest, record)
        elif record.value is not None:
            _show(out, record, arguments)
            found += 1
    for record in sorted(newest.values(), key=_offset):
        _show(out, record, arguments)
    if not found and not newest:
        sys.stderr.write(f"streamgauge alerts: nothing in {topic}: the monitor has found nothing to tell\n")


def _show(out: Screen, record: ConsumerRecord, arguments: argparse.Namespace) -> None:
    if arguments.json:
        sys.stdout.write(to_line(AlertRecord(record.key, list(record.headers), record.value)) + "\n")
        sys.stdout.flush()
        return
    event: dict[str, Any] = orjson.loads(record.value)
    for line in event_page(event) if arguments.state else [event_line(event)]:
        out.print(line)


def _keep(newest: dict[bytes, ConsumerRecord], record: ConsumerRecord) -> None:
    """Keep the record with the highest ledger offset: a zombie's late write may stand behind it in the topic."""
    known = newest.get(record.key)
    if known is not None and _offset(known) > _offset(record):
        return
    if record.value is None:
        newest.pop(record.key, None)
    else:
        newest[record.key] = record


def _offset(record: ConsumerRecord) -> int:
    return next((int(value) for name, value in record.headers if name == "ledger_offset"), -1)


async def _records(brokers: str, topic: str, follow: bool) -> AsyncIterator[ConsumerRecord]:
    """Yield the records of a topic of ours up to its end as it is now, or for ever.

    Raises:
        ClusterError: no right to read, or no broker answers any more.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=brokers, group_id=None, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    partition = TopicPartition(topic, 0)
    try:
        await consumer.start()
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        while follow or await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=500)).get(partition, []):
                yield record
    except TopicAuthorizationFailedError as error:
        raise denied(error) from None
    except (KafkaError, OSError) as error:
        raise unreachable(brokers, error) from None
    finally:
        await consumer.stop()
