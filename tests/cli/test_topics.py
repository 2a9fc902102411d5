"""`streamgauge topics`: what it prints, and what it creates when told."""

from __future__ import annotations

import asyncio
import logging
import re

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.demo.broker import EmbeddedBroker
from stream.kafka.cluster import OURS
from stream.kafka.keeping import LEAST_DAYS, PANES_DAYS, repairs, too_little
from stream.plan import OWN_TOPICS
from stream.recalibrate import LEAST_WEEKS, REACH_DAYS
from stream.starting import warn_of_keeping
from tests.brokers.admin import admin, create_topic
from tests.brokers.kafka import Kafka
from tests.cli.conftest import Command, Configure

NOBODY = "127.0.0.1:9"


def states(out: str) -> list[str]:
    return [line.split()[-1] for line in out.splitlines()[: len(OURS)]]


def test_the_topics_are_those_of_the_plan() -> None:
    """`join` is kept for a later release; every other name the configuration refuses as an input is one of ours."""
    assert {*OURS, "join"} == set(OWN_TOPICS)


def test_nothing_is_created_unless_told(
    broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command
) -> None:
    """Printed first, created with --create, and left alone the second time."""
    configuration = configure(broker.address)
    ended = streamgauge("topics", configuration.file)
    assert (ended.code, states(ended.out)) == (0, ["missing"] * len(OURS))
    assert "to create them:" in ended.out
    ended = streamgauge("topics", configuration.file, "--create")
    assert (ended.code, states(ended.out)) == (0, ["created"] * len(OURS))
    assert "to create them:" not in ended.out
    ended = streamgauge("topics", configuration.file, "--create", "--replication", "1")
    assert (ended.code, states(ended.out)) == (0, ["exists"] * len(OURS))


def test_they_are_created_as_printed(kafka: Kafka, configure: Configure, streamgauge: Command) -> None:
    """One partition each; what must be kept by key is compacted, what must be kept for a time is not."""
    configuration = configure(kafka.address)
    streamgauge("topics", configuration.file, "--create")

    async def found() -> dict[str, dict[str, str]]:
        resources = [ConfigResource(ConfigResourceType.TOPIC, f"{configuration.app}.{name}") for name in OURS]
        async with admin(kafka.address) as client:
            described = await client.describe_topics([resource.name for resource in resources])
            assert {len(topic["partitions"]) for topic in described} == {1}
            answers = await client.describe_configs(resources)
        rows = [row for answer in answers for row in answer.resources]
        return {row[3]: {item[0]: item[1] for item in row[4]} for row in rows}

    for topic, config in asyncio.run(found()).items():
        wanted = OURS[topic.removeprefix(f"{configuration.app}.")]
        assert wanted.items() <= config.items()


def test_the_days_are_those_of_a_night() -> None:
    assert PANES_DAYS == REACH_DAYS == 63, "as the README says"
    assert LEAST_DAYS == 7 * (LEAST_WEEKS + 1) == 35
    day = PANES_DAYS * 86_400_000
    assert int(OURS["panes"]["retention.ms"]) >= day
    assert list(too_little("a", {f"a.{name}": config for name, config in OURS.items()})) == []


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({"retention.ms": str(63 * 86_400_000)}, []),
        ({"retention.ms": "-1", "retention.bytes": "-1"}, []),
        ({"retention.ms": ""}, []),
        ({}, []),
        ({"retention.ms": str(63 * 86_400_000 - 1)}, ["with a budget below 1 in two weeks"]),
        ({"retention.ms": str(35 * 86_400_000)}, ["with a budget below 1 in two weeks"]),
        ({"retention.ms": str(34 * 86_400_000)}, ["keeps 34d .*, and needs 63d: .* provisional for ever"]),
        ({"retention.ms": "-1", "retention.bytes": "1000000"}, ["1,000,000 bytes at most"]),
        ({"retention.ms": "0", "retention.bytes": "0"}, ["keeps 0s", "keeps 0 bytes"]),
        ({"cleanup.policy": "compact,delete"}, ["cleanup.policy is compact,delete, and must be delete"]),
    ],
)
def test_what_is_too_little(config: dict[str, str], wanted: list[str]) -> None:
    said = list(too_little("a", {"a.panes": config}))
    assert [topic for topic, _ in said] == ["a.panes"] * len(wanted)
    assert all(re.search(pattern, text) for pattern, (_, text) in zip(wanted, said, strict=True))
    assert [topic for topic, _ in repairs("a", {"a.panes": config})] == ["a.panes"] * bool(wanted)


