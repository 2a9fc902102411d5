"""Where did it move: a worker finds that amounts moved, `explain` reads the topic again and names the country they moved in."""

from __future__ import annotations

import asyncio
import html
import json
import math
import random
from pathlib import Path

import pytest

from tests.broker import reading, traffic
from tests.broker.process import Worker, running, until
from tests.broker.test_baseline import Application
from tests.broker.test_by_hand import called
from tests.brokers import admin
from tests.brokers.admin import Row
from tests.brokers.kafka import Kafka

PER_PANE, PANES, BROKEN = 200, 60, 30


def rows() -> list[Row]:
    """Return panes of one second; from one of them on the amounts of one country are twenty times as large."""
    rng, made = random.Random(1), []
    for i in range(PER_PANE * PANES):
        country = rng.choice(["DE", "FR", "NO"])
        amount = math.exp(rng.gauss(3, 1)) * (20 if country == "DE" and i // PER_PANE >= BROKEN else 1)
        ts = traffic.BASE_MS + i * traffic.PANE_MS // PER_PANE
        value = {"type": "fraud", "ts": ts, "mv": "v1", "amount": round(amount, 2), "country": country, "age": 40}
        made.append(Row(json.dumps(value).encode(), None, i % traffic.PARTITIONS, ts))
    return made


@pytest.mark.timeout(180)
def test_explain_names_the_segment_that_moved(kafka: Kafka, tmp_path: Path) -> None:
    """Of a field that may not be shown by a number; without the topic everything else is still said."""
    app = Application(kafka, tmp_path, trained=True)
    text = app.file.read_text()
    app.file.write_text(text.replace("fields: {amount: {", "segments: [country, age], fields: {amount: {"))
    for topic in {stream.topic for stream in app.plan.streams}:
        asyncio.run(admin.create_topic(app.address, topic, traffic.PARTITIONS, retention_ms="-1"))
    (features,) = {stream.topic for stream in app.plan.streams if stream.name == "fraud.features"}

    def drifts() -> list[dict[str, object]]:
        found, _ = reading.events(app.address, app.app)
        return [item for item in found if item["check"] == "drift" and item["labels"]["subject"] == "amount"]

    with running() as workers:
        worker = Worker(tmp_path, "worker", app.address, "".join(text.splitlines(keepends=True)[2:])).start()
        workers.append(worker)
        until("it is ready", worker.ready)
        asyncio.run(admin.produce(app.address, features, rows()))
        until("the drift is told", drifts, 30, 0.5)
        assert worker.stop()[0] == 0
    incident, page = str(drifts()[0]["incident"]), tmp_path / "incident.html"

    code, said = called("explain", app.file, incident, "--html", page)
    assert code == 0, said
    lines = [line.strip() for line in said.replace("\n        ", " ").splitlines()]
    at = next(i for i, line in enumerate(lines) if line.startswith("by country: of the change"))
    first = lines[at + 1]
    assert first.startswith("category "), said
    assert int(first.split(": ")[-1].split(" %")[0]) > 90, said
    assert "there as before" in lines[at + 2], said
    assert "those just before it began" in " ".join(lines), said
    assert "age is a number and no segment" in " ".join(lines), said
    assert first in html.unescape(page.read_text())
    assert not {"DE", "FR", "NO"} & set(said.replace(":", " ").split())

    asyncio.run(admin.delete_topic(app.address, features))
    until(
        "the topic is gone",
        lambda: "No table of segments" in " ".join(called("explain", app.file, incident)[1].split()),
    )
    code, said = called("explain", app.file, incident)
    assert code == 0
    assert f"No table of segments: topic {features} is not there any more" in " ".join(said.split())
