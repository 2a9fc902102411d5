"""One node of Apache Kafka for tests: started on free loopback ports, killed and restarted at will, gone afterwards."""

from __future__ import annotations

import ctypes
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).parents[2]
POM = Path(__file__).with_name("pom.xml")
JARS = ROOT / "build" / "kafka-libs"

# Short time-outs, because tests kill members and the node itself: without them the first join waits 3 s, sessions below
# 6 s are refused and a node killed with -9 is let back in only after 9 to 14 s. Nothing expires unless a topic says so: tests
# write time stamps of long ago, and retention goes by them.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={logs}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
auto.create.topics.enable=false
log.retention.ms=-1
log.retention.check.interval.ms=500
log.initial.task.delay.ms=500
"""

LOGGING = """\
<Configuration status="warn">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


def lacking() -> str:
    """Return what this machine lacks for Apache Kafka (``"no java"``); empty if nothing."""
    return " and ".join(f"no {tool}" for tool in ("java", "mvn") if shutil.which(tool) is None)


def free_ports(n: int) -> list[int]:
    """Return different loopback ports nobody listens on now; one after the other the system may give the same one twice."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def free_port() -> int:
    """Return a loopback port nobody listens on now."""
    return free_ports(1)[0]


def jars() -> Path:
    """Return the directory of the broker's jars, fetched once by Maven; offline when its own cache suffices."""
    if not any(JARS.glob("kafka_*.jar")):
        copy = ["mvn", "-q", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
        if subprocess.run([*copy, "-o"], capture_output=True, check=False).returncode != 0:
            subprocess.run(copy, check=True, timeout=600)
    return JARS


class Kafka:
    """A node with its own data directory.

    Attributes:
        address: ``127.0.0.1:port`` for clients; the same after a restart.
    """

    kind = "Apache Kafka"

    def __init__(self, more: str = "") -> None:
        """Prepare a node; ``more`` are further lines of its server.properties."""
        port, controller = free_ports(2)
        self.address = f"127.0.0.1:{port}"
        self._home = Path(tempfile.mkdtemp(prefix="kafka-test-"))
        self._config = self._home / "server.properties"
        properties = PROPERTIES.format(port=port, controller=controller, logs=self._home / "logs")
        self._config.write_text(properties + more)
        (self._home / "log4j2.xml").write_text(LOGGING)
        self._process: subprocess.Popen[bytes] | None = None
        form = ("format", "--standalone", "-t", str(uuid.uuid4()), "-c", str(self._config))
        if self._java("kafka.tools.StorageTool", *form).wait(60) != 0:
            raise RuntimeError(
                f"cannot format the broker's directory:\n{(self._home / 'broker.log').read_text()[-2000:]}"
            )

    def _java(self, *command: str) -> subprocess.Popen[bytes]:
        logging = f"-Dlog4j2.configurationFile={self._home / 'log4j2.xml'}"
        with (self._home / "broker.log").open("ab") as log:
            return subprocess.Popen(
                ["java", "-Xmx384m", "-XX:+UseSerialGC", logging, "-cp", f"{jars()}/*", *command],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_the_tests,  # noqa: PLW1509 - it only calls prctl
            )

    def start(self) -> Kafka:
        """Start the node and wait until it accepts connections (2 to 4 s)."""
        self._process = self._java("kafka.Kafka", str(self._config))
        wait_for_port(self.address, self._process, self._home / "broker.log")
        return self

    def kill(self) -> None:
        """Kill the node with -9; its data stays."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Stop the node and remove its data."""
        self._end(signal.SIGTERM)
        shutil.rmtree(self._home, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def _die_with_the_tests() -> None:
    """Have the kernel end the node when the process that started it ends, in whatever way (prctl PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def wait_for_port(address: str, process: subprocess.Popen[bytes], log: Path, timeout: float = 120) -> None:
    """Wait until something listens at ``address``.

    Raises:
        RuntimeError: the process ended, or ``timeout`` seconds passed; with the end of its log.
    """
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the broker at {address} did not start:\n{log.read_text()[-2000:]}")
