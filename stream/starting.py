"""Start-up of a worker: wait for a broker, look at the topics, read what is stored, see to it that a layout is in force.

A broker that does not answer is waited for, by whoever starts first after a power cut; a topic or a right that is missing is
refused at once, because no waiting brings it.
"""

from __future__ import annotations

import logging
from asyncio import sleep
from collections.abc import Callable
from contextlib import suppress

from stream.clock import Clocks
from stream.codec import pack
from stream.exits import GONE, UNAVAILABLE
from stream.kafka.cluster import ClusterError, ours, require, require_ours, settings
from stream.kafka.keeping import too_little
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.patience import RETRY_S
from stream.kafka.producer import Producer
from stream.kafka.store import MissingBlobError, Store
from stream.kafka.tail import TruncatedError
from stream.kafka.transport import BrokerUnavailable, reach
from stream.layout import Layout, layout_zero
from stream.ledger import adopt_header, gap_header
from stream.plan import Plan
from stream.publishing import newest_fold

log = logging.getLogger(__name__)

SAY_S = 10.0


async def wait_for_cluster(brokers: str, plan: Plan, clocks: Clocks, waits: Callable[[str], None]) -> dict[str, int]:
    """Return the partition counts of the inputs as soon as a broker answers.

    Args:
        waits: told what is waited for, at each attempt; an empty text in the end.

    Raises:
        ClusterError: a topic or a right is missing.
    """
    said: float | None = None
    while True:
        try:
            await reach(brokers.split(","))
            counts = await require(brokers, plan.topics)
            await require_ours(brokers, plan.app)
        except (BrokerUnavailable, ClusterError) as error:
            if isinstance(error, ClusterError) and error.code != UNAVAILABLE:
                raise
            waits(f"no Kafka broker answers at {brokers}")
            if said is None or clocks.monotonic() - said >= SAY_S:
                said = clocks.monotonic()
                log.warning("no Kafka broker answers at %s; waiting for one", brokers)
            await sleep(RETRY_S)
        else:
            waits("")
            if said is not None:
                log.info("a broker answers")
            return counts


async def warn_of_keeping(brokers: str, app: str) -> None:
    """Say which of our topics lose what is needed. Never a reason not to start, nor that it may not be seen."""
    with suppress(ClusterError):
        for topic, said in too_little(app, await settings(brokers, ours(app))):
            log.warning("our topic %s: %s", topic, said)


class Starting:
    """What a worker reads and writes before it joins the group."""

    def __init__(self, plan: Plan, producer: Producer, store: Store, ledger: LedgerTail, clocks: Clocks) -> None:
        self._plan = plan
        self._clocks = clocks
        self._producer = producer
        self._store = store
        self._ledger = ledger

    async def read(self) -> Layout | None:
        """Read ``state`` and the ledger to their ends; return the layout in force.

        Raises:
            ClusterError: they no longer hold what is needed to go on.
        """
        await self._producer.start()
        await self._store.start()
        try:
            await self._ledger.start(newest_fold(self._store.records))
            while self._ledger.fold.lost:  # another's note may be first, and be about less
                await self._go_on()
            return await self._in_force()
        except (TruncatedError, MissingBlobError) as error:
            raise ClusterError(
                f"{error}: more was deleted than is stored. Start under a new `app:` name, which is a new history", GONE
            ) from None

    async def _go_on(self) -> None:
        """Make the newest fold that is stored everybody's: retention took the ledger behind it."""
        fold = newest_fold(self._store.records)
        assert fold is not None, "only a fold that is stored can be lost"
        log.warning("the ledger behind offset %d is gone; going on from there", fold["offset"])
        header = gap_header(self._ledger.fold, (fold["offset"], fold["wall_ms"]), self._clocks.wall_ms, True)
        await self._producer.send(f"{self._plan.app}.ledger", b"note", pack(header))
        await self._ledger.read_on()

    async def bring_into_force(self, before: Layout | None, counts: dict[str, int]) -> Layout | None:
        """See to it that a layout for this worker's file is in force, and return it; only a start does so, never a take-over.

        The ledger's tail must be running by now.
        """
        if before is not None and before.plan == self._plan:
            return before
        wanted = layout_zero(self._plan, counts, before)
        parent = None if before is None else before.id
        await self._store.put_blob(wanted.to_dict(), self._ledger.fold.offset)
        note = pack(adopt_header("layout", wanted.id, parent))
        await self._producer.send(f"{self._plan.app}.ledger", b"note", note)
        await self._ledger.reach_end()
        return await self._in_force()

    async def _in_force(self) -> Layout | None:
        name = self._ledger.fold.in_force.get("layout")
        return None if name is None else Layout.from_dict(await self._store.blob(name))
