"""The page that Prometheus reads, with 50,000 series: how long it takes, and how long the event loop stands still meanwhile.

The series are real ones: a judge with 28 streams of 200 features behind the callbacks of a worker, cut off at 50,000. The page is
scraped over HTTP by another process while a task of the loop notes how late it is woken.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from benchmarks.judging import FIRST, Draw, learned_wide
from benchmarks.monitor import Learned, Monitor, plan_of
from stream.app import spare_the_collector
from stream.layout import MAX_FIELDS
from stream.panes import ClosedPane
from stream.serving.exposition import Registry
from stream.serving.gauges import attach
from stream.serving.watchdog import Progress
from stream.serving.web import MIN_AGE_S, serve
from stream.worker import Worker

STREAMS = 28
SERIES = 50_000
PANES = 210
"""So many that nearly every rule is armed and has a statistic to show."""
PAGES = 20
SCRAPES = 10
NAP_S = 0.0005

_SCRAPE = "import sys, urllib.request; sys.stdout.write(str(len(urllib.request.urlopen(sys.argv[1]).read())))"


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, details)."""
    registry = registry_of(learned_wide(), PANES)
    spare_the_collector()
    return asyncio.run(_measure(registry, max(int(PAGES * scale), 4), max(int(SCRAPES * scale), 3)))


def registry_of(learned: Learned, panes: int) -> Registry:
    """Return the registry of a worker whose judge has seen so many panes of each stream: of the first, and the others alike."""
    judge = Monitor(plan_of(STREAMS), 1, learned).judge
    draw = Draw(learned)
    first, *others = judge.watches.values()
    for index in range(FIRST, FIRST + panes):
        pane = ClosedPane(first.plan.name, index, first.section, draw.pane(60_000), np.ones(MAX_FIELDS, np.bool_))
        first.bank.judge(pane)
    for watch in others:
        watch.bank.restore(first.bank.state())
    host = SimpleNamespace(
        judge=judge,
        heartbeat=0.0,
        refusals={},
        failed_sends=0,
        host=SimpleNamespace(published=0),
        checkpointed=0.0,
        events={},
    )
    worker = SimpleNamespace(
        ledger=SimpleNamespace(fold=judge.fold),
        layout=judge.layout,
        plan=judge.layout and judge.layout.plan,
        version="0",
        python="3",
        host=host,
        tapping=SimpleNamespace(lanes={}),
        rebalances=0,
        started_at=0,
        dropped_before=0,
        progress=Progress(),
        speaks=True,
    )
    registry = Registry(max_series=SERIES)
    attach(registry, cast(Worker, worker))
    return registry


async def _measure(registry: Registry, pages: int, scrapes: int) -> tuple[dict[str, float], Any]:
    rendered, cpu = [], []
    for _ in range(pages):
        begun, begun_cpu = time.perf_counter(), time.process_time()
        page = b"".join([piece async for piece in registry.render()])
        rendered.append(1000 * (time.perf_counter() - begun))
        cpu.append(1000 * (time.process_time() - begun_cpu))
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    gaps, took = await _scraped(registry, scrapes)
    quiet = asyncio.create_task(_lateness())
    await asyncio.sleep(1)
    quiet.cancel()
    figures = {
        "metrics_page": statistics.median(rendered[1:]),
        "metrics_first_page": rendered[0],
        "metrics_loop_gap": max(gaps),
        "metrics_scrape": statistics.median(took),
    }
    details = {
        "series": series,
        "page_bytes": len(page),
        "page_cpu_ms": statistics.median(cpu[1:]),
        "gaps_ms": gaps,
        "gap_ms_of_an_idle_loop": 1000 * await quiet,  # what the machine itself does to a loop
    }
    return figures, details


async def _scraped(registry: Registry, scrapes: int) -> tuple[list[float], list[float]]:
    """Return, for each scrape, ms by which the loop was late at worst and ms until the page was read."""
    runner = await serve(registry, Healthy(), port=0)
    url = "http://{}:{}/metrics".format(*runner.addresses[0][:2])
    gaps, took = [], []
    for _ in range(scrapes):
        await asyncio.sleep(1.2 * MIN_AGE_S)  # or the page before would be sent again
        scraper = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SCRAPE, url, stdout=asyncio.subprocess.PIPE
        )
        watch = asyncio.create_task(_lateness())
        begun = time.perf_counter()
        await scraper.communicate()
        took.append(1000 * (time.perf_counter() - begun))
        watch.cancel()
        gaps.append(1000 * await watch)
    await runner.cleanup()
    return gaps, took


async def _lateness() -> float:
    """Return, once cancelled, by how many seconds the loop was late at worst for a timer of half a millisecond."""
    worst = 0.0
    try:
        while True:
            due = time.perf_counter() + NAP_S
            await asyncio.sleep(NAP_S)
            worst = max(worst, time.perf_counter() - due)
    except asyncio.CancelledError:
        return worst


class Healthy:
    """A worker without complaints."""

    def live(self) -> list[str]:
        return []

    def ready(self) -> list[str]:
        return []
