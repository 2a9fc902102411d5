"""What a worker really serves passes promtool's own lint."""

from __future__ import annotations

import asyncio
import shutil
import subprocess

import aiohttp
import pytest

from stream.serving.exposition import Registry
from stream.serving.metrics import CATALOGUE, process_samples
from stream.serving.web import serve


class Fine:
    def live(self) -> list[str]:
        return []

    def ready(self) -> list[str]:
        return []


async def page(registry: Registry) -> bytes:
    runner = await serve(registry, Fine(), port=0)
    host, port = runner.addresses[0][:2]
    try:
        async with aiohttp.ClientSession() as session, session.get(f"http://{host}:{port}/metrics") as response:
            return await response.read()
    finally:
        await runner.cleanup()


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed (Debian package prometheus)")
def test_the_whole_catalogue_over_http_passes_promtool_check_metrics() -> None:
    registry = Registry()
    for metric in CATALOGUE:
        if metric.name.startswith("streamgauge_"):
            registry.set(metric, tuple(f'{label} "1"\n\\' for label in metric.labels), 1)
    registry.collect(process_samples)
    body = asyncio.run(page(registry))
    assert all(f"# TYPE {metric.name} {metric.kind}\n".encode() in body for metric in CATALOGUE)
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
