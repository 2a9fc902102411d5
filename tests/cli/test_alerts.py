"""`streamgauge alerts`: the events of a replayed fault, written to a broker as the monitor writes them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.demo.broker import EmbeddedBroker
from stream.publishing import Message
from stream.replay import Replay
from tests.brokers.admin import Row, produce
from tests.brokers.kafka import Kafka
from tests.cli.conftest import Command, Configuration, Configure
from tests.cli.test_replay import records


@pytest.fixture
def told(broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command, tmp_path: Path) -> Configuration:
    """An application whose alerts topics hold one incident: it fired and was resolved."""
    configuration = configure(broker.address)
    assert streamgauge("topics", configuration.file, "--create").code == 0
    file = tmp_path / "features.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in records()))
    settings = load(configuration.file)
    sent: list[Message] = []
    Replay(compile_plan(settings), {configuration.features: file}, settings.key.secret, sent.append).run()
    for topic in ("alerts", "alerts.state"):
        rows = [Row(item.value, item.key, headers=item.headers) for item in sent if item.topic == topic]
        if topic == "alerts.state":
            rows.append(rows[0])  # a zombie wrote an older state once more
        asyncio.run(produce(broker.address, f"{configuration.app}.{topic}", rows))
    return configuration


def test_events_are_lines_for_people(told: Configuration, streamgauge: Command) -> None:
    """When it was detected, what it is, and the summary."""
    ended = streamgauge("alerts", told.file)
    assert (ended.code, ended.err) == (0, "")
    firing, resolved = ended.out.splitlines()
    moment = r"2013-01-01 00:\d\d:\d\dZ"
    assert re.match(rf"{moment}  firing    page    fraud: amount has no usable value in any of 40 records", firing)
    assert re.match(rf"{moment}  resolved  page    Over: fraud: missing/amount", resolved)


def test_events_are_lines_for_programs(told: Configuration, streamgauge: Command) -> None:
    """--json prints what replay writes: the value, and the attributes of the CloudEvent."""
    lines = [json.loads(line) for line in streamgauge("alerts", told.file, "--json").out.splitlines()]
    assert [(line["status"], line["seq"], line["ce"]["id"]) for line in lines] == [
        ("firing", 0, f"{lines[0]['incident']}-0"),
        ("resolved", 1, f"{lines[0]['incident']}-1"),
    ]


def test_the_state_is_the_newest_by_ledger_offset(told: Configuration, streamgauge: Command) -> None:
    """Not the last in the topic: a zombie may have written after the owner. The whole page is shown."""
    out = streamgauge("alerts", told.file, "--state").out
    lines = out.splitlines()
    assert "  resolved  page" in lines[0]
    assert "    What is at stake: the model fraud decides: hold a card payment for review." in out
    assert len([line for line in lines if not line.startswith("    ")]) == 1
    assert lines[-2].startswith(f"    Look: kcat -C -b $BROKERS -t {told.features} -p 0 -o ")
    assert re.fullmatch(r"    Incident: [0-9a-f]{16}-\d{13}", lines[-1])


@pytest.mark.parametrize("how", [["--json"], ["--state"]], ids=str)
def test_a_reader_that_goes_away_is_no_broker_that_is_down(told: Configuration, how: list[str]) -> None:
    """A broken pipe is an OSError like a refused connection, but it is `head` that has read enough."""
    read, write = os.pipe()
    words = [sys.executable, "-m", "stream.cli", "alerts", str(told.file), *how]
    process = subprocess.Popen(words, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    os.close(read)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")


def test_nothing_found_is_said(broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command) -> None:
    """On standard error, so that a program that reads lines reads none."""
    configuration = configure(broker.address)
    assert streamgauge("topics", configuration.file, "--create").code == 0
    ended = streamgauge("alerts", configuration.file)
    said = f"streamgauge alerts: nothing in {configuration.app}.alerts: the monitor has found nothing to tell\n"
    assert (ended.code, ended.out, ended.err) == (0, "", said)


def test_without_topics_it_is_one_line(
    broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command
) -> None:
    """66: the monitor was never set up under this name."""
    configuration = configure(broker.address)
    ended = streamgauge("alerts", configuration.file)
    assert ended.code == 66
    assert ended.err.startswith(f"streamgauge alerts: topic {configuration.app}.alerts: does not exist on ")
