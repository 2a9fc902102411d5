"""What a person does on the day of an incident, on a real broker beside a worker: explain, verdict, baseline."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.broker import reading, traffic
from tests.broker.process import Worker, running, until
from tests.broker.test_baseline import Application
from tests.brokers import admin
from tests.brokers.admin import Row
from tests.brokers.kafka import Kafka

PER_PANE, PANES, BROKEN = 80, 24, 8


def called(name: str, file: Path, *arguments: object) -> tuple[int, str]:
    """Call a command as a person does; return its exit code and what it said."""
    command = [sys.executable, "-m", "stream.cli", name, *map(str, (file, *arguments))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def rows() -> list[Row]:
    """Return panes of one second; from one of them on no record has an amount."""
    made = []
    for i in range(PER_PANE * PANES):
        amount = None if i // PER_PANE >= BROKEN else 40.0 + i % 20
        ts = traffic.BASE_MS + i * traffic.PANE_MS // PER_PANE
        value = {"type": "fraud", "ts": ts, "mv": "v1", "amount": amount, "country": "DE", "age": 40}
        made.append(Row(json.dumps(value).encode(), None, i % traffic.PARTITIONS))
    return made


@pytest.mark.timeout(180)
def test_an_incident_is_explained_and_judged_beside_a_worker(kafka: Kafka, tmp_path: Path) -> None:
    app = Application(kafka, tmp_path, trained=True)
    text = "".join(app.file.read_text().splitlines(keepends=True)[2:])
    topics = {stream.topic for stream in app.plan.streams}
    for topic in topics:
        asyncio.run(admin.create_topic(app.address, topic, traffic.PARTITIONS))
    (features,) = {stream.topic for stream in app.plan.streams if stream.name == "fraud.features"}

    def missing() -> list[dict[str, object]]:
        found, _ = reading.events(app.address, app.app)
        return [item for item in found if item["check"] == "missing"]

    with running() as workers:
        worker = Worker(tmp_path, "worker", app.address, text).start()
        workers.append(worker)
        until("it is ready", worker.ready)
        asyncio.run(admin.produce(app.address, features, rows()))
        until("the missing values are told", missing, 30, 0.5)
        incident = str(missing()[0]["incident"])

        page = tmp_path / "incident.html"
        code, said = called("explain", app.file, incident[:8], "--html", page)
        assert code == 0, said
        assert "amount has no usable value in" in said
        assert f"verdict {app.file} {incident} false-alarm" in said
        assert "amount has no usable value in" in page.read_text()

        code, said = called("verdict", app.file, incident[:8], "mute", "--for", "1h", "--why", "known")
        assert (code, "nothing is said of what it found until" in said) == (0, True), said
        until("it is over", lambda: missing()[-1]["status"] == "resolved", 20, 0.5)

        first = app.judge().fold.in_force["reference"]
        shown = tmp_path / "baseline.html"
        code, said = app.call("show", "--html", shown)
        assert (code, f"reference {first}, in force" in said) == (0, True), said
        assert "fraud.features" in shown.read_text()
        code, said = app.call("adopt", app.save(tmp_path / "moved.sgb"), "--why", "load test")
        assert (code, f"it was {first}" in said) == (0, True), said
        code, said = app.call("list")
        assert (code, "load test  <- in force" in said) == (0, True), said
        code, said = app.call("show")
        assert (code, first in said.splitlines()[0]) == (0, False), said
        assert worker.stop()[0] == 0, "the worker took the reference and went on"
