"""kill -9 of one of two workers, again and again, while records flow: nothing is lost, nothing is counted twice.

A second application reads the same topics undisturbed. Everything it says is what the killed one must say, and everything
that can be counted of the input is counted a third time by the test itself (`tests.broker.traffic`).
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer

from stream.codec import unpack
from stream.counts import TYPES
from stream.demo.broker import EmbeddedBroker
from tests.broker import reading, traffic
from tests.broker.process import Worker, running, until
from tests.broker.trained import prepare
from tests.brokers import admin
from tests.brokers.kafka import Kafka

SPEED = 5.0
"""Seconds of event time per second."""

KILLS = {Kafka.kind: 4}
FEWER = 1
"""How many kills; on the embedded broker a group takes 20 s to notice one."""

SLACK = 12
"""Seconds of traffic that may pass between the moment at which a kill is due and the kill."""


@dataclass
class Run:
    """What happened.

    Attributes:
        sent: everything that was sent. second: how far the traffic has come.
        due: seconds of the traffic at which a worker is to be killed. kills: for each kill, whether it was the judge.
    """

    due: list[int]
    sent: list[traffic.Sent] = field(default_factory=list)
    second: int = 0
    kills: list[bool] = field(default_factory=list)

    @property
    def overdue(self) -> bool:
        return sum(second + SLACK < self.second for second in self.due) > len(self.kills)


async def holds(condition: Callable[[], bool]) -> None:
    """Wait until something holds that other processes bring about."""
    while not condition():  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(0.05)


async def produce(address: str, topics: dict[bool, str], seed: int, run: Run) -> None:
    """Send the traffic at its pace; a partition's records arrive in the order in which they are listed."""
    producer = AIOKafkaProducer(bootstrap_servers=address, acks="all", linger_ms=5)
    await producer.start()
    for batch in [*traffic.traffic(seed, traffic.SECONDS, True), traffic.farewell()]:
        begun = time.monotonic()
        await holds(lambda: not run.overdue)
        acknowledged = []
        for sent in batch:
            acknowledged.append(await producer.send(topics[sent.features], sent.value, b"key", sent.partition))
            run.sent.append(sent)
        await asyncio.gather(*acknowledged)
        run.second += 1
        await asyncio.sleep(max(0.0, begun + 1 / SPEED - time.monotonic()))
    await producer.stop()


async def torment(workers: list[Worker], rng: np.random.Generator, run: Run) -> None:
    """Kill a worker that owns something when it is due, every third time the judge; start it again a moment later."""
    for second in run.due:
        await holds(lambda due=second: run.second >= due and any(worker.owns[0] for worker in workers))
        await asyncio.sleep(float(rng.uniform(0, 0.5)))
        owners = [worker for worker in workers if worker.owns != (0, False)]
        chosen = [worker for worker in owners if worker.owns[1] or len(run.kills) % 3 != 1] or owners
        victim = chosen[int(rng.integers(len(chosen)))]
        run.kills.append(victim.owns[1])
        await asyncio.to_thread(victim.kill)
        await asyncio.sleep(float(rng.uniform(0, 2)))
        victim.start()


async def disturbed(address: str, topics: dict[bool, str], workers: list[Worker], seed: int, kills: int) -> Run:
    """Send and kill at once, until everything is sent."""
    rng = np.random.default_rng(seed)
    run = Run(sorted(rng.choice(np.arange(8, traffic.SECONDS - 10), kills, replace=False).tolist()))
    await asyncio.gather(produce(address, topics, seed, run), torment(workers, rng, run))
    return run


