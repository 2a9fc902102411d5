"""``streamgauge baseline`` on a real broker: what is in force is shown; another reference comes into force and goes."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from stream.codec import digest
from stream.commands.baseline_file import Saved, write
from stream.commands.standing import judge
from stream.judge import Judge
from stream.kafka.cluster import create_ours
from stream.plan import Plan
from tests.broker import traffic
from tests.broker.process import KEY
from tests.broker.trained import lesson, plan_of, prepare
from tests.brokers import admin
from tests.brokers.admin import unique
from tests.brokers.kafka import Kafka


class Application:
    """One that is configured; ``trained`` says whether layout and reference are in force."""

    def __init__(self, kafka: Kafka, folder: Path, trained: bool) -> None:
        self.address, self.app = kafka.address, unique("baseline")
        features, predictions = unique("features"), unique("predictions")
        text = traffic.config(self.app, features, predictions)
        self.file = folder / f"{self.app}.yaml"
        self.plan: Plan = prepare(self.address, folder, text) if trained else plan_of(folder, text)[0]
        (folder / "hash.key").write_text(KEY)
        self.file.write_text(f"kafka: {{brokers: '{self.address}'}}\nhash_key: {{file: hash.key}}\n{text}")
        if not trained:
            for topic in (features, predictions):
                asyncio.run(admin.create_topic(self.address, topic, traffic.PARTITIONS))
            asyncio.run(create_ours(self.address, self.app))

    def call(self, *arguments: object) -> tuple[int, str]:
        command = [sys.executable, "-m", "stream.cli", "baseline", *map(str, arguments), "-c", str(self.file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout + done.stderr

    def judge(self) -> Judge:
        """Return the judge as anybody reads it."""
        found = asyncio.run(judge(self.address, self.app))
        assert found is not None
        return found

    def save(self, file: Path, **plan: object) -> Path:
        """Write the lesson of the session as a file of this application, with shares that moved."""
        layout, reference = lesson()
        tree = reference["fraud.features"]
        shares = np.where(np.arange(36) == 3, tree["shares"] + 0.2, tree["shares"])
        moved = {**reference, "fraud.features": {**tree, "shares": shares}}
        write(file, Saved(dataclasses.replace(layout, plan=dataclasses.replace(self.plan, **plan)), moved))  # type: ignore[arg-type]
        return file


@pytest.mark.timeout(300)
def test_a_reference_is_shown_replaced_and_brought_back(kafka: Kafka, tmp_path: Path) -> None:
    """Each adoption follows the one before in the ledger; what is not there or does not fit writes nothing."""
    app = Application(kafka, tmp_path, trained=True)
    first = app.judge().fold.in_force["reference"]
    code, said = app.call("show")
    assert (code, said.splitlines()[0]) == (0, f"{app.app}: reference {first}, in force"), said
    assert all(name in said for name in traffic.STREAMS)
    code, said = app.call("list")
    assert (code, said.splitlines()[1].startswith(first), "<- in force" in said) == (0, True, True), said

    file = app.save(tmp_path / "moved.sgb")
    code, said = app.call("adopt", file, "--why", "load test")
    assert (code, f"it was {first}" in said, "until the next local midnight" in said) == (0, True, True), said
    second = app.judge().fold.in_force["reference"]
    assert second != first
    assert app.judge().watches["fraud.features"].bank.drift.armed.any()
    code, said = app.call("diff", first)
    assert (code, "fraud.features/amount" in said) == (0, True), said

    code, said = app.call("adopt", first[:8], "--why", "the test is over")
    assert (code, f"it was {second}" in said) == (0, True), said
    reference = app.judge().reference
    assert digest(reference["fraud.features"]) == digest(lesson()[1]["fraud.features"])
    code, said = app.call("list")
    lines = said.splitlines()
    assert (code, "load test" in said, "the test is over  <- in force" in said) == (0, True, True), said
    assert all(" 20" in line for line in lines[2:4]), said

    before = app.judge().fold.offset
    code, said = app.call("adopt", "current", "--why", "x")
    assert (code, said) == (0, f"{app.judge().fold.in_force['reference']} is in force already\n")
    code, said = app.call("adopt", app.save(tmp_path / "key.sgb", hash_key_id="other"), "--why", "x")
    assert (code, "categories learned with hash key other" in said) == (65, True), said
    code, said = app.call("adopt", app.save(tmp_path / "zone.sgb", timezone="Asia/Tokyo"), "--why", "x")
    assert (code, "days of time zone Asia/Tokyo" in said) == (65, True), said
    code, said = app.call("adopt", "ffffffff", "--why", "x")
    assert (code, "no stored reference" in said) == (66, True), said
    assert app.judge().fold.offset == before


@pytest.mark.timeout(300)
def test_a_file_brings_its_bins_to_an_application_that_has_not_begun(kafka: Kafka, tmp_path: Path) -> None:
    app = Application(kafka, tmp_path, trained=False)
    code, said = app.call("show")
    assert (code, "no reference is in force yet" in said) == (66, True), said
    code, said = app.call("build", "--output", tmp_path / "none.sgb")
    assert (code, "has not begun" in said) == (66, True), said
    code, said = app.call("adopt", app.save(tmp_path / "history.sgb"), "--why", "from history")
    assert (code, "Its bins are in force too" in said) == (0, True), said
    found = app.judge()
    assert found.layout is not None
    assert found.layout.plan == app.plan, "a worker that starts would propose another layout"
    assert {section.partitions for section in found.layout.sections.values()} == {traffic.PARTITIONS}
    assert all(watch.bank.drift.armed.any() for watch in found.watches.values())
