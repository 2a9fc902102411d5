"""`streamgauge demo`: broker, topics, history, the monitor as it is, seven faults, and the account of it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.demo import config, data
from stream.demo.broker import BrokerMissingError, EmbeddedBroker
from stream.demo.ending import ending, pages
from stream.demo.faults import schedule
from stream.demo.live import View
from stream.demo.monitor import Monitor, NotRunError, free_port
from stream.demo.producer import Producer, wall_ms
from stream.demo.report import GRACE_MS, Alert, Report, judge
from stream.demo.scorer import learned
from stream.demo.timeline import FEATURES, HISTORY_DAYS, PANE_MS, PREDICTIONS, STREAMS, TOPICS, Clock, Timeline
from stream.judging.decision import is_decision

PASSED, FAILED, NOT_RUN = 0, 1, 2
"""Exit codes: all faults detected and no false page; a fault missed or a page false; the demo could not be run."""
PARTITIONS = 2
LEAD_PANES = 2
"""Panes between the moment at which the monitor is ready and the first fault."""
PATIENCE_S = 180
ALONE_S = 60
"""Without a monitor of its own the demo cannot ask whether it is ready: faults begin after a minute."""
STEP_S = 0.2
QUICK = ("--rebalance-timeout=4", "--session-timeout=8")
"""The embedded broker keeps a joining worker waiting for half the rebalance time-out: 15 s at the default."""

Tasks = list[asyncio.Task[None]]


_YEAR = "streamgauge demo --year is another one: a whole year in its own time, nothing broken (demo --year --help)."


def main(argv: list[str] | None = None) -> int:
    """Run the demo and return its exit code.

    Args:
        argv: the arguments after ``streamgauge demo``; those of the process by default.
    """
    parser = argparse.ArgumentParser("streamgauge demo", description=__doc__, epilog=_YEAR)
    parser.add_argument("--seed", type=int, default=1, help="moves the faults and their order (default: 1)")
    parser.add_argument("--brokers", help="HOST:PORT of a cluster to use instead of the embedded broker")
    parser.add_argument("--no-monitor", action="store_true", help="only produce, round after round, until interrupted")
    parser.add_argument("--app", default=config.APP, help="prefix of the monitor's topics; a new name is a new history")
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder for demo.json, configuration and logs")
    arguments = parser.parse_args(argv)
    started_ms = wall_ms()
    # Stopped by a supervisor or by hand, the broker and the monitor must end with the demo.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder: Path = arguments.out / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    alerts: list[Alert] = []
    try:
        with View() as view, _broker(arguments.brokers, folder) as brokers:
            if arguments.no_monitor:
                asyncio.run(_produce(arguments.seed, brokers, folder, view))
            options = QUICK if arguments.brokers is None else ()
            monitor = Monitor(folder / "streamgauge.yaml", free_port(), options)
            monitor.file.write_text(config.text(brokers, monitor.port, arguments.app))
            report = asyncio.run(_demo(arguments.seed, brokers, arguments.app, monitor, view, alerts, started_ms))
    except (NotRunError, BrokerMissingError, data.DataMissingError, KafkaError) as error:
        sys.stderr.write(f"streamgauge demo: {error}\n")
        return NOT_RUN
    except KeyboardInterrupt:
        return NOT_RUN
    (arguments.out / "demo.json").write_text(report.to_json())
    (folder / "alerts.txt").write_text(pages(alerts))
    view.end(ending(report, arguments.out, view.room))
    return PASSED if report.passed else FAILED


@contextlib.contextmanager
def _broker(brokers: str | None, folder: Path) -> Iterator[str]:
    """Yield the address of the cluster: the given one, or that of a broker that lives as long as the demo."""
    if brokers is not None:
        yield brokers
        return
    with (folder / "broker.log").open("wb") as log:
        broker = EmbeddedBroker(log).start()
        try:
            yield broker.address
        finally:
            broker.stop()


async def _demo(
    seed: int, brokers: str, app: str, monitor: Monitor, view: View, alerts: list[Alert], started_ms: int
) -> Report:
    """Run the demo and judge it; ``alerts`` takes the events of the alerts topic as they come."""
    topics = asyncio.create_task(monitor.create_topics())  # takes seconds, most of them imports: beside the loading
    async with _loaded(brokers, monitor.file.parent, view) as producer:
        await topics
        view.phase(f"starting the monitor: streamgauge run {monitor.file}")
        reader = _read(brokers, f"{app}.alerts", started_ms, alerts, view)
        async with monitor.running(), _background(producer.live(), reader) as tasks:
            await _until_armed(monitor, producer, view, tasks)
            producer.faults = schedule(seed, _edge(wall_ms()) + LEAD_PANES * PANE_MS)
            view.round(producer.faults)
            view.phase("the monitor is ready; seven faults follow")
            last_ms = producer.faults[-1].end_ms
            while wall_ms() < last_ms or (
                wall_ms() < last_ms + GRACE_MS and len(view.board.found) < len(producer.faults)
            ):
                await _step(producer, view, tasks)
                monitor.check()
    return judge(producer.faults, alerts, started_ms)


async def _produce(seed: int, brokers: str, folder: Path, view: View) -> None:
    """Only produce: rounds of seven faults, each with the next seed, until the process is interrupted."""
    async with _loaded(brokers, folder, view) as producer, _background(producer.live()) as tasks:
        while True:
            producer.faults = schedule(seed, _edge(wall_ms()) + ALONE_S * 1000)
            view.round(producer.faults)
            view.phase(f"round with seed {seed}; the first fault comes in {ALONE_S} s")
            while wall_ms() < producer.faults[-1].end_ms:
                await _step(producer, view, tasks)
            seed += 1


@contextlib.asynccontextmanager
async def _loaded(brokers: str, folder: Path, view: View) -> AsyncIterator[Producer]:
    """Yield a producer that has sent the history."""
    view.phase("reading the flights of 2013; the model learns January")
    await _create_topics(brokers)
    flights = await asyncio.to_thread(data.load)
    scorer = await asyncio.to_thread(learned, flights, folder / "scorer.json")
    timeline = Timeline(flights, scorer.score(flights), Clock.starting(wall_ms()))
    async with Producer(brokers, timeline) as producer:
        view.phase(f"sending {HISTORY_DAYS} days of history")
        await producer.preload()
        yield producer


async def _create_topics(brokers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    try:
        response = await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in TOPICS])
    finally:
        await admin.close()
    for topic, code, *_ in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise NotRunError(f"cannot create topic {topic}: {error.__name__}")


async def _until_armed(monitor: Monitor, producer: Producer, view: View, tasks: Tasks) -> None:
    """Wait until the monitor watches the distributions of the features and of the scores."""
    view.phase("the monitor reads the history and learns what is normal")
    deadline_ms = wall_ms() + PATIENCE_S * 1000
    fields = [(STREAMS[FEATURES], "distance"), (STREAMS[PREDICTIONS], "score")]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while not await monitor.armed(http, fields):
            if wall_ms() > deadline_ms:
                raise NotRunError(f"the monitor was not ready after {PATIENCE_S} s; see {monitor.file.parent}/run.log")
            await _step(producer, view, tasks)
            monitor.check()


async def _step(producer: Producer, view: View, tasks: Tasks) -> None:
    """Let a moment pass, and raise when something in the background has failed."""
    await asyncio.sleep(STEP_S)
    now_ms = wall_ms()
    view.at(now_ms, producer.clock.date(now_ms), sum(producer.sent.values()))
    for task in tasks:
        if task.done():
            task.result()


@contextlib.asynccontextmanager
async def _background(*coroutines: Coroutine[Any, Any, None]) -> AsyncIterator[Tasks]:
    """Run coroutines that never end until the block is left."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(brokers: str, topic: str, started_ms: int, alerts: list[Alert], view: View) -> None:
    """Collect the events of the alerts topic, for ever. What an earlier run left there is passed over."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async for record in consumer:
            event = orjson.loads(record.value) if record.value is not None and record.timestamp >= started_ms else None
            if event is not None and not is_decision(event):
                alerts.append(Alert(record.timestamp, event))
                view.alert(alerts[-1])
    finally:
        await consumer.stop()


def _edge(ms: int) -> int:
    """Return the next edge of a pane."""
    return (ms // PANE_MS + 1) * PANE_MS


if __name__ == "__main__":
    sys.exit(main())
