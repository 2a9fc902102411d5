"""Taps at work: assignment, batches in, entries out, reading back. One `Tapping` for all partitions of a worker.

The loop of a tap (invariant 2 of DESIGN.md): cut, send, wait for the answer whatever it is, read the ledger to its end,
compare. Whoever wrote an accepted entry, its counts describe the same records; a tap whose position is not the ledger's
drops what it holds and starts where the ledger says.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from stream.batch import RecordBatch
from stream.catchup import BinsWait, must_wait
from stream.caution import Caution, next_bite
from stream.clock import Clocks
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.patience import RETRY_S, TRANSIENT
from stream.kafka.producer import Producer
from stream.kafka.source import Input
from stream.layout import Layout
from stream.ledger import HEARTBEAT_MS, Key
from stream.places import Places
from stream.tap import Fed, Tap

log = logging.getLogger(__name__)

CUT_S = 1.0
MAX_CUT_S = 2 * HEARTBEAT_MS / 1000
"""Silence is told only while every partition was heard within 3 heartbeats, so none may be cut less often than in 2."""
ENTRIES_PER_S = 50
HURRY_S = 0.1
SEND_S = 40.0
PARKED_BYTES = 64 * 2**20
"""Memory for batches that wait, of all partitions together."""
LEAST_PARKED = 4 * 2**20
"""The same for one partition, however many there are."""


class Lane:
    """One input partition of this worker.

    Attributes:
        tap: None until the ledger and the broker have said where it starts. starting: that is being found out.
        layout: what the tap counts by. end: end offset as last seen. sent_ms: monotonic time of the last entry.
        parked: batches put aside while the partition is too far ahead; paused: it is not fetched meanwhile.
        first: by stream, where event time stood while the stream had no watermark.
        announced: the tap that has announced what it reads (`stream.trouble`).
        order: held while batches are counted. lock: held while an entry is in flight.
    """

    def __init__(self) -> None:
        self.tap: Tap | None = None
        self.layout: Layout | None = None
        self.starting = False
        self.end = 0
        self.sent_ms = 0
        self.paused = False
        self.parked: list[RecordBatch] = []
        self.first: dict[str, int] = {}
        self.announced: Tap | None = None
        self.order = asyncio.Lock()
        self.lock = asyncio.Lock()


class Tapping:
    """All taps of one worker.

    Attributes:
        lanes: by partition. input: the consumer, set by the caller once there is one.
    """

    def __init__(
        self,
        app: str,
        hash_key: bytes,
        from_earliest: bool,
        producer: Producer,
        ledger: LedgerTail,
        layout: Callable[[], Layout],
        clocks: Clocks,
    ) -> None:
        self.lanes: dict[Key, Lane] = {}
        self.input: Input | None = None
        self._topic = f"{app}.ledger"
        self._hash_key = hash_key
        self._producer = producer
        self._ledger = ledger
        self._layout = layout
        self._clocks = clocks
        self._tasks: set[asyncio.Task[None]] = set()
        self._bins = BinsWait(layout, clocks)
        self._caution = Caution(self._topic, producer, ledger)
        self._places = Places(self._topic, from_earliest, producer, ledger)

    async def assigned(self, keys: set[Key]) -> None:
        """Start a tap for each partition."""
        self.lanes = {key: self.lanes.get(key) or Lane() for key in keys}
        for key in sorted(keys):
            self._restart(key)

    async def revoked(self) -> None:
        """Hand over what is counted, if there is time, and forget the partitions."""
        try:
            await asyncio.wait_for(self._round(force=True), 10)
        except TimeoutError:
            log.warning("the last entries were not read back in time; the next owner counts those records again")
        self.lanes = {}

    def doubt(self, key: Key) -> None:
        """Look again where a partition goes on: the topic ends before what the ledger has covered of it.

        A consumer that was frozen while its topic was recreated does not notice: it is sent back to the beginning, and what
        it reads there lies below the tap's position.
        """
        self._restart(key)

    async def on_batch(self, batch: RecordBatch) -> None:
        """Count one batch, or put it aside while its partition must wait for others."""
        key = (batch.topic, batch.partition)
        lane = self.lanes.get(key)
        if lane is None:
            return
        lane.end = max(lane.end, batch.end)
        async with lane.order:
            if lane.parked:
                self._put_aside(lane, batch)
            else:
                await self._count(key, lane, batch)
        await self._bins.after(batch, lambda: bool(self.lanes))
        await asyncio.sleep(0)

    async def _count(self, key: Key, lane: Lane, batch: RecordBatch) -> None:
        """Feed one batch to the tap; cut in between when it does not fit into one entry."""
        while lane.tap is not None and self.lanes.get(key) is lane:
            tap = lane.tap
            if self._must_wait(key, lane):
                await self._park(key, lane, batch)
                return
            if batch.next <= tap.cursor.next:
                return
            if batch.start > tap.cursor.next:
                self._restart(key)
                return
            if lane.announced is not tap or self._caution.wanted(key, tap):
                await self._bite(key, lane, tap, batch)
            elif self._feed(lane, tap, batch) is Fed.COUNTED:
                self._bins.counted(batch.topic, len(batch.offsets))
                return
            else:
                await self._settle_lanes({key: lane})

    def _feed(self, lane: Lane, tap: Tap, batch: RecordBatch) -> Fed:
        try:
            return tap.feed(batch, self._clocks.wall_ms)
        except Exception:
            lane.tap = None  # it may have counted a part of the chunk, and the last cut before the end would ship that
            raise

    async def _bite(self, key: Key, lane: Lane, tap: Tap, batch: RecordBatch) -> None:
        """Announce what is about to be read. Where that has ended workers before, read a little of it and read back."""
        async with self._caution.alone():
            if tap.pending:
                await self._settle_lanes({key: lane})
            if lane.tap is not tap:
                return
            try:
                trouble = await self._caution.announce(key, tap)
            except TRANSIENT as error:
                log.warning("%s/%d: cannot announce what is read, trying again: %s", *key, error)
                self._restart(key)
                return
            lane.announced = tap
            if lane.tap is tap and self._caution.wanted(key, tap):
                bite = next_bite(batch, tap.cursor.next, trouble)
                if bite.unreadable == "poison":
                    log.error("%s/%d: offset %d ended every worker that read it and is set aside", *key, bite.start)
                self._feed(lane, tap, bite)
                await self._settle_lanes({key: lane})

    async def _park(self, key: Key, lane: Lane, batch: RecordBatch) -> None:
        """Put a batch aside and stop fetching the partition: open panes stay few while catching up, and memory with them."""
        self._put_aside(lane, batch)
        self._bins.hurry.set()
        if not lane.paused and self.input is not None:
            lane.paused = True
            await self.input.pause(key)

    def _put_aside(self, lane: Lane, batch: RecordBatch) -> None:
        """Keep a batch if there is room. A dropped one is fetched again, since the next does not continue what was counted."""
        if has_room(lane.parked, batch, len(self.lanes)):
            lane.parked.append(batch)

    async def _unpark(self, key: Key, lane: Lane) -> None:
        """Count what was put aside, as soon as the others have caught up."""
        async with lane.order:
            while lane.parked and not self._must_wait(key, lane):
                batch = lane.parked.pop(0)
                held, lane.parked = lane.parked, []
                await self._count(key, lane, batch)
                lane.parked += held
            if lane.paused and not lane.parked and self.input is not None:
                lane.paused = False
                await self.input.resume(key)

    async def run(self) -> None:
        """Cut again and again, for ever."""
        while True:
            await asyncio.sleep(HURRY_S)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._bins.hurry.wait(), rhythm(len(self.lanes)) - HURRY_S)
            self._bins.hurry.clear()
            await self._round()

    async def _round(self, force: bool = False) -> None:
        await self._settle_lanes({key: lane for key, lane in self.lanes.items() if self._due(lane, force)})
        await asyncio.gather(
            *(self._unpark(key, lane) for key, lane in self.lanes.items() if lane.parked or lane.paused)
        )

    def _due(self, lane: Lane, force: bool) -> bool:
        if lane.tap is None or lane.lock.locked():
            return False
        return lane.tap.pending or (not force and self._clocks.monotonic_ms - lane.sent_ms >= HEARTBEAT_MS)

    async def _settle_lanes(self, lanes: dict[Key, Lane]) -> None:
        """Cut, send, read back and compare, for some lanes at once; at most one entry per lane is in flight."""
        sent = [(key, lane, tap) for key, lane in lanes.items() if (tap := lane.tap) is not None]
        for _, lane, _ in sent:
            await lane.lock.acquire()
        accepted = {}
        try:
            written = await asyncio.gather(*(self._send(key, lane, tap) for key, lane, tap in sent))
            read = await self._read_back(written)
            for key, lane, tap in sent:
                position = self._ledger.fold.positions.get(key)
                if lane.tap is not tap:
                    continue
                if read and position is not None and tap.settle(position):
                    accepted[key] = position.next
                else:
                    self._restart(key)
        finally:
            for _, lane, _ in sent:
                lane.lock.release()
        if self.input is not None and accepted:
            await self.input.commit_accepted(accepted)

    async def _read_back(self, written: list[int | None]) -> bool:
        """Read the ledger back; return False when that was impossible, so nothing is known of what was sent.

        Args:
            written: ledger offset of each entry; None when no acknowledgement came: then everything up to the end is read.
        """
        try:
            async with asyncio.timeout(SEND_S):
                await self._ledger.reach(1 + max((offset for offset in written if offset is not None), default=-1))
                if None in written:
                    await self._ledger.reach_end()
        except TRANSIENT as error:
            log.warning("the ledger cannot be read back: %s", error)
            return False
        return True

    def _restart(self, key: Key) -> None:
        """Drop what a tap holds and find out, in the background, where it goes on."""
        lane = self.lanes.get(key)
        if lane is None or lane.starting:
            return
        lane.tap, lane.starting = None, True
        lane.parked.clear()
        task = asyncio.create_task(self._start(key, lane), name=f"start {key[0]}/{key[1]}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _start(self, key: Key, lane: Lane) -> None:
        try:
            while self.lanes.get(key) is lane and lane.tap is None:
                try:
                    await self._find(key, lane)
                except Exception as error:  # of whatever kind: a partition nobody reads would be the worst answer
                    log.warning("%s/%d: cannot find out where to go on, trying again: %r", *key, error)
                    await asyncio.sleep(RETRY_S)
        finally:
            lane.starting = False

    async def _send(self, key: Key, lane: Lane, tap: Tap) -> int | None:
        """Send the entry that is due; return its ledger offset. An error does not matter: the read-back tells."""
        layout = self._layout()
        lane.sent_ms = self._clocks.monotonic_ms
        try:
            frame = tap.cut(max(lane.end, tap.cursor.next))
            if layout is not lane.layout:
                tap.adopt(layout)
                lane.layout = layout
            return await asyncio.wait_for(
                self._producer.send(self._topic, f"{key[0]}/{key[1]}".encode(), frame), SEND_S
            )
        except Exception as error:
            log.warning("%s/%d: an entry may not have been written: %s", *key, error)
            return None

    async def _find(self, key: Key, lane: Lane) -> None:
        """Find out where a partition goes on, and go there. After an ``open`` it is found out anew by the caller."""
        assert self.input is not None, "partitions are assigned by the input"
        found = await self._places.find(self.input, key, self._added(key))
        if found is None:
            return
        lane.layout = self._layout()
        tap = Tap(lane.layout, key, found.position, self._hash_key)
        if found.start > found.position.next:
            log.warning("%s/%d: retention deleted offsets %d to %d unread", *key, found.position.next, found.start - 1)
            tap.lost(found.start)
        lane.end = found.end
        if await self.input.seek(key, tap.cursor.next) and self.lanes.get(key) is lane:
            lane.tap = tap
            lane.sent_ms = 0

    def _added(self, key: Key) -> bool:
        """Whether a partition came after its topic was first watched: what it holds is no history, whenever it is noticed."""
        layout = self._layout()
        return any(key[1] >= layout.sections[plan.name].partitions for plan in layout.plan.of_topic(key[0]))

    def _must_wait(self, key: Key, lane: Lane) -> bool:
        return must_wait(self._layout(), self._ledger.fold, key, lane.first)


def has_room(parked: list[RecordBatch], batch: RecordBatch, partitions: int) -> bool:
    """Return whether one of so many partitions may put one more batch aside; one that cannot be read takes no memory."""
    room = max(PARKED_BYTES // max(partitions, 1), LEAST_PARKED)
    return sum(item.size for item in (*parked, batch) if not item.unreadable) <= room


def rhythm(partitions: int) -> float:
    """Return how many seconds lie between two entries of a partition, of which a worker has so many.

    >>> rhythm(10), rhythm(100), rhythm(1000)
    (1.0, 2.0, 4.0)
    """
    return min(max(CUT_S, partitions / ENTRIES_PER_S), MAX_CUT_S)
