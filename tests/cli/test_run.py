"""`streamgauge run` in a process of its own, and what `check` then knows of it."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time

from stream.demo.broker import EmbeddedBroker
from tests.brokers.admin import Row, create_topic, produce
from tests.brokers.kafka import Kafka
from tests.cli.conftest import Command, Configuration, Configure


def start(configuration: Configuration) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stream.cli", "run", "-c", str(configuration.file), "--session-timeout", "3"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_worker_runs_until_it_is_told_to_stop(
    broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command
) -> None:
    """SIGTERM ends it with 0. `check` reads from its ledger how much of what drift needs is collected."""
    configuration = configure(broker.address)
    configuration.edit("models:\n", "start: earliest\nweb: {port: 0}\nmodels:\n")
    now_ms = int(time.time() * 1000)
    values = (b'{"ts": %d, "type": "payment", "tx": {"amount": 1}}' % (now_ms + i) for i in range(40))

    async def fill() -> None:
        for topic in (configuration.features, configuration.predictions):
            await create_topic(broker.address, topic)
        await produce(broker.address, configuration.features, [Row(value) for value in values])

    asyncio.run(fill())
    assert "no monitor has run yet" in streamgauge("check", configuration.file).out
    assert streamgauge("topics", configuration.file, "--create").code == 0
    process = start(configuration)
    try:
        deadline = time.monotonic() + 90
        while "drift: 40 of 10,000 records are seen" not in (out := streamgauge("check", configuration.file).out):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, out
            time.sleep(0.5)
        assert f"a monitor has run under the name {configuration.app}: 0 open incidents" in out
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, stdout) == (0, ""), stderr
    assert "Traceback" not in stderr


def test_it_does_not_start_without_its_own_topics(broker: Kafka | EmbeddedBroker, configure: Configure) -> None:
    """66 and one line that names the command that helps: nothing is created silently."""
    configuration = configure(broker.address)
    for topic in (configuration.features, configuration.predictions):
        asyncio.run(create_topic(broker.address, topic))
    process = start(configuration)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (66, "")
    assert re.fullmatch(
        rf"streamgauge run: our topics {configuration.app}\.ledger, .* do not exist: run `streamgauge topics --create` .*\n",
        stderr,
    )
