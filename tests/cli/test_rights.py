"""Topics that may not be read, and topics that must not be created, on an Apache Kafka with an authorizer."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import CreateAclsRequest

from stream.commands.stretches import read_both
from stream.exits import Refusal
from tests.brokers.admin import Row, admin, create_topic, produce
from tests.brokers.kafka import Kafka, lacking
from tests.cli.conftest import Command, Configuration, Configure

GUARDED = """
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
auto.create.topics.enable=true
"""
TOPIC, LITERAL, READ, DESCRIBE, DENY, ALLOW = 2, 3, 3, 8, 2, 3


@pytest.fixture(scope="module")
def guarded() -> Iterator[Kafka]:
    """A node that knows rights, and that creates topics when it is merely asked about them."""
    if lacking():
        pytest.skip(f"needs Apache Kafka: {lacking()}")
    node = Kafka(GUARDED)
    try:
        yield node.start()
    finally:
        node.stop()


async def acl(address: str, topic: str, operation: int, permission: int) -> None:
    """Set a right on a topic for everybody who connects without a name."""
    client = AIOKafkaClient(bootstrap_servers=address)
    try:
        await client.bootstrap()
        request = CreateAclsRequest(TOPIC, topic, LITERAL, "User:ANONYMOUS", "*", operation, permission)
        answer = await client.send(client.get_random_node(), request)
        assert [code for code, _ in answer.creation_responses] == [0]
    finally:
        await client.close()


@pytest.fixture
def configuration(guarded: Kafka, configure: Configure) -> Configuration:
    """Two inputs, both readable."""
    made = configure(guarded.address)
    for topic in (made.features, made.predictions):
        asyncio.run(create_topic(guarded.address, topic))
    return made


def run(configuration: Configuration) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "stream.cli", "run", str(configuration.file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_topic_without_the_right_to_read(guarded: Kafka, configuration: Configuration, streamgauge: Command) -> None:
    """77 and one line, from `check` and from `run`; the topic may be seen, only not read."""
    asyncio.run(acl(guarded.address, configuration.predictions, READ, DENY))
    asyncio.run(acl(guarded.address, configuration.predictions, DESCRIBE, ALLOW))
    assert streamgauge("topics", configuration.file, "--create").code == 0
    said = f"topic {configuration.predictions}: no right to READ it\n"
    ended = streamgauge("check", configuration.file)
    assert (ended.code, ended.err) == (77, f"streamgauge check: {said}")
    worker = run(configuration)
    assert (worker.returncode, worker.stdout, worker.stderr) == (77, "", f"streamgauge run: {said}")


def test_a_topic_that_may_not_be_seen(guarded: Kafka, configuration: Configuration, streamgauge: Command) -> None:
    """A broker does not tell such a topic from a missing one, unless it is asked by name."""
    asyncio.run(acl(guarded.address, configuration.features, DESCRIBE, DENY))
    ended = streamgauge("check", configuration.file)
    assert (ended.code, ended.err) == (
        77,
        f"streamgauge check: topic {configuration.features}: no right to DESCRIBE it\n",
    )


def test_how_long_a_topic_is_kept_need_not_be_seen(
    guarded: Kafka, configuration: Configuration, streamgauge: Command
) -> None:
    """The least rights do not include it: `check` says what could not be seen, and what is needed."""
    assert streamgauge("topics", configuration.file, "--create").code == 0
    panes = f"{configuration.app}.panes"
    said = f"! our topic {panes}: how long it is kept may not be seen (DESCRIBE_CONFIGS); it needs 63d\n"
    assert said not in streamgauge("check", configuration.file).out
    asyncio.run(acl(guarded.address, panes, READ, ALLOW))  # from now on nothing else is
    ended = streamgauge("check", configuration.file)
    assert (ended.code, said in ended.out) == (0, True)
    assert streamgauge("topics", configuration.file).code == 0


def test_looking_creates_nothing(guarded: Kafka, configuration: Configuration, streamgauge: Command) -> None:
    """A mistyped topic stays missing, although this broker creates what clients ask for."""
    configuration.edit(f"topic: {configuration.predictions}", f"topic: {configuration.app}-mistyped")

    async def names() -> set[str]:
        async with admin(guarded.address) as client:
            return set(await client.list_topics())

    before = asyncio.run(names())
    for command in ("check", "topics", "alerts"):
        streamgauge(command, configuration.file)
    assert re.search("-mistyped: does not exist", streamgauge("check", configuration.file).err)
    assert run(configuration).returncode == 66
    assert asyncio.run(names()) == before


def test_segments_of_a_topic_that_may_not_be_read_are_refused_by_name(
    guarded: Kafka, configuration: Configuration
) -> None:
    """`explain` says this sentence in the place of its table."""
    begin = 1_767_571_200_000
    rows = [Row(b"{}", timestamp=begin + second * 1000) for second in range(-60, 60)]
    asyncio.run(produce(guarded.address, configuration.features, rows))
    asyncio.run(acl(guarded.address, configuration.features, READ, DENY))
    asyncio.run(acl(guarded.address, configuration.features, DESCRIBE, ALLOW))
    with pytest.raises(Refusal, match=f"topic {configuration.features}: no right to READ it"):
        asyncio.run(
            read_both(guarded.address, configuration.features, (begin, begin + 60_000), 0, lambda *_: lambda *_: None)
        )
