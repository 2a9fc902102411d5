"""One worker: a process that taps its share of the input partitions and, with the lease, hosts the judge.

Start: what `stream.starting` says, then join the group. Everything after that follows from the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import platform
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from aiokafka.errors import TopicAuthorizationFailedError

from stream.clock import Clocks
from stream.codec import UnknownFormatError
from stream.exits import BUG, TRY_AGAIN
from stream.hosting import JudgeHost
from stream.judging.alerts import VERSION
from stream.kafka.cluster import denied, unreachable
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.patience import TRANSIENT, patiently
from stream.kafka.producer import Producer
from stream.kafka.source import Input
from stream.kafka.store import MissingBlobError, Store
from stream.kafka.tail import TruncatedError
from stream.kafka.transport import make_app
from stream.layout import Layout
from stream.plan import Plan
from stream.serving.exposition import Registry
from stream.serving.gauges import attach
from stream.serving.metrics import LOOP_BLOCKED
from stream.serving.watchdog import LoopWatchdog, Progress
from stream.starting import Starting, wait_for_cluster, warn_of_keeping
from stream.tapping import Tapping

log = logging.getLogger(__name__)

TICK_MAX_AGE_S = 15.0
LOOK_S = 1.0
ASK_S = 4.0
"""Less than the longest step the watchdog counts, so that a broker that hangs costs no more time than it says."""
END_S = 18.0
"""A stop takes no longer than this altogether: a supervisor's patience is 20 s or 30 s, and then it kills."""
STOP_S = 12.0
CLOSE_S = 3.0


