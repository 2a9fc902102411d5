"""A node of Apache Kafka with two doors: the harness goes in directly, the workers through a proxy that can misbehave."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.brokers.kafka import Kafka, free_ports

LISTENERS = """\
listeners=PLAINTEXT://127.0.0.1:{direct},FRONT://127.0.0.1:{front},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{direct},FRONT://127.0.0.1:{proxy}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FRONT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
"""


class Node(Kafka):
    """Attributes: address: the direct door. front: port of the other one."""

    def __init__(self, proxy: int) -> None:
        """Prepare a node; ``proxy`` is the port under which its front door is advertised."""
        direct, self.front, controller = free_ports(3)
        super().__init__(LISTENERS.format(direct=direct, front=self.front, proxy=proxy, controller=controller))
        self.address = f"127.0.0.1:{direct}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the node is down"
        return self._process.pid

    def freeze(self) -> None:
        """Stop the process without ending it."""
        assert self._process is not None, "the node is down"
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None, "the node is down"
        self._process.send_signal(signal.SIGCONT)


def state(pid: int) -> str:
    """Return the state of a process as the kernel names it: R, S, T (stopped), Z, or empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return ""
