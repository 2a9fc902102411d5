"""The input of one worker: a Faust application whose agents receive record batches, and what a tap needs of the consumer.

Faust hosts: group membership, assignment and the agents are its own. Positions are not: it commits nothing and seeks nowhere by
itself. A batch may come twice, or from before a seek that another batch asked for; that is the tap's one assertion (rule 7).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import faust
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from mode.supervisors import CrashingSupervisor
from yarl import URL

from stream.batch import RecordBatch
from stream.kafka import hooks
from stream.kafka.source import Input, Partition

OnBatch = Callable[[RecordBatch], Awaitable[None]]
OnAssigned = Callable[[set[Partition], bool], Awaitable[None]]
OnRevoked = Callable[[set[Partition]], Awaitable[None]]

QUEUE = 4
"""Batches a topic may queue between the fetch and its handler."""


class BrokerUnavailable(ConnectionError):  # noqa: N818 - the name says the state, as a reader of a log wants it
    """No broker answers. Whoever starts the application decides whether and when to try again."""


async def reach(brokers: Sequence[str], seconds: float = 10.0) -> None:
    """Return when a broker answered a metadata request.

    Faust dies without a word to act on when it is started while the brokers are down, so this is asked first.

    Raises:
        BrokerUnavailable: none answered within so many ``seconds``.
    """
    client = AIOKafkaClient(bootstrap_servers=list(brokers), request_timeout_ms=int(seconds * 1000))
    try:
        await asyncio.wait_for(client.bootstrap(), seconds)
    except (KafkaError, OSError, TimeoutError) as error:
        raise BrokerUnavailable(f"no Kafka broker answers at {', '.join(brokers)}") from error
    finally:
        await client.close()


def make_app(
    name: str,
    brokers: Sequence[str],
    topics: Sequence[str],
    ledger: str,
    on_batch: OnBatch,
    on_assigned: OnAssigned,
    on_revoked: OnRevoked,
    *,
    session_timeout: float = 15.0,
    heartbeat: float = 3.0,
    rebalance_timeout: float = 30.0,
    metadata_max_age: float = 10.0,
    fetch_bytes: int = 4 * 2**20,
    check_crcs: bool = True,
) -> Input:
    """Build the Faust application of one worker; call it inside a running event loop.

    Args:
        name: consumer group.
        brokers: ``host:port`` of each.
        topics: input topics. ledger: topic that is subscribed only because its assignment says who is the judge.
        on_batch: called with every batch, one at a time per topic. An exception ends the application: batches are never skipped.
        on_assigned: called after each rebalance with all input partitions of this worker and whether it is the judge. The caller
            then seeks every partition: until it does, positions start anywhere and batches may be missing.
        on_revoked: called before a rebalance and before a stop, when no batch is being handled. A handler that is not done with
            its batch within ``rebalance_timeout`` ends the application.
        session_timeout: seconds until a killed worker's partitions move. heartbeat: seconds between signs of life.
        rebalance_timeout: seconds a worker may take to let go of its partitions.
        metadata_max_age: seconds until an added partition is noticed.
        fetch_bytes: bytes fetched at most per partition and request.
        check_crcs: whether checksums are compared (0.1 microseconds per kilobyte).

    Raises:
        UnknownEngine: Faust or aiokafka is not as this program knows it.
    """
    hooks.install()
    for chatty in ("faust", "mode", "aiokafka"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    app = hooks.App(
        name,
        broker=[URL(f"kafka://{broker}") for broker in brokers],
        store="memory://",
        processing_guarantee="at_least_once",
        table_standby_replicas=1,  # no tables: this keeps Faust's sticky assignor
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_buffer_maxsize=QUEUE,  # of each topic; the maxsize of app.topic() is dropped by Faust 0.15
        stream_wait_empty=False,  # its wait has no end; a lock per topic does the same
        consumer_auto_offset_reset="earliest",  # what retention took shows as a batch that starts too high
        consumer_max_fetch_size=fetch_bytes,
        consumer_metadata_max_age_ms=int(metadata_max_age * 1000),
        broker_check_crcs=check_crcs,
        broker_session_timeout=session_timeout,
        broker_heartbeat_interval=heartbeat,
        broker_rebalance_timeout=rebalance_timeout,
        producer_request_timeout=30.0,  # Faust's 1200 s would hold back a rebalance for twenty minutes
        producer_acks=-1,
        web_enabled=False,
        worker_redirect_stdouts=False,
        agent_supervisor=CrashingSupervisor,
        canonical_url="http://streamgauge",  # never dialled; a constant one survives a restart under another host name
    )
    app.transport = hooks.Transport(app.conf.broker_consumer, app, silent=frozenset({ledger}))
    source = Input(app, brokers)
    locks = [_add_agent(source, topic, on_batch) for topic in topics]

    async def assigned(*sent: Any, **_: Any) -> None:
        partitions = sent[1]
        source.assigned = {tuple(tp) for tp in partitions if tp.topic != ledger}
        source.judge = any(tp.topic == ledger for tp in partitions)
        await on_assigned(set(source.assigned), source.judge)

    async def revoked(*_: Any, **__: Any) -> None:
        if not (source.assigned or source.judge):
            return
        async with AsyncExitStack() as idle:
            try:
                async with asyncio.timeout(rebalance_timeout):
                    for lock in locks:
                        await idle.enter_async_context(lock)
            except TimeoutError:
                if app.should_stop:
                    return  # what is not in the ledger is read again by whoever comes next
                raise
            gone, source.assigned, source.judge = source.assigned, set(), False
            await on_revoked(gone)

    app.on_partitions_assigned.connect(assigned, weak=False)
    app.on_partitions_revoked.connect(revoked, weak=False)
    app.on_before_shutdown.connect(revoked, weak=False)
    return source


class _AsIs(faust.Schema):  # type: ignore[type-arg]
    """Hands a message's value to the agent as it is: the batch was made by the consumer."""

    def compile(self, app: Any, **kwargs: Any) -> Any:
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return create_event(None, message.value, None, message)

        return decode


def _add_agent(source: Input, topic: str, on_batch: OnBatch) -> asyncio.Lock:
    """Add the agent of one input topic; return the lock it holds while it handles a batch."""
    lock = asyncio.Lock()
    channel = source.app.topic(topic, schema=_AsIs(), acks=False)

    async def agent(batches: Any) -> None:
        async for seek, batch in batches:
            async with lock:
                partition = (batch.topic, batch.partition)
                if partition in source.assigned and seek == source.consumer.seeks[partition]:
                    await on_batch(batch)

    source.app.agent(channel, name=f"{source.app.conf.id}.{topic}")(agent)
    return lock
