"""The pages over real HTTP on loopback."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from stream.serving import metrics
from stream.serving.exposition import CONTENT_TYPE, Registry
from stream.serving.web import serve


class State:
    """Health whose reasons a test sets."""

    def __init__(self, live: list[str] | None = None, ready: list[str] | None = None) -> None:
        self._live, self._ready = live or [], ready or []

    def live(self) -> list[str]:
        return self._live

    def ready(self) -> list[str]:
        return self._ready


def ask(
    path: str, state: State | None = None, method: str = "GET", registry: Registry | None = None
) -> tuple[int, dict[str, str], str]:
    """Serve, send one request and return (status, headers, body)."""

    async def run() -> tuple[int, dict[str, str], str]:
        runner = await serve(registry or Registry(), state or State(), port=0)
        host, port = runner.addresses[0][:2]
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, f"http://{host}:{port}{path}") as response,
            ):
                return response.status, dict(response.headers), await response.text()
        finally:
            await runner.cleanup()

    return asyncio.run(run())


def test_metrics_are_the_text_format_of_prometheus() -> None:
    registry = Registry()
    registry.set(metrics.JUDGE, (), 1)
    status, headers, body = ask("/metrics", registry=registry)
    assert status == 200
    assert headers["Content-Type"] == CONTENT_TYPE
    assert "streamgauge_judge 1\n" in body


def test_live_is_503_once_the_watchdog_has_tripped() -> None:
    assert ask("/live")[::2] == (200, "ok\n")
    assert ask("/live", State(live=["the event loop is stuck"]))[0] == 503


def test_ready_gives_one_json_line_per_reason() -> None:
    assert ask("/ready")[::2] == (200, "ok\n")
    status, _, body = ask("/ready", State(ready=["no partition assigned", 'topic "t" \n unreadable']))
    assert status == 503
    assert [json.loads(line) for line in body.splitlines()] == [
        {"reason": "no partition assigned"},
        {"reason": 'topic "t" \n unreadable'},
    ]


def test_the_start_page_names_the_others() -> None:
    status, headers, body = ask("/")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert all(page in body for page in ("/metrics", "/live", "/ready"))


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/ready"])
def test_other_methods_are_refused(method: str, path: str) -> None:
    status, headers, body = ask(path, method=method)
    assert (status, headers["Allow"], body) == (405, "GET, HEAD", "this server answers GET and HEAD only\n")


def test_head_has_the_length_and_no_body() -> None:
    status, headers, body = ask("/metrics", method="HEAD")
    assert status == 200
    assert int(headers["Content-Length"]) > 0
    assert body == ""


@pytest.mark.parametrize("path", ["/table/", "/router/", "/metrics/../etc", "/%3Cscript%3E"])
def test_an_unknown_page_repeats_nothing_of_the_request(path: str) -> None:
    status, headers, body = ask(path)
    assert status == 404
    assert headers["Content-Type"].startswith("text/plain")
    assert body == "no such page; there are /metrics, /live and /ready\n"


def broken() -> list[metrics.Sample]:
    raise RuntimeError("a bug in a callback")


def test_a_bug_in_a_callback_fails_the_scrape_aloud(caplog: pytest.LogCaptureFixture) -> None:
    """A partial page would let open incidents vanish without a word; a failed scrape raises StreamgaugeDown."""
    registry = Registry()
    registry.collect(broken)
    status, _, body = ask("/metrics", registry=registry)
    assert status == 500
    assert "bug" not in body
    assert "a bug in a callback" in caplog.text


@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/metrics", 200), ("/nothing", 404), ("/ready", 503)])
def test_every_answer_forbids_what_browsers_might_do_with_it(path: str, status: int) -> None:
    got, headers, _ = ask(path, State(ready=["blind"]))
    assert got == status
    assert headers["Content-Security-Policy"] == "default-src 'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "monitor.example.org"])
def test_an_address_that_others_reach_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=f"web host must be a loopback address, got '{host}': .*insecure: true"):
        asyncio.run(serve(Registry(), State(), host=host, port=0))


def test_scrapes_that_come_together_are_rendered_once() -> None:
    registry = Registry()
    rendered = 0

    def count() -> list[metrics.Sample]:
        nonlocal rendered
        rendered += 1
        return []

    registry.collect(count)

    async def run() -> None:
        runner = await serve(registry, State(), port=0)
        host, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as session:

            async def scrape() -> None:
                async with session.get(f"http://{host}:{port}/metrics") as response:
                    assert response.status == 200

            await asyncio.gather(*(scrape() for _ in range(10)))
        await runner.cleanup()

    asyncio.run(run())
    assert rendered == 1
