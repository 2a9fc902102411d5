"""Bringing into force what the judge wants: names, bins, a reference. First the blob, then the note."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from signal import SIGKILL
from typing import Any

from stream.clock import Clocks
from stream.codec import pack, unpack
from stream.judge import Judge
from stream.judging.proposal import Proposal
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.ledger import adopt_header

log = logging.getLogger(__name__)

PROPOSAL_S = 10.0
LEARN_S = 3600.0
"""The longest that learning may take, and the longest pause after failures."""

FAILURES = {
    "failed": "the process that learns ended with an error, which stands in the log",
    "killed": "the process that learns was killed, which is what want of memory looks like",
    "not_stored": "the reference was learned, and the cluster did not take it",
    "timeout": "learning took longer than an hour",
}
"""Why learning fails, by the name that the metric gives it."""


class LearningError(Exception):
    """Learning came to nothing. ``reason`` is one of `FAILURES`."""

    def __init__(self, reason: str, *said: str) -> None:
        super().__init__(FAILURES[reason], *said)
        self.reason = reason


class Proposing:
    """What one host of the judge proposes.

    Attributes: failures: attempts to learn that came to nothing, by reason. learned: wall clock (s) of the last that did not.
    """

    def __init__(
        self, app: str, brokers: str, producer: Producer, store: Store, ledger: LedgerTail, clocks: Clocks
    ) -> None:
        self._topic = f"{app}.ledger"
        self._kept = {"kind": "night", "brokers": brokers, "app": app}
        self._clocks = clocks
        self._producer = producer
        self._store = store
        self._ledger = ledger
        self._lesson: asyncio.Task[None] | None = None
        self._proposed: dict[str, float] = {}
        self._pause = PROPOSAL_S
        self.failures: Counter[str] = Counter(dict.fromkeys(FAILURES, 0))
        self.learned = 0.0

    def stop(self) -> None:
        """Give up what is being learned."""
        if self._lesson is not None:
            self._lesson.cancel()

    async def propose(self, judge: Judge) -> None:
        """Propose what the judge wants now; the caller folds nothing meanwhile.

        Bins of hundreds of fields take long to learn, so a thread looks.
        """
        proposal = await asyncio.to_thread(judge.proposal)
        if proposal is not None:
            await self._adopt(proposal)
        if self._lesson is None or self._lesson.done():
            parent = judge.fold.in_force.get("reference")  # now: the task begins when the judge has gone on
            lesson = await asyncio.to_thread(judge.lesson)
            night = None if lesson else await asyncio.to_thread(judge.recalibration)
            if lesson:
                self._lesson = asyncio.create_task(self._learn(judge, parent, {"kind": "lesson"}, lesson), name="learn")
            elif night:
                self._lesson = asyncio.create_task(self._learn(judge, parent, self._kept, night), name="recalibrate")

    async def _adopt(self, proposal: Proposal) -> None:
        now = self._clocks.monotonic()
        if now - self._proposed.get(proposal.new, -PROPOSAL_S) < PROPOSAL_S:
            return
        self._proposed = {proposal.new: now}
        name = await self._store.put_blob(proposal.tree, self._ledger.fold.offset)
        header = adopt_header(proposal.what, name, proposal.parent)
        await self._producer.send(self._topic, b"note", pack(header))
        log.info("proposed %s %s", proposal.what, name)

    async def _learn(self, judge: Judge, parent: str | None, header: dict[str, Any], lesson: dict[str, Any]) -> None:
        """Learn a reference and propose it, unless another one came into force meanwhile. After a failure wait, ever longer."""
        try:
            learned = await self._learned(header, lesson)
            if judge.fold.in_force.get("reference") == parent:
                await self._bring(judge.reference_proposal(learned))
                self.learned = self._clocks.wall()
            self._pause = PROPOSAL_S
        except Exception as error:  # whatever it is, the judge goes on by the reference that it has
            self._pause = min(2 * self._pause, LEARN_S)
            self.failures[error.reason if isinstance(error, LearningError) else "failed"] += 1
            log.error("learning a reference failed, it is tried again in %.0f s: %r", self._pause, error)
        await asyncio.sleep(self._pause)

    async def _bring(self, proposal: Proposal) -> None:
        try:
            await self._adopt(proposal)
        except Exception as error:  # the cluster may refuse in many ways
            raise LearningError("not_stored", repr(error)) from error

    async def _learned(self, header: dict[str, Any], lesson: dict[str, Any]) -> dict[str, Any]:
        """Learn in a subprocess of low priority, so that a slow fit never delays the judge.

        Raises:
            LearningError: the process was killed, ended with an error or took too long.
        """
        try:
            async with asyncio.timeout(LEARN_S):
                code, out = await self._apart(await asyncio.to_thread(pack, header, lesson))
        except TimeoutError:
            raise LearningError("timeout") from None
        if code != 0:
            raise LearningError("killed" if code == -SIGKILL else "failed", f"exit code {code}")
        learned: dict[str, Any] = unpack(out)[1]
        return learned

    async def _apart(self, frame: bytes) -> tuple[int | None, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "stream.learning_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            out, _ = await process.communicate(frame)
        except asyncio.CancelledError:
            process.kill()
            raise
        return process.returncode, out
