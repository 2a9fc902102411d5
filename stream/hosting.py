"""The judge's host: reads the ledger, folds it, publishes what follows, writes ticks, stores positions and checkpoints.

It has a ledger reader of its own, apart from the one of the taps: when a topic of ours refuses writes the judge waits here,
and the taps of this worker go on reading the ledger back (P7). Faust's assignment of the ledger partition says who hosts.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

import orjson

from stream.clock import Clocks
from stream.codec import FormatError, UnknownFormatError, pack, unpack
from stream.judge import Judge
from stream.judging.decision import is_decision
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.patience import RETRY_S, TRANSIENT, patiently
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.kafka.tail import Tail
from stream.ledger import Fold, gap_header
from stream.proposing import Proposing
from stream.publishing import Host, Send, Ticker, latest_checkpoint, latest_positions, newest_fold

log = logging.getLogger(__name__)

TICK_S = 1.0
POSITIONS_S = 10.0
SNAPSHOT_S = 60.0
CHECKPOINT_S = 600.0
OWNED_MS = 15_000
STALLED_MS = 60_000


class JudgeHost:
    """One lease of the judge.

    Attributes:
        judge: its state. host: what is published. events: alert events sent, by (check, severity, status).
        refusals: topics of ours that refuse writes at present, with the last error.
        failed_sends: how many sends of alerts were refused. ticked: wall clock (s) of the last accepted tick of ours.
        heartbeat: wall clock (s) of the last moment at which everything was out and every partition had an owner that reads on.
        checkpointed: wall clock (s) of the last stored checkpoint. proposing: what it learns, and how that went.
        crossing: the ledger lost what was not judged. Nothing is judged until a note says where to go on, and no positions are
            stored until that is in a checkpoint: whoever comes next must find the same note behind them.
    """

    def __init__(
        self, app: str, brokers: str, producer: Producer, store: Store, ledger: LedgerTail, clocks: Clocks
    ) -> None:
        self.app = app
        self._clocks = clocks
        self._stopping = False
        self.judge = Judge()
        self.host = Host()
        self.events: Counter[tuple[str, str, str]] = Counter()
        self.refusals: dict[str, str] = {}
        self.failed_sends = 0
        self.heartbeat = 0.0
        self.checkpointed = 0.0
        self.ticked = 0.0
        self.crossing = False
        self._producer = producer
        self._store = store
        self._ledger = ledger
        self._tail = Tail(brokers, f"{app}.ledger")
        self.proposing = Proposing(app, brokers, producer, store, ledger, clocks)

    async def run(self) -> None:
        """Take the lease and hold it until `stop`, or until cancelled."""
        await self._store.refresh()
        await self._restore()
        work = [asyncio.create_task(part()) for part in (self._fold, self._tick, self._store_positions)]
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # an error of any part ends the lease: a judge without ticks would be blind and alive
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            self.proposing.stop()
            await self._tail.stop()

    async def _restore(self) -> None:
        """Start from what is stored. Where the ledger behind it is gone, from the newest fold there is, and judge again later."""
        checkpoint = latest_checkpoint(self._store.records)
        self.host = Host(checkpoint, latest_positions(self._store.records))
        if checkpoint is not None:
            tree = unpack(checkpoint.data)[1]
            blobs = {name: await self._store.blob(name) for name in Judge.needed(tree)}
            self.judge = Judge.restore(tree, blobs.__getitem__)
        begin = await self._tail.start()
        if begin > self.judge.fold.offset:
            fold = Fold.restore(newest_fold(self._store.records) or self._ledger.fold.snapshot())
            fold.cut(begin)
            self.judge.lose(fold)
            self.crossing = True
        self._tail.go_to(self.judge.fold.offset)
        log.info("judge: starts at ledger offset %d", self.judge.fold.offset)

    async def _fold(self) -> None:
        due = dict.fromkeys(("snapshots", "checkpoint"), self._clocks.monotonic())
        due["checkpoint"] += CHECKPOINT_S
        while not self._stopping:
            for offset, _, frame in await patiently(f"read {self._tail.topic}", self._tail.read):
                await self._apply(offset, frame)
                if self._stopping:
                    break
            now = self._clocks.monotonic()
            if self.judge.fold.offset >= self._ledger.fold.offset:
                if self._all_move():
                    self.heartbeat = self._clocks.wall()
                await self._write_notes()
            if now >= due["snapshots"]:
                due["snapshots"] = now + SNAPSHOT_S
                snapshots = () if self.crossing else tuple(self.judge.snapshots())
                await self._perform([Send("alerts.state", snapshots)])
            if now >= due["checkpoint"]:
                due["checkpoint"] = now + CHECKPOINT_S
                await self._checkpoint()
        await self._checkpoint()

    def stop(self) -> None:
        """Give the lease back after the record in hand; a checkpoint is stored first. `run` then returns."""
        self._stopping = True

    async def _apply(self, offset: int, frame: bytes | None) -> None:
        try:
            header, body = unpack(frame or b"")
        except UnknownFormatError:
            raise
        except FormatError:
            self.judge.fold.offset = offset + 1
            await self._perform(self.host.publish(offset + 1, ()))
            return
        for name in self.judge.needs(header):
            await patiently(f"read {self._store.topic}", partial(self._store.blob, name))
        gaps = self.judge.gaps
        messages = self.judge.apply(offset, header, body, self._store.known)
        await self._perform(self.host.publish(offset + 1, messages))
        if self.judge.gaps > gaps:
            await self._checkpoint()
            self.crossing = False

    async def _perform(self, steps: Iterable[Send]) -> None:
        """Send what each step asks for, again and again until it is acknowledged, before taking the next step."""
        for step in steps:
            for message in step.messages:
                await self._send(f"{self.app}.{message.topic}", message.key, message.value, list(message.headers))
                if message.topic == "alerts" and message.value is not None:
                    event = orjson.loads(message.value)
                    if not is_decision(event):
                        self.events[event["check"], event["severity"], event["status"]] += 1

    async def _send(self, topic: str, key: bytes, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        while True:
            try:
                await self._producer.send(topic, key, value, headers)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # the broker may refuse in many ways; all of them mean: not yet
                self.refusals[topic] = type(error).__name__
                self.failed_sends += ".alerts" in topic
                log.warning("%s refuses a write, trying again: %s", topic, error)
                await asyncio.sleep(RETRY_S)
            else:
                self.refusals.pop(topic, None)
                return

    async def _checkpoint(self) -> None:
        """Store the judge's state, and remove from the topic what nobody needs beside it."""
        if self.judge.judged is not None:
            return
        await patiently(f"read {self._store.topic}", self._store.refresh)
        begin = await patiently(f"read {self._tail.topic}", self._tail.begin)
        fold = self.judge.fold
        needed = {*self.judge.layouts, *fold.in_force.values(), *self._ledger.fold.in_force.values()}
        data = await asyncio.to_thread(pack, {"kind": "judge"}, self.judge.state())
        stored = list(self._store.records)
        await self._perform(self.host.checkpoint(fold.offset, data, secrets.token_hex(4), stored, needed, begin))
        self.checkpointed = self._clocks.wall()

    def _all_move(self) -> bool:
        """Whether every input partition of the layout has an owner that reads on: the heartbeat says that we see everything."""
        fold, layout = self.judge.fold, self.judge.layout
        if layout is None or self.refusals:
            return False
        wanted = {
            (stream.topic, partition)
            for stream in layout.plan.streams
            for partition in range(layout.sections[stream.name].partitions)
        }
        positions = [fold.positions.get(key) for key in wanted]
        return all(
            position is not None
            and fold.time_ms - position.heard_ms <= OWNED_MS
            and (position.at_end or fold.time_ms - position.moved_ms <= STALLED_MS)
            for position in positions
        )

    async def _store_positions(self) -> None:
        """Store how far the tail and the publication have come, also while the judge waits for a topic that refuses writes."""
        while True:
            await asyncio.sleep(POSITIONS_S)
            if not self.crossing:
                await self._perform([self.host.positions(self._ledger.fold)])

    async def _tick(self) -> None:
        await patiently(f"read {self._tail.topic}", self._ledger.reach_end)
        writer = secrets.token_hex(4)
        ticker = Ticker(writer, self._ledger.fold, self._clocks.monotonic_ms)

        def heard(_: int, header: dict[str, Any]) -> None:
            if header.get("note") == "judge_gap":
                ticker.moved(self._ledger.fold.tick, self._clocks.monotonic_ms)
            if header["kind"] == "tick":
                ticker.read(header, self._clocks.monotonic_ms)
                if header["writer"] == writer:
                    self.ticked = self._clocks.wall()

        self._ledger.listeners.append(heard)
        try:
            while True:
                header = ticker.write(self._clocks.monotonic_ms, self._clocks.wall_ms)
                try:
                    offset = await self._producer.send(f"{self.app}.ledger", b"tick", pack(header))
                    await asyncio.wait_for(self._ledger.reach(offset + 1), 10)
                except Exception as error:  # the same tick is tried again: one number, one span
                    log.warning("tick %d: %s", header["n"], error)
                await asyncio.sleep(TICK_S)
        finally:
            self._ledger.listeners.remove(heard)

    async def _write_notes(self) -> None:
        """Write what the ledger should say. What cannot be written now is written at the next turn."""
        try:
            if self.judge.judged is None:
                await self.proposing.propose(self.judge)
            else:
                await self._end_gap(self.judge.judged)
        except TRANSIENT as error:
            log.warning("a note could not be written, it is tried again: %s", error)
            await asyncio.sleep(RETRY_S)

    async def _end_gap(self, judged: tuple[int, int]) -> None:
        """Say in the ledger where judging goes on. The first such note is taken, whichever host wrote it.

        Its fold becomes everybody's only when this judge's own is lost; otherwise only the judge has missed something.
        """
        header = gap_header(self._ledger.fold, judged, self._clocks.wall_ms, self.judge.fold.lost)
        await self._producer.send(f"{self.app}.ledger", b"note", pack(header))
        log.warning("the ledger from offset %d on is gone or was not judged", judged[0])
