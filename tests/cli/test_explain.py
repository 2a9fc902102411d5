"""`streamgauge explain` on a broker: an incident of a rule, one that is long over, and what it refuses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from stream.commands import explain
from stream.commands.explain import UNTOLD
from stream.demo.broker import EmbeddedBroker
from tests.brokers.admin import Row, produce
from tests.brokers.kafka import Kafka
from tests.cli.conftest import Command, Configuration, Configure
from tests.cli.test_alerts import told  # noqa: F401 - a fixture
from tests.cli.test_cli import NOBODY


def incident(streamgauge: Command, configuration: Configuration) -> str:
    (state,) = streamgauge("alerts", configuration.file, "--state", "--json").out.splitlines()
    return str(json.loads(state)["incident"])


def test_a_rule_has_its_page_and_no_histogram(
    told: Configuration,  # noqa: F811
    streamgauge: Command,
    tmp_path: Path,
) -> None:
    name, file = incident(streamgauge, told), tmp_path / "incident.html"
    ended = streamgauge("explain", told.file, name[:6], "--html", file)
    assert (ended.code, ended.err) == (0, "")
    assert "What is at stake: the model fraud decides" in ended.out
    assert UNTOLD in " ".join(ended.out.split())
    assert f"verdict {told.file} {name} false-alarm" in ended.out
    assert UNTOLD in file.read_text()
    looks = [line.strip() for line in ended.out.splitlines() if line.startswith("    Look: kcat ")]
    assert looks
    assert all(line in file.read_text() for line in [*looks, f"Incident: {name}"]), "below is below on the page too"


def test_one_that_is_long_over_is_found_among_all_events(
    broker: Kafka | EmbeddedBroker,
    told: Configuration,  # noqa: F811
    streamgauge: Command,
) -> None:
    """Its state is gone, its events stay as long as the topic keeps them."""
    name = incident(streamgauge, told)
    gone = Row(None, name[:16].encode(), headers=(("ledger_offset", b"999999999"),))
    asyncio.run(produce(broker.address, f"{told.app}.alerts.state", [gone]))
    ended = streamgauge("explain", told.file, name)
    assert (ended.code, ended.err) == (0, "")
    assert "Over: fraud: missing/amount" in ended.out


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("ffffff", 66, "incident ffffff: not known; none is open"),
        ("fff", 64, "incident fff: expected its id or fingerprint, or at least 6 characters of it"),
    ],
)
def test_what_is_not_found_is_one_line(
    told: Configuration,  # noqa: F811
    streamgauge: Command,
    name: str,
    code: int,
    said: str,
) -> None:
    ended = streamgauge("explain", told.file, name)
    assert (ended.code, ended.err) == (code, f"streamgauge explain: {said}\n")


def test_a_page_that_cannot_be_written_is_said(told: Configuration, streamgauge: Command, tmp_path: Path) -> None:  # noqa: F811
    ended = streamgauge("explain", told.file, incident(streamgauge, told), "--html", tmp_path / "none" / "a.html")
    assert ended.code == 73
    assert ended.err.endswith("a.html: cannot be written: no such file or directory\n")


def test_without_a_broker_it_is_one_line(configure: Configure, streamgauge: Command) -> None:
    ended = streamgauge("explain", configure(NOBODY).file, "3f2a91")
    assert ended.code == 69
    assert ended.err.startswith("streamgauge explain: ")


def test_a_broker_that_goes_away_meanwhile_is_one_line(
    told: Configuration,  # noqa: F811
    streamgauge: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(*_: object) -> None:
        raise OSError("the connection was lost")

    monkeypatch.setattr(explain, "judge", lost)
    ended = streamgauge("explain", told.file, incident(streamgauge, told))
    assert ended.code == 69
    assert "Traceback" not in ended.err
