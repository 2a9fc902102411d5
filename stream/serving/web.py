"""The HTTP pages of one worker: ``/metrics``, ``/live`` and ``/ready``. Read only, loopback by default.

An aiohttp server of our own, not Faust's. Faust's starts with the application, so it answers nothing while the brokers
are down, which is when somebody asks; it listens on all interfaces, brings pages of tables and routes that have to be
switched off, and a new release may bring more. This one has four routes and nothing else. Faust runs with
``web_enabled=False``.

The body of ``/ready`` is one JSON object per line and reason, for people and scripts alike.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from stream.serving.exposition import CONTENT_TYPE, Registry

PORT = 6066
MIN_AGE_S = 1.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
_INDEX = """Streamgauge

/metrics  for Prometheus
/live     200 while the process makes progress; restart it otherwise
/ready    200 while it watches everything it was given and can deliver alerts; otherwise the reasons
"""


class Health(Protocol):
    """What the application knows of itself. Each method returns the reasons why not; an empty list means fine."""

    def live(self) -> list[str]: ...

    def ready(self) -> list[str]: ...


async def serve(
    registry: Registry, health: Health, host: str = "127.0.0.1", port: int = PORT, insecure: bool = False
) -> web.AppRunner:
    """Start the server and return its runner; ``await runner.cleanup()`` stops it.

    Args:
        registry: what ``/metrics`` shows. health: what ``/live`` and ``/ready`` ask.
        host: address to listen on. port: 0 takes a free one (`runner.addresses`).
        insecure: allow an address that others can reach.

    Raises:
        ValueError: the address is not a loopback one and ``insecure`` is not set.
        OSError: the address cannot be used.
    """
    if not insecure and not _is_loopback(host):
        raise ValueError(
            f"web host must be a loopback address, got {host!r}: the pages have neither TLS nor a password. "
            "Put a proxy in front, or say in the configuration that the network is closed (web: {insecure: true})"
        )
    page = Page(registry)

    async def metrics(request: web.Request) -> web.StreamResponse:
        return await _stream(request, await page.read())

    async def live(request: web.Request) -> web.Response:
        return _answer(health.live())

    async def ready(request: web.Request) -> web.Response:
        return _answer(health.ready())

    async def index(request: web.Request) -> web.Response:
        return web.Response(text=_INDEX)

    app = web.Application(middlewares=[_plain_errors])
    app.on_response_prepare.append(_add_headers)
    app.add_routes(
        [web.get("/", index), web.get("/metrics", metrics), web.get("/live", live), web.get("/ready", ready)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner


class Page:
    """The page, shared by scrapes that come together: it is rendered once a second at most, however many ask."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = asyncio.Lock()
        self._pieces: list[bytes] = []
        self._rendered = float("-inf")

    async def read(self) -> list[bytes]:
        """Return a page that is at most `MIN_AGE_S` old, in pieces."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._rendered >= MIN_AGE_S:
                self._pieces = [piece async for piece in self._registry.render()]
                self._rendered = now
            return self._pieces


async def _stream(request: web.Request, pieces: list[bytes]) -> web.StreamResponse:
    """Send a large page piece by piece, so that neither a fast reader nor a slow one holds the loop."""
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
    response.content_length = sum(map(len, pieces))
    await response.prepare(request)
    if request.method != "HEAD":
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
    await response.write_eof()
    return response


def _answer(reasons: list[str]) -> web.Response:
    if not reasons:
        return web.Response(text="ok\n")
    lines = "".join(json.dumps({"reason": reason}) + "\n" for reason in reasons)
    return web.Response(text=lines, status=503, content_type="application/x-ndjson")


@web.middleware
async def _plain_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer unknown paths and methods in plain text that repeats nothing of the request."""
    try:
        return await handler(request)
    except web.HTTPMethodNotAllowed:
        return web.Response(text="this server answers GET and HEAD only\n", status=405, headers={"Allow": "GET, HEAD"})
    except web.HTTPNotFound:
        return web.Response(text="no such page; there are /metrics, /live and /ready\n", status=404)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
