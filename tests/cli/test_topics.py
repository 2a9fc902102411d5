"""`streamgauge topics`: what it prints, and what it creates when told."""

from __future__ import annotations

import asyncio
import re

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from stream.demo.broker import EmbeddedBroker
from stream.kafka.cluster import OURS
from stream.plan import OWN_TOPICS
from tests.brokers.admin import admin
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
