"""The monitor of the demo: the real `streamgauge` command in a process of its own, asked only what anybody may ask."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

import aiohttp

from stream.serving.metrics import FEATURE_STATISTIC

STOP_S = 15


class NotRunError(Exception):
    """The demo could not be run to its end; the message says why, in one line."""


class Monitor:
    """Runs commands with one configuration file. What they print goes to files named after the command, beside it.

    Attributes:
        file: the configuration. port: of the health pages, as the file says. options: of ``streamgauge run``.
    """

    def __init__(self, file: Path, port: int, options: Sequence[str] = ()) -> None:
        self.file = file
        self.port = port
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    async def create_topics(self) -> None:
        """Create the monitor's own topics.

        Raises:
            NotRunError: it could not.
        """
        async with self._running("topics", "--create") as process:
            if await process.wait() != 0:
                raise NotRunError(self._last_words("topics", process))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the monitor until the block is left."""
        async with self._running("run", *self._options) as self._process:
            yield

    def check(self) -> None:
        """Raise when the monitor has ended.

        Raises:
            NotRunError: it has.
        """
        if self._process is not None and self._process.returncode is not None:
            raise NotRunError(self._last_words("run", self._process))

    async def armed(self, http: aiohttp.ClientSession, fields: Iterable[tuple[str, str]]) -> bool:
        """Return whether the monitor is ready and compares these fields with what is normal.

        Args:
            fields: pairs (stream, field) whose distribution must be watched. That the reference has enough panes is not
                asked, because it still has to be learned from them.
        """
        url = f"http://127.0.0.1:{self.port}"
        try:
            async with http.get(f"{url}/ready") as answer:
                if answer.status != 200:
                    return False
            async with http.get(f"{url}/metrics") as answer:
                series = {line.rpartition(" ")[0] for line in (await answer.text()).splitlines()}
        except (aiohttp.ClientError, TimeoutError):
            return False
        return all(_compared(stream, field) in series for stream, field in fields)

    @contextlib.asynccontextmanager
    async def _running(self, command: str, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
        with self._log(command).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "stream.cli", command, *options, str(self.file)),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), STOP_S)
                except TimeoutError:
                    process.kill()
                    await process.wait()

    def _log(self, command: str) -> Path:
        return self.file.parent / f"{command}.log"

    def _last_words(self, command: str, process: asyncio.subprocess.Process) -> str:
        lines = self._log(command).read_text(errors="replace").strip().splitlines()
        return f"streamgauge {command} ended with exit code {process.returncode}: {lines[-1] if lines else 'no output'}"


def _compared(stream: str, field: str) -> str:
    """Return the series that there is once the histogram of a field is compared with a reference."""
    values = (stream.partition(".")[0], stream, field, "distance")
    labels = ",".join(f'{label}="{value}"' for label, value in zip(FEATURE_STATISTIC.labels, values, strict=True))
    return f"{FEATURE_STATISTIC.name}{{{labels}}}"


def free_port() -> int:
    """Return a loopback port that nobody listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
