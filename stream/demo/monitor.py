"""The monitor of the demo: the real `streamgauge` command in a process of its own, asked only what anybody may ask."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import aiohttp

STOP_S = 15


class NotRunError(Exception):
    """The demo could not be run to its end; the message says why, in one line."""


class Monitor:
    """Runs commands with one configuration file. What they print goes to files named after the command, beside it.

    Attributes:
        file: the configuration. port: of the health pages, as the file says.
    """

    def __init__(self, file: Path, port: int) -> None:
        self.file = file
        self.port = port
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
        async with self._running("run") as self._process:
            yield

    def check(self) -> None:
        """Raise when the monitor has ended.

        Raises:
            NotRunError: it has.
        """
        if self._process is not None and self._process.returncode is not None:
            raise NotRunError(self._last_words("run", self._process))

    async def armed(self, http: aiohttp.ClientSession, streams: Iterable[str]) -> bool:
        """Return whether the monitor says that it is ready and that it knows what is normal for these streams."""
        url = f"http://127.0.0.1:{self.port}"
        try:
            async with http.get(f"{url}/ready") as answer:
                if answer.status != 200:
                    return False
            async with http.get(f"{url}/metrics") as answer:
                lines = (await answer.text()).splitlines()
        except (aiohttp.ClientError, TimeoutError):
            return False
        wanted = {f'streamgauge_reference_panes_missing{{stream="{stream}"}} 0' for stream in streams}
        return wanted <= {line.removesuffix(".0") for line in lines}

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


def free_port() -> int:
    """Return a loopback port that nobody listens on at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
