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
    found = 0
    async for record in newest(brokers, topic) if arguments.state else _records(brokers, topic, arguments.follow):
        if record.value is not None:
            _show(out, record, arguments)
            found += 1
    if not found:
        sys.stderr.write(f"streamgauge alerts: nothing in {topic}: the monitor has found nothing to tell\n")


def _show(out: Screen, record: ConsumerRecord, arguments: argparse.Namespace) -> None:
    if arguments.json:
        sys.stdout.write(to_line(AlertRecord(record.key, list(record.headers), record.value)) + "\n")
        sys.stdout.flush()
        return
    event: dict[str, Any] = orjson.loads(record.value)
    for line in event_page(event) if arguments.state else [event_line(event)]:
        out.print(line)


async def newest(brokers: str, topic: str) -> AsyncIterator[ConsumerRecord]:
    """Yield the newest state of each alert, in the order of the ledger.

    Raises:
        ClusterError: no right to read, or no broker answers any more.
    """
    kept: dict[bytes, ConsumerRecord] = {}
    async for record in _records(brokers, topic, follow=False):
        _keep(kept, record)
    for record in sorted(kept.values(), key=_offset):
        yield record


def _keep(kept: dict[bytes, ConsumerRecord], record: ConsumerRecord) -> None:
    """Keep the record with the highest ledger offset: a zombie's late write may stand behind it in the topic."""
    known = kept.get(record.key)
    if known is not None and _offset(known) > _offset(record):
        return
    if record.value is None:
        kept.pop(record.key, None)
    else:
        kept[record.key] = record


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
