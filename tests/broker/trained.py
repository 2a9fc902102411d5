"""Applications whose layout and reference are in force before the first worker starts, so that two runs judge alike.

They are learned by a replay over training records, once per test session, and put into the state topic and the ledger as
a host of the judge would do it.
"""

from __future__ import annotations

import asyncio
import functools
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

from stream.codec import pack
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.kafka.cluster import create_ours
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.layout import Layout
from stream.ledger import adopt_header
from stream.plan import Plan
from stream.replay import Replay
from tests.broker import traffic
from tests.broker.process import KEY


def plan_of(folder: Path, text: str) -> tuple[Plan, bytes]:
    """Return the plan of a configuration, and the key of its category hashes."""
    (folder / "hash.key").write_text(KEY)
    file = folder / "plan.yaml"
    file.write_text(f"kafka: {{brokers: 'localhost:1'}}\nhash_key: {{file: hash.key}}\n{text}")
    settings = load(file)
    return compile_plan(settings), settings.key.secret


@functools.cache
def lesson() -> tuple[Layout, dict[str, Any]]:
    """Return a learned layout and a reference, from a replay over quiet traffic."""
    folder = Path(tempfile.mkdtemp(prefix="training-"))
    plan, key = plan_of(folder, traffic.config("training", "features", "predictions"))
    files = {"features": folder / "features.jsonl", "predictions": folder / "predictions.jsonl"}
    base = traffic.BASE_MS - (traffic.TRAINING_SECONDS + 3600) * 1000
    with files["features"].open("wb") as features, files["predictions"].open("wb") as predictions:
        for batch in traffic.traffic(7, traffic.TRAINING_SECONDS, False, base):
            for sent in batch:
                (features if sent.features else predictions).write((sent.value or b"") + b"\n")
    replay = Replay(plan, files, key, lambda message: None)
    replay.run()
    layout = replay.judge.layout
    assert layout is not None
    assert all(section.learned for section in layout.sections.values())
    reference = replay.judge.reference
    assert sorted(reference.keys() - {"budget"}) == sorted(traffic.STREAMS)
    # No night falls: a recalibration comes when its process is done, so two runs would adopt it at different panes.
    return layout, {**reference, "budget": {"day": date.max.toordinal()}}


async def _prepare(address: str, plan: Plan) -> None:
    learned, reference = lesson()
    sections = {name: item.replace(partitions=traffic.PARTITIONS) for name, item in learned.sections.items()}
    layout = Layout(plan, sections)
    await create_ours(address, plan.app)
    producer = Producer(address)
    store = Store(address, f"{plan.app}.state", producer)
    await producer.start()
    await store.start()
    for what, tree in (("layout", layout.to_dict()), ("reference", reference)):
        name = await store.put_blob(tree, 0)
        await producer.send(f"{plan.app}.ledger", b"note", pack(adopt_header(what, name, None)))
    await store.stop()
    await producer.stop()


def prepare(address: str, folder: Path, text: str) -> Plan:
    """Create the topics of an application and bring layout and reference into force."""
    plan, _ = plan_of(folder, text)
    asyncio.run(_prepare(address, plan))
    return plan