def test_a_topic_that_keeps_too_little_is_told_with_the_command_that_mends_it(
    broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command
) -> None:
    """Somebody has created two of our topics with what the cluster does by default. Nothing is altered."""
    configuration = configure(broker.address)
    panes, state = f"{configuration.app}.panes", f"{configuration.app}.state"
    asyncio.run(create_topic(broker.address, panes, cleanup_policy="delete", retention_ms="604800000"))
    asyncio.run(create_topic(broker.address, state, cleanup_policy="delete"))
    for arguments in ((), ("--create",)):
        ended = streamgauge("topics", configuration.file, *arguments)
        assert ended.code == 0
        assert f"{panes}: it keeps 7d (retention.ms), and needs 63d: every night" in ended.out
        assert f"{state}: cleanup.policy is delete, and must be compact" in ended.out
        changes = re.findall(r"kafka-configs\.sh .* --alter .* --entity-name (\S+) --add-config (\S+)", ended.out)
        assert [topic for topic, _ in changes] == [panes, state]
        assert changes[0][1] == f"cleanup.policy=delete,retention.ms={400 * 86_400_000},retention.bytes=-1"
        assert changes[1][1].startswith("cleanup.policy=compact,")


def test_topics_as_we_create_them_keep_enough(
    broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command, caplog: pytest.LogCaptureFixture
) -> None:
    configuration = configure(broker.address)
    streamgauge("topics", configuration.file, "--create")
    assert "kafka-configs.sh" not in streamgauge("topics", configuration.file).out
    with caplog.at_level(logging.WARNING):
        asyncio.run(warn_of_keeping(broker.address, configuration.app))
    assert caplog.messages == []


def test_a_worker_says_it_at_its_start(
    broker: Kafka | EmbeddedBroker, configure: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    """And starts all the same; where no broker answers, other words are said elsewhere."""
    app = configure(broker.address).app
    asyncio.run(create_topic(broker.address, f"{app}.panes", cleanup_policy="delete", retention_ms="604800000"))
    with caplog.at_level(logging.WARNING):
        asyncio.run(warn_of_keeping(broker.address, app))
        asyncio.run(warn_of_keeping(NOBODY, app))
    (said,) = (record.getMessage() for record in caplog.records if record.name == "stream.starting")
    assert said.startswith(f"our topic {app}.panes: it keeps 7d (retention.ms), and needs 63d")


def test_an_operator_gets_commands_without_a_cluster(configure: Configure, streamgauge: Command) -> None:
    """Whoever asks for rights has none yet: everything is printed although the cluster cannot be asked."""
    configuration = configure(NOBODY)
    ended = streamgauge("topics", configuration.file, "--acls", "User:sg", "--replication", "3")
    assert ended.code == 69
    assert states(ended.out) == ["unknown"] * len(OURS)
    creations = re.findall(r"kafka-topics\.sh .* --topic (\S+) --partitions 1 --replication-factor 3 ", ended.out)
    assert creations == [f"{configuration.app}.{name}" for name in OURS]


def test_the_rights_are_the_least(configure: Configure, streamgauge: Command) -> None:
    """Inputs are only read; nothing but our own topics is written; nothing may be created, altered or deleted."""
    configuration = configure(NOBODY)
    out = streamgauge("topics", configuration.file, "--acls", "User:sg").out
    rights = re.findall(
        r"kafka-acls\.sh .* --allow-principal User:sg ((?:--operation \w+ )+)--(topic|group) (\S+)", out
    )
    found = {(kind, name): operations.replace("--operation ", "").split() for operations, kind, name in rights}
    app = configuration.app
    inputs = {("topic", name): ["Read", "Describe"] for name in (configuration.features, configuration.predictions)}
    own = {("topic", f"{app}.{name}"): ["Read", "Write"] for name in OURS}
    assert found == {**inputs, ("group", app): ["Read"], **own}