def shape(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return what two applications must agree on: the incident (its application apart), and what was said of it."""
    labels = event["labels"]
    start = event["incident"].removeprefix(event["fingerprint"])
    said = (event["seq"], event["status"], event["severity"], event["value"], event["threshold"], event["n"])
    return (labels["stream"], event["check"], labels["subject"], labels["reason"], start, *said, event["endsAt"])


def counted(pane: dict[str, Any]) -> Counter[Any]:
    """Return the numbers of a stored pane that the input can be held against."""
    counts = pane["counts"]
    found: Counter[Any] = Counter(
        applied=counts["applied"], late=counts["late"], rejected=sum(counts["rejected"].values())
    )
    for _, group in counts["groups"]:
        for name, types in zip(pane["fields"], group["types"], strict=True):
            found.update({(name, kind): int(n) for kind, n in zip(TYPES, types, strict=True)})
    return +found


def ends(address: str, topics: dict[bool, str]) -> dict[tuple[str, int], int]:
    """Return how many records each input partition holds."""
    held: Counter[tuple[str, int]] = Counter()
    for topic in topics.values():
        held.update((topic, record.partition) for record in reading.read(address, topic))
    return dict(held)


@pytest.mark.timeout(420)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_killed_workers_count_every_record_once(broker: Kafka | EmbeddedBroker, tmp_path: Path, seed: int) -> None:
    """P1, P3 and P4 under kill -9."""
    address, begun = broker.address, time.monotonic()
    topics = {True: admin.unique("features"), False: admin.unique("predictions")}
    for topic in topics.values():
        asyncio.run(admin.create_topic(address, topic, traffic.PARTITIONS))
    calm, killed = admin.unique("calm"), admin.unique("killed")
    texts = {app: traffic.config(app, topics[True], topics[False]) for app in (calm, killed)}
    for text in texts.values():
        prepare(address, tmp_path, text)

    with running() as workers:
        workers += [Worker(tmp_path, "calm", address, texts[calm])]
        workers += [Worker(tmp_path, f"killed-{n}", address, texts[killed]) for n in range(2)]
        for worker in workers:
            worker.start()
        until("all workers are ready", lambda: all(worker.ready() for worker in workers), step=0.5)
        until("every partition is opened", lambda: all(len(reading.Ledger.of(address, a).next) == 8 for a in texts))
        kills = KILLS.get(broker.kind, FEWER)
        run = asyncio.run(disturbed(address, topics, workers[1:], seed, kills))
        goal = ends(address, topics)
        last = {f"{stream}/{traffic.BASE_MS // traffic.PANE_MS + traffic.SECONDS - 1}" for stream in traffic.STREAMS}
        for app in texts:
            until(f"{app} has read everything", lambda app=app: reading.Ledger.of(address, app).next == goal, step=1)
            until(f"{app} closed its panes", lambda app=app: last <= reading.panes(address, app)[0].keys(), step=1)
        stopped = [worker.stop() for worker in workers]

    assert [code for code, _ in stopped] == [0, 0, 0]
    assert len(run.kills) == kills, "the faults did not happen"
    ledgers = {app: reading.Ledger.of(address, app) for app in texts}
    want = traffic.expected(run.sent)
    held = {topic: [record.value for record in reading.read(address, topic)] for topic in topics.values()}
    for features, topic in topics.items():
        sent = [
            s.value for p in range(traffic.PARTITIONS) for s in run.sent if (s.features, s.partition) == (features, p)
        ]
        assert held[topic] == sent, "the producer's own list differs from the topic"

    for app, ledger in ledgers.items():
        assert {(stream, p): +classes for (stream, _, p), classes in ledger.classes.items()} == want.classes, app

    panes = {app: reading.panes(address, app) for app in texts}
    trees = {app: {key: unpack(value)[1] for key, value in found.items()} for app, (found, _) in panes.items()}
    for app, closed in trees.items():
        assert not any(pane["partial"] or pane["history"] for pane in closed.values()), app
        assert {key: counted(pane) for key, pane in closed.items()} == {
            f"{stream}/{index}": +counts
            for (stream, index), counts in want.panes.items()
            if f"{stream}/{index}" in closed
        }
        assert last <= closed.keys()
    assert panes[calm][0] == panes[killed][0], "a closed pane differs from the undisturbed one"

    said = {app: reading.events(address, app) for app in texts}
    shapes = {app: Counter(map(shape, found)) for app, (found, _) in said.items()}
    assert shapes[killed] == shapes[calm]
    checks = {(item[0], item[1]) for item in shapes[calm]}
    assert checks >= {
        ("fraud.features", "missing"),
        ("credit.features", "schema"),
        ("fraud.predictions", "rejected"),
        ("fraud.predictions", "drift"),
    }
    longest = {app: max(gap(times) for times in ledger.written.values()) for app, ledger in ledgers.items()}
    print(
        f"{broker.kind}, seed {seed}: {len(run.sent)} records, {len(run.kills)} kills "
        f"({sum(run.kills)} of the judge), {len(shapes[calm])} alert events of "
        f"{len({item[:5] for item in shapes[calm]})} incidents, {len(panes[killed][0])} panes; "
        f"written again: {said[killed][1]} events, {panes[killed][1]} panes; dropped ledger records: "
        f"{dict(+ledgers[killed].dropped)} of {ledgers[killed].entries} entries, undisturbed {dict(+ledgers[calm].dropped)}; "
        f"longest time without an entry of a partition {longest[killed]:.1f} s, undisturbed {longest[calm]:.1f} s; "
        f"{time.monotonic() - begun:.0f} s"
    )


def gap(times: list[int]) -> float:
    """Return the longest time between two entries, in seconds."""
    return max((b - a for a, b in itertools.pairwise(times)), default=0) / 1000