class Worker:
    """One worker.

    Attributes:
        plan: from this worker's own file; the layout in force may hold another. layout: the one in force.
        host: the judge's host while this worker holds the lease. address: of the pages, for the log.
    """

    def __init__(
        self,
        plan: Plan,
        brokers: str,
        hash_key: bytes,
        from_earliest: bool,
        clocks: Clocks,
        timing: dict[str, Any] | None = None,
    ) -> None:
        self.plan = plan
        self.version = VERSION
        self.python = platform.python_version()
        self.brokers = brokers
        self.layout: Layout | None = None
        self.host: JudgeHost | None = None
        self.registry = Registry()
        self.progress = Progress()
        self.rebalances = 0
        self.started_at = 0
        self.dropped_before = 0
        self.waiting = ""
        self.code = 0
        self.address = "no address"
        self._clocks = clocks
        self._timing = timing or {}
        self._input: Input | None = None
        self._hosting: asyncio.Task[None] | None = None
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []
        self.producer = Producer(brokers)
        self.store = Store(brokers, f"{plan.app}.state", self.producer)
        self.ledger = LedgerTail(brokers, f"{plan.app}.ledger")
        self.tapping = Tapping(
            plan.app, hash_key, from_earliest, self.producer, self.ledger, self.current_layout, clocks
        )
        attach(self.registry, self)

    def current_layout(self) -> Layout:
        """Return the layout in force. There is one from before the group is joined on."""
        assert self.layout is not None, "the group is joined only under a layout"
        return self.layout

    @property
    def speaks(self) -> bool:
        """Whether this worker holds the lease and had a tick accepted within 15 s: then it exports incidents."""
        return self.host is not None and self._clocks.wall() - self.host.ticked <= TICK_MAX_AGE_S

    async def run(self) -> int:
        """Work until `stop` or until something ends it; return the exit code.

        Raises:
            ClusterError: a missing topic or a missing right.
        """
        start, over = asyncio.create_task(self._start()), asyncio.create_task(self._over.wait())
        try:
            await asyncio.wait((start, over), return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()
                await over
        finally:
            start.cancel()
            over.cancel()
            await asyncio.gather(start, over, return_exceptions=True)
            await self._end()
        return self.code

    def stop(self, code: int = 0, why: str = "") -> None:
        """End the worker in order."""
        if why:
            log.error("%s", why)
        self.code = self.code or code
        self._over.set()

    async def _start(self) -> None:
        try:
            await self._begin()
        except TopicAuthorizationFailedError as error:
            raise denied(error, "READ or WRITE") from None
        except TRANSIENT as error:
            raise unreachable(self.brokers, error) from None

    async def _begin(self) -> None:
        counts = await wait_for_cluster(self.brokers, self.plan, self._clocks, self._waits)
        await warn_of_keeping(self.brokers, self.plan.app)
        starting = Starting(self.plan, self.producer, self.store, self.ledger, self._clocks)
        before = await starting.read()
        self.started_at, self.dropped_before = self.ledger.fold.offset, self.ledger.fold.dropped
        self.ledger.listeners.append(self._heard)
        self._spawn(self.ledger.run, "ledger")
        self.layout = await starting.bring_into_force(before, counts)
        source = make_app(
            self.plan.app,
            self.brokers.split(","),
            self.plan.topics,
            f"{self.plan.app}.ledger",
            self.tapping.on_batch,
            self._assigned,
            self._revoked,
            **self._timing,
        )
        self._input = self.tapping.input = source
        await source.app.start()
        log.info("started: %d topics; metrics and health on %s", len(self.plan.topics), self.address)
        self._spawn(self.tapping.run, "taps")
        self._spawn(self._look, "progress")
        self._spawn(LoopWatchdog(lambda late: self.registry.inc(LOOP_BLOCKED, (), late)).run, "loop watchdog")

    def _heard(self, _: int, header: dict[str, Any]) -> None:
        name = self.ledger.fold.in_force.get("layout")
        if header["kind"] == "note" and name is not None and self.layout is not None and name != self.layout.id:
            self._spawn(lambda: self._switch(name), "layout")

    async def _switch(self, name: str) -> None:
        if self.ledger.fold.in_force.get("layout") != name:
            return
        tree = await patiently(f"read {self.store.topic}", lambda: self.store.blob(name))
        if self.ledger.fold.in_force.get("layout") == name:
            self.layout = Layout.from_dict(tree)
            log.info("layout %s is in force", name)

    async def _assigned(self, keys: set[tuple[str, int]], judge: bool) -> None:
        self.rebalances += 1
        log.info("assigned: %d partitions%s", len(keys), ", judge" if judge else "")
        await self.tapping.assigned(keys)
        if judge and self._hosting is None:
            self._hosting = asyncio.create_task(self._hold(), name="judge")

    async def _revoked(self, keys: set[tuple[str, int]]) -> None:
        await self.tapping.revoked()
        await self._release()

    async def _hold(self) -> None:
        host = JudgeHost(self.plan.app, self.brokers, self.producer, self.store, self.ledger, self._clocks)
        self.host = host
        try:
            await host.run()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._failed("the judge", error)
        finally:
            self.host = None

    async def _release(self) -> None:
        task, self._hosting = self._hosting, None
        if task is None:
            return
        if self.host is not None:
            self.host.stop()
        with suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(task, STOP_S / 2)

    async def _look(self) -> None:
        """Watch progress on accepted positions; a worker that cannot move ends with 75, which means: start me again."""
        while True:
            await asyncio.sleep(LOOK_S)
            lanes = list(self.tapping.lanes.items())
            ends = await asyncio.gather(*(self._newest(key, lane) for key, lane in lanes))
            seen: dict[tuple[str, int], tuple[int, int | None]] = {}
            for (key, lane), end in zip(lanes, ends, strict=True):
                position = self.ledger.fold.positions.get(key)
                at = 0 if position is None else position.next
                seen[key] = (at, at if lane.paused else end)
            self.progress.look(self._clocks.monotonic(), seen)
            if self.progress.dead():
                self.stop(TRY_AGAIN, "partitions with unread records made no progress for five minutes")
            if self._input is not None and self._input.app.crashed:
                self.stop(BUG, f"the consumer stopped: {self._input.app.crash_reason!r}")

    async def _newest(self, key: tuple[str, int], lane: Any) -> int | None:
        """Return the end offset as the broker says it, apart from the fetches under watch."""
        assert self._input is not None
        try:
            async with asyncio.timeout(ASK_S):
                _, end = await self._input.begin_end(key)
        except TRANSIENT:
            return None
        position = self.ledger.fold.positions.get(key)
        if position is not None and end < position.next:
            self.tapping.doubt(key)
        lane.end = max(lane.end, end)
        return end

    def _waits(self, what: str) -> None:
        self.waiting = what

    def live(self) -> list[str]:
        return ["the worker is stopping"] if self._over.is_set() else []

    def ready(self) -> list[str]:
        """Return why this worker does not watch everything it was given, or cannot deliver alerts."""
        if self.waiting:
            return [self.waiting]
        reasons = []
        if not self.tapping.lanes and self.host is None:
            reasons.append("no partition is assigned to this worker")
        reasons += [
            f"{t}/{p}: its starting position is not known yet"
            for (t, p), lane in self.tapping.lanes.items()
            if lane.tap is None
        ]
        reasons += [
            f"{topic}/{partition}: unread records and no progress" for topic, partition in self.progress.stalled()
        ]
        if self.host is not None:
            reasons += [f"{topic} refuses writes: {why}" for topic, why in self.host.refusals.items()]
        if self.layout is not None and self.layout.plan.config_hash != self.plan.config_hash:
            reasons.append("another configuration is in force than the one this worker was started with")
        return reasons

    def _spawn(self, work: Callable[[], Any], name: str) -> None:
        task = asyncio.create_task(work(), name=name)
        self._tasks = [item for item in self._tasks if not item.done()]
        self._tasks.append(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(task.get_name(), error)

    def _failed(self, part: str, error: BaseException) -> None:
        """End the worker over an error of one of its parts; the exit code says who can help (`stream.exits`)."""
        if isinstance(error, UnknownFormatError):
            self.stop(BUG, f"{part} cannot go on, the ledger was written by another release: {error}")
        elif isinstance(error, (*TRANSIENT, MissingBlobError, TruncatedError)):
            self.stop(TRY_AGAIN, f"{part} stopped: {type(error).__name__}: {error}")
        else:
            log.error("%s stopped over an error of ours", part, exc_info=error)
            self.stop(BUG)

    async def _end(self) -> None:
        ends = asyncio.get_running_loop().time() + END_S
        if self._input is not None:
            await _within(STOP_S, ends, self._input.app.stop())
        await _within(STOP_S / 2, ends, self._release())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._input is not None:
            await _within(CLOSE_S, ends, self._input.close())  # only now: the tasks above read through it
        for part in (self.ledger, self.store, self.producer):
            await _within(CLOSE_S, ends, part.stop())


async def _within(seconds: float, ends: float, ending: Coroutine[Any, Any, Any]) -> None:
    """Await the end of a part, not for ever and whatever it raises: without a broker the client cannot say good-bye."""
    left = ends - asyncio.get_running_loop().time()
    task = asyncio.create_task(ending)
    done, _ = await asyncio.wait([task], timeout=max(min(seconds, left), 0.1))
    if not done:
        task.cancel()
    elif not task.cancelled() and task.exception() is not None:
        log.warning("a connection did not end in order: %s", type(task.exception()).__name__)
