"""The monitor of the demo: asked over HTTP, and its end is noticed with its last words."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from stream.demo import monitor as module
from stream.demo.monitor import Monitor, NotRunError

WANTED = [("delays.features", "distance")]
METRICS = """\
# TYPE streamgauge_feature_statistic_per_threshold gauge
streamgauge_feature_statistic_per_threshold{{model="delays",stream="delays.features",feature="{}",check="distance"}} 0.25
"""


@pytest.mark.parametrize(
    ("ready", "field", "armed"), [(200, "distance", True), (503, "distance", False), (200, "temp", False)]
)
def test_armed_means_ready_and_comparing_every_field_that_was_asked_for(ready: int, field: str, armed: bool) -> None:
    async def ask() -> bool:
        async def answer_ready(request: web.Request) -> web.Response:
            return web.Response(status=ready)

        async def answer_metrics(request: web.Request) -> web.Response:
            return web.Response(text=METRICS.format(field))

        app = web.Application()
        app.add_routes([web.get("/ready", answer_ready), web.get("/metrics", answer_metrics)])
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with aiohttp.ClientSession() as http:
            result = await Monitor(Path("unused.yaml"), runner.addresses[0][1]).armed(http, WANTED)
        await runner.cleanup()
        return result

    assert asyncio.run(ask()) is armed


def test_a_monitor_that_does_not_answer_yet_is_not_armed() -> None:
    async def ask() -> bool:
        async with aiohttp.ClientSession() as http:
            return await Monitor(Path("unused.yaml"), module.free_port()).armed(http, WANTED)

    assert asyncio.run(ask()) is False


def test_a_monitor_that_ends_is_noticed_and_its_last_line_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("app: sg-test\n")

    async def run() -> None:
        monitor = Monitor(file, module.free_port())
        async with monitor.running():
            while True:
                monitor.check()
                await asyncio.sleep(0.05)

    with pytest.raises(NotRunError, match=r"^streamgauge run ended with exit code [1-9]\d*: .+"):
        asyncio.run(run())
    assert (tmp_path / "run.log").read_text()
