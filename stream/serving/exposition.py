"""The page Prometheus reads, written without ever holding the event loop for long.

The handlers of prometheus_client render the whole page in one go: 50,000 series stop a Kafka consumer for more than a
second, and doing it in a thread does not help, because the interpreter lock is held all the same. Here the text before
the value (name, escaped labels) is built once per series and kept; a scrape only reads values and formats numbers, in
pieces of 1,000 lines with a pause between. The interface is that of a store:

    registry = Registry()
    registry.inc(metrics.ALERT_EVENTS, ("drift", "ticket", "firing"))       # events: counted where they happen
    registry.collect(lambda: [(metrics.WATERMARK, ("m.features",), mark)])  # state: read when somebody asks

A callback of many series yields `PAUSE` where other work may come in between, such as after each stream. What a callback does
not yield any more is gone from the next page; that is how series end. Counted and set series stay
until removed. Label values come from other people's topics: they are cleaned at the door, so that one bad name cannot
make the page unreadable (a lone surrogate does that to prometheus_client), and the number of series has a hard bound.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator

from stream.serving.metrics import CATALOGUE, EXPORTED, EXPOSITION, LIMIT, SUPPRESSED, Metric, Sample

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
LINES = 1_000
"""A page is written in pieces of so many lines, 1 ms each. A timer that falls due meanwhile may wait for three of them."""
SAMPLES = 500
PAUSE = None
"""Yielded by a callback between samples: what it reads may change here."""
MAX_LABEL_BYTES = 128
_OF_THE_PAGE = (SUPPRESSED, LIMIT, EXPORTED, EXPOSITION)


class Registry:
    """The metrics of one worker. Used from the event loop only; metrics are those of `stream.serving.metrics`.

    Args:
        max_series: most series on the page; what is beyond is left out, counted and reported.
    """

    def __init__(self, max_series: int = 50_000) -> None:
        self.max_series = max_series
        self._stored: dict[str, dict[str, float]] = {}
        self._callbacks: list[Callable[[], Iterable[Sample | None]]] = []
        self._prefixes: dict[tuple[str, tuple[str, ...]], str] = {}

    def set(self, metric: Metric, labels: tuple[str, ...], value: float) -> None:
        """Set a series to a value.

        Raises:
            ValueError: the number of label values is not that of the metric.
        """
        self._put(metric, self._prefix(metric, labels), value)

    def inc(self, metric: Metric, labels: tuple[str, ...] = (), amount: float = 1) -> None:
        """Add to a series, which starts at 0. Raises as `set`."""
        prefix = self._prefix(metric, labels)
        self._put(metric, prefix, self._stored.get(metric.name, {}).get(prefix, 0) + amount)

    def remove(self, metric: Metric, labels: tuple[str, ...]) -> None:
        """Forget a series; unknown ones are ignored."""
        self._stored.get(metric.name, {}).pop(self._prefix(metric, labels), None)

    def collect(self, callback: Callable[[], Iterable[Sample | None]]) -> None:
        """Have a callback yield samples at every scrape.

        Between two of its `PAUSE` a callback runs without interruption, so it sees one consistent state, and the loop is held
        so long: 2,000 samples take about 1 ms. They are put on the page in smaller pieces.
        """
        self._callbacks.append(callback)

    async def render(self) -> AsyncIterator[bytes]:
        """Yield the page in pieces of at most `LINES` lines, in the order of the catalogue."""
        begun = time.perf_counter()
        page = await self._read()
        self._bound(page)
        for metric in CATALOGUE:
            series = page.get(metric.name)
            if not series:
                continue
            lines = [f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} {metric.kind}\n"]
            for prefix, value in series.items():
                lines.append(f"{prefix} {_number(value)}\n")
                if len(lines) >= LINES:
                    yield "".join(lines).encode()
                    lines = []
                    await asyncio.sleep(0)
            yield "".join(lines).encode()
        self.set(EXPOSITION, (), time.perf_counter() - begun)

    def _put(self, metric: Metric, prefix: str, value: float) -> None:
        series = self._stored.setdefault(metric.name, {})
        if prefix in series or len(series) < self.max_series:
            series[prefix] = value
        else:
            self.inc(SUPPRESSED, (metric.name,))

    async def _read(self) -> dict[str, dict[str, float]]:
        """Return all series by metric: what is stored, then what the callbacks yield."""
        page = {name: dict(series) for name, series in self._stored.items()}
        for callback in self._callbacks:
            for samples in _portions(callback()):
                for start in range(0, len(samples) or 1, SAMPLES):
                    for metric, labels, value in samples[start : start + SAMPLES]:
                        page.setdefault(metric.name, {})[self._prefix(metric, labels)] = value
                    await asyncio.sleep(0)
        return page

    def _bound(self, page: dict[str, dict[str, float]]) -> None:
        """Cut the page to `max_series`, the least important metrics first, and say so on the page itself."""
        left = self.max_series
        for metric in CATALOGUE:
            series = page.get(metric.name, {})
            if metric in _OF_THE_PAGE:
                continue
            if len(series) > left:
                self.inc(SUPPRESSED, (metric.name,), len(series) - left)
                while len(series) > left:
                    series.popitem()  # the last ones; a copy of the others would hold the loop
            left -= len(series)
        self.set(LIMIT, (), self.max_series)
        self.set(EXPORTED, (), self.max_series - left)
        for metric in _OF_THE_PAGE:
            page[metric.name] = dict(self._stored.get(metric.name, {}))

    def _prefix(self, metric: Metric, labels: tuple[str, ...]) -> str:
        """Return the name and labels of a series as they stand on the page."""
        key = (metric.name, labels)
        prefix = self._prefixes.get(key)
        if prefix is None:
            if len(self._prefixes) > 2 * self.max_series:
                self._prefixes.clear()  # series come and go with schemas; rebuilding costs one slow scrape
            prefix = self._prefixes[key] = _series(metric, labels)
        return prefix


def clean(value: str) -> str:
    """Return a label value that any reader can take: valid UTF-8, no control characters, at most 128 bytes.

    A changed value carries a hash of the original, so that two names stay two series.

    >>> clean("tx.amount")
    'tx.amount'
    >>> clean("a" + chr(0xD800) + chr(7))
    'a??~185e38f6'
    """
    raw = value.encode("utf-8", "surrogatepass")
    if value.isprintable() and len(raw) <= MAX_LABEL_BYTES:
        return value
    shown = "".join(c if c.isprintable() else "?" for c in value)
    cut = shown.encode()[: MAX_LABEL_BYTES - 9].decode("utf-8", "ignore")
    return f"{cut}~{hashlib.blake2b(raw, digest_size=4).hexdigest()}"


def _portions(samples: Iterable[Sample | None]) -> Iterator[list[Sample]]:
    """Yield what a callback yields between two pauses, read in one go."""
    portion: list[Sample] = []
    for sample in samples:
        if sample is PAUSE:
            yield portion
            portion = []
        else:
            portion.append(sample)
    yield portion


def _series(metric: Metric, labels: tuple[str, ...]) -> str:
    if len(labels) != len(metric.labels):
        raise ValueError(f"{metric.name} has the labels {metric.labels}, got {len(labels)} values")
    if not labels:
        return metric.name
    values = [clean(value).replace("\\", "\\\\").replace('"', '\\"') for value in labels]
    pairs = [f'{name}="{value}"' for name, value in zip(metric.labels, values, strict=True)]
    return f"{metric.name}{{{','.join(pairs)}}}"


def _number(value: float) -> str:
    """Return a number as Prometheus reads it; integers keep all their digits."""
    if type(value) is int:
        return str(value)
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    return repr(number)
