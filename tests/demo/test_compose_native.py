"""The processes of docker-compose.yml, run natively: the same commands and the same configuration, only other addresses."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from stream.demo.broker import EmbeddedBroker
from stream.kafka.cluster import describe
from tests.broker.process import until
from tests.brokers.kafka import Kafka, free_port

ROOT = Path(__file__).parents[2]
IN_COMPOSE = "/etc/streamgauge/streamgauge.yaml"


def command(service: str, config: Path, broker: str) -> list[str]:
    """Return the command of a service with native addresses."""
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    words = services[service]["command"]
    native = {IN_COMPOSE: str(config), "kafka:19092": broker, "/tmp": str(config.parent)}
    return [sys.executable, "-m", "stream.cli", *(native.get(word, word) for word in words)]


@contextmanager
def started(words: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        process = subprocess.Popen(words, cwd=ROOT, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def samples(port: int, name: str) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        lines = [line.rsplit(" ", 1) for line in page.read().decode().splitlines() if line.startswith(name + "{")]
    return {series: float(value) for series, value in lines}


def test_topics_flights_and_monitor_work_together(broker: Kafka | EmbeddedBroker, tmp_path: Path) -> None:
    """Topics are made, flights are sent, the monitor reads them all and every record is accounted for."""
    port = free_port()
    config = tmp_path / "streamgauge.yaml"
    text = (ROOT / "docs" / "demo.yaml").read_text()
    text = text.replace("kafka:19092", broker.address).replace('{host: "0.0.0.0", insecure: true}', f"{{port: {port}}}")
    config.write_text(text)
    subprocess.run(command("topics", config, broker.address), cwd=ROOT, check=True, timeout=60)

    def applied() -> float:
        try:
            return sum(
                value for series, value in samples(port, "streamgauge_records_total").items() if "applied" in series
            )
        except OSError:
            return 0.0

    def exist() -> bool:
        topics = [f"flights.{role}" for role in ("features", "predictions", "outcomes")]
        return len(asyncio.run(describe(broker.address, topics))) == len(topics)

    with started(command("flights", config, broker.address), tmp_path / "flights.log"):
        until("flights are sent", exist, 120, step=1.0)
        with started(command("monitor", config, broker.address), tmp_path / "monitor.log"):
            until("the history is read", lambda: applied() > 100_000, 120, step=1.0)
            differences = samples(port, "streamgauge_accounting_difference_records")
    assert differences
    assert set(differences.values()) == {0.0}
