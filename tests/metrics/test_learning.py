"""Learning that fails moves a metric, by reason; one success and the time of it moves."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from stream import proposing
from stream.judge import Judge
from stream.judging.proposal import Proposal
from stream.kafka.ledger_tail import LedgerTail
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.proposing import FAILURES, Proposing
from stream.serving import metrics as m
from stream.serving.exposition import Registry
from stream.serving.gauges import learning

NOW = 1_795_000_000.0


class Taken:
    """A judge with something to learn: ``lesson`` goes to the process that learns; and the cluster that takes what is sent."""

    def __init__(self, lesson: dict[str, Any], refusal: Exception | None = None) -> None:
        self.fold = SimpleNamespace(in_force={}, offset=0)
        self.notes: list[bytes] = []
        self._lesson = lesson
        self._refusal = refusal

    def proposal(self) -> None:
        return None

    def lesson(self) -> dict[str, Any]:
        return self._lesson

    def reference_proposal(self, learned: dict[str, Any]) -> Proposal:
        return Proposal("reference", learned, None)

    async def put_blob(self, tree: Any, offset: int) -> str:
        if self._refusal is not None:
            raise self._refusal
        return "address"

    async def send(self, topic: str, key: bytes, value: bytes) -> int:
        self.notes.append(value)
        return 0


def told(judge: Taken) -> dict[str, float]:
    """Let a judge learn once and return the page's lines on learning."""

    async def run() -> dict[str, float]:
        clocks = SimpleNamespace(monotonic=lambda: 100.0, wall=lambda: NOW)
        host = Proposing(
            "a", "nowhere:1", cast(Producer, judge), cast(Store, judge), cast(LedgerTail, judge), cast(Any, clocks)
        )
        registry = Registry()
        registry.collect(lambda: learning(host))
        await host.propose(cast(Judge, judge))
        async with asyncio.timeout(30):
            while not (host.learned or host.failures.total()):  # noqa: ASYNC110 - what is tested tells nobody
                await asyncio.sleep(0.01)
        host.stop()
        page = b"".join([part async for part in registry.render()]).decode()
        lines = (line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("streamgauge_learning"))
        return {name.removeprefix("streamgauge_learning_"): float(value) for name, value in lines}

    return asyncio.run(run())


def page(**changed: float) -> dict[str, float]:
    """Return what the page says where one reason was counted, or where it was learned."""
    counts = {f'failures_total{{reason="{reason}"}}': float(changed.get(reason, 0)) for reason in FAILURES}
    return {"last_success_timestamp_seconds": changed.get("learned", 0.0)} | counts


BAD: dict[str, Any] = {"m.features": {}}


def test_a_process_that_ends_with_an_error_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert told(Taken(BAD)) == page(failed=1)
    assert "exit code 1" in caplog.text
    assert "tried again in 20 s" in caplog.text


def test_a_process_that_is_killed_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So the kernel ends what takes too much memory."""
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nkill -9 $$\n")
    script.chmod(0o700)
    monkeypatch.setattr(proposing.sys, "executable", str(script))
    assert told(Taken(BAD)) == page(killed=1)


def test_a_process_that_takes_too_long_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposing, "LEARN_S", 0.01)
    assert told(Taken(BAD)) == page(timeout=1)


def test_a_process_that_cannot_be_started_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(proposing.sys, "executable", str(tmp_path / "nothing"))
    assert told(Taken(BAD)) == page(failed=1)


def test_a_reference_that_the_cluster_does_not_take_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Taken(BAD, refusal=ConnectionError("no leader"))

    async def learned(*_: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(Proposing, "_learned", learned)
    assert told(judge) == page(not_stored=1)
    assert judge.notes == []


def test_a_success_moves_the_time_and_no_count(monkeypatch: pytest.MonkeyPatch) -> None:
    async def learned(*_: Any) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(Proposing, "_learned", learned)
    judge = Taken(BAD)
    assert told(judge) == page(learned=NOW)
    assert len(judge.notes) == 1


def test_the_catalogue_names_every_reason() -> None:
    assert [reason for reason in FAILURES if reason not in m.LEARNING_FAILURES.help] == []
