"""What is watched in every chaos run: the two models of the kill test, and a third one, whose topic suffers.

``features`` and ``predictions`` carry the traffic of `tests.broker.traffic`; what is said of them must equal an undisturbed
run to the byte. ``orders`` gets the faults that change the input itself (partitions added, topic recreated, unread records
deleted); it is held against the producer's side file alone. The names are the same in every run, so the ids of incidents are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stream.codec import pack
from stream.kafka.cluster import create_ours
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.layout import Layout, layout_zero
from stream.ledger import adopt_header
from tests.broker import traffic
from tests.broker.traffic import Sent
from tests.broker.trained import lesson, plan_of

APP = "chaos"
FEATURES, PREDICTIONS, ORDERS = "features", "predictions", "orders"
PARTITIONS = {FEATURES: traffic.PARTITIONS, PREDICTIONS: traffic.PARTITIONS, ORDERS: 2}
TOPIC_OF = {
    "fraud.features": FEATURES,
    "credit.features": FEATURES,
    "fraud.predictions": PREDICTIONS,
    "shop.features": ORDERS,
}
FIELDS = {**traffic.FIELDS, "shop.features": ("x",)}
SEED = 1
"""Of the records: the same in every run, so that one undisturbed run serves them all."""

ORDERS_RATE = 24

TEXT = (
    traffic.config(APP, FEATURES, PREDICTIONS)
    + f"""  shop:
    owner: orders
    decision: reorder
    when_wrong: a person decides
    features: {{topic: {ORDERS}, time: {{field: ts, unit: ms}}, fields: {{x: }}}}
"""
)


def orders(second: int) -> list[bytes | None]:
    """Return the values of the orders of a second of event time; now and then one is late, unreadable or a tombstone."""
    rng = np.random.default_rng((SEED, second))
    found: list[bytes | None] = []
    for at in sorted(rng.integers(1000, size=ORDERS_RATE)):
        luck = rng.random()
        late = 20_000 if 0.02 < luck < 0.03 else 0
        row = {"x": int(rng.integers(100)), "ts": traffic.BASE_MS + second * 1000 + int(at) - late}
        found.append(b"{oops" if luck < 0.01 else None if luck < 0.02 else json.dumps(row).encode())
    return found


def batches() -> Iterator[list[tuple[str, int, bytes | None]]]:
    """Yield (topic, partition, value) of each second of event time, orders apart."""
    for batch in traffic.traffic(SEED, traffic.SECONDS, True):
        yield [_planned(sent) for sent in batch]


def farewell() -> list[tuple[str, int, bytes | None]]:
    """Return the records that close every pane of the two models."""
    return [_planned(sent) for sent in traffic.farewell()]


def farewell_order(n: int) -> bytes:
    """Return one of the orders that close every pane of the shop: two are needed per partition, one clock may be wrong."""
    return json.dumps({"x": n, "ts": traffic.BASE_MS + (traffic.SECONDS + 60) * 1000}).encode()


def _planned(sent: Sent) -> tuple[str, int, bytes | None]:
    return (FEATURES if sent.features else PREDICTIONS, sent.partition, sent.value)


def prepare(address: str, folder: Path) -> None:
    """Create our topics and bring into force what was learned of the two models in a replay, as a host of the judge would."""
    plan, _ = plan_of(folder, TEXT)
    learned, reference = lesson()
    known = {name: item.replace(partitions=traffic.PARTITIONS) for name, item in learned.sections.items()}
    layout = layout_zero(plan, PARTITIONS, Layout(plan, known))

    async def put() -> None:
        await create_ours(address, APP)
        producer = Producer(address)
        store = Store(address, f"{APP}.state", producer)
        await producer.start()
        await store.start()
        for what, tree in (("layout", layout.to_dict()), ("reference", reference)):
            name = await store.put_blob(tree, 0)
            await producer.send(f"{APP}.ledger", b"note", pack(adopt_header(what, name, None)))
        await store.stop()
        await producer.stop()

    asyncio.run(put())
