"""``streamgauge verdict`` on a real broker: what a person says reaches the incident, the topic of alerts, and a restart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.broker import reading
from tests.broker.bench import Bench
from tests.broker.process import Worker, running, until
from tests.brokers.kafka import Kafka


def verdict(worker: Worker, *arguments: str) -> tuple[int, str]:
    """Call the command as a person does; return its exit code and what it said."""
    file = worker.command[worker.command.index("-c") + 1]
    command = [sys.executable, "-m", "stream.cli", "verdict", file, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def told(bench: Bench, incident: str) -> list[str]:
    """Return what became of an incident, in order."""
    found, _ = reading.events(bench.address, bench.app)
    return [f"{item['status']} {item['severity']}" for item in found if item["incident"] == incident]


def ticked(worker: Worker) -> float:
    """Return the wall clock (s) of the newest tick of the ledger."""
    return worker.metric("streamgauge_ledger_tick_timestamp_seconds")[""]


def newest(bench: Bench, incident: str) -> dict[str, Any]:
    found, _ = reading.events(bench.address, bench.app)
    return [item for item in found if item["incident"] == incident][-1]


@pytest.mark.timeout(420)
def test_a_page_becomes_a_ticket_and_ends_by_a_second_verdict(kafka: Kafka, tmp_path: Path) -> None:
    """The stream falls silent. What was said survives kill -9, and is told once."""
    bench = Bench(kafka, tmp_path)
    bench.text = bench.text.replace("fields: {x: }", "silence: 4s, fields: {x: {required: true}}")
    with running() as workers:
        worker = bench.worker().start()
        workers.append(worker)
        until("it is ready", worker.ready)
        code, said = verdict(worker, "abcdef", "incident", "--why", "x")
        assert (code, "none is open" in said) == (66, True), said
        bench.send(100)
        bench.settled(applied=100)
        until("the silence is told", lambda: ("volume", "silent", "firing") in bench.events(), 60, 0.5)
        found, _ = reading.events(bench.address, bench.app)
        (event,) = [item for item in found if item["labels"]["reason"] == "silent"]
        assert event["severity"] == "page"
        incident = event["incident"]

        code, said = verdict(worker, incident[:8], "incident", "--why", "the producer was stopped")
        assert (code, said.splitlines()[1].startswith("It stays open, as a ticket")) == (0, True), said
        until("the page is a ticket", lambda: told(bench, incident) == ["firing page", "updated ticket"], 20, 0.5)
        description = newest(bench, incident)["annotations"]["description"]
        assert "says that this is an incident: The producer was stopped." in description
        assert any('severity="ticket"' in labels for labels in worker.metric("streamgauge_incident"))

        worker.kill()
        worker.start()
        until("it is ready again", worker.ready)
        code, said = verdict(worker, event["fingerprint"], "mute", "--for", "1h", "--why", "until Monday")
        assert (code, "nothing is said of what it found until" in said) == (0, True), said
        expected = ["firing page", "updated ticket", "resolved ticket"]
        until("it is over", lambda: told(bench, incident) == expected, 30, 0.5)
        given = reading.decisions(bench.address, bench.app)
        assert [(item["verdict"], item["incident"], item["why"]) for item in given] == [
            ("incident", incident, "the producer was stopped"),
            ("mute", incident, "until Monday"),
        ]
        said_at = ticked(worker)
        until("ticks find the silence again", lambda: ticked(worker) >= said_at + 8, 30, 0.5)
        assert worker.stop()[0] == 0
    assert told(bench, incident) == expected, "a muted finding was told"
    keys = {record.key for record in reading.read(bench.address, f"{bench.app}.alerts.state")}
    assert keys == {event["fingerprint"].encode()}, "a decision is no state of an alert"
