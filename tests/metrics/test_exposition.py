"""The page is read back with the parser of prometheus_client, whatever the labels and values are."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from stream.serving import metrics
from stream.serving.exposition import LINES, MAX_LABEL_BYTES, PAUSE, Registry, clean
from stream.serving.metrics import Sample

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def render(registry: Registry) -> list[bytes]:
    async def pieces() -> list[bytes]:
        return [piece async for piece in registry.render()]

    return asyncio.run(pieces())


def read(registry: Registry) -> Series:
    """Render, parse and return value by (name, labels)."""
    series: Series = {}
    for family in text_string_to_metric_families(b"".join(render(registry)).decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sample.labels.items()))
            assert key not in series, f"{key} stands on the page twice"
            series[key] = sample.value
    return series


def watermark(series: Series, stream: str) -> float:
    return series["streamgauge_watermark_timestamp_seconds", (("stream", stream),)]


def test_counters_add_and_gauges_are_set() -> None:
    registry = Registry()
    registry.inc(metrics.REJECTED, ("m.features", "json"))
    registry.inc(metrics.REJECTED, ("m.features", "json"), 2)
    registry.set(metrics.JUDGE, (), 0)
    registry.set(metrics.JUDGE, (), 1)
    series = read(registry)
    assert series["streamgauge_records_rejected_total", (("stream", "m.features"), ("reason", "json"))] == 3
    assert series["streamgauge_judge", ()] == 1


def test_other_work_comes_in_where_a_callback_pauses() -> None:
    """A callback of many series must not hold the loop to its end; between two pauses nothing comes in."""
    registry = Registry()
    happened: list[str] = []

    def samples() -> Iterator[Sample | None]:
        for name in ("a.features", "b.features"):
            happened.append(name)
            yield metrics.WATERMARK, (name,), 1.0
            yield metrics.NEWEST, (name,), 2.0
            yield PAUSE

    async def work() -> None:
        while len(happened) < 4:
            happened.append("work")
            await asyncio.sleep(0)

    async def scrape() -> bytes:
        other = asyncio.create_task(work())
        page = b"".join([piece async for piece in registry.render()])
        await other
        return page

    registry.collect(samples)
    page = asyncio.run(scrape())
    assert page.count(b'{stream="') == 4
    assert "work" in happened[: happened.index("b.features")]


def test_a_callback_is_read_at_every_scrape_and_what_it_drops_is_gone() -> None:
    registry = Registry()
    marks = {"a.features": 1.0, "b.features": 2.0}
    registry.collect(lambda: [(metrics.WATERMARK, (name,), value) for name, value in marks.items()])
    assert watermark(read(registry), "b.features") == 2
    marks["a.features"] = 7.5
    del marks["b.features"]
    series = read(registry)
    assert watermark(series, "a.features") == 7.5
    assert not [key for key in series if ("stream", "b.features") in key[1]]


def test_a_removed_series_is_gone() -> None:
    registry = Registry()
    registry.set(metrics.STALLED, ("t", "0"), 1)
    registry.remove(metrics.STALLED, ("t", "0"))
    registry.remove(metrics.STALLED, ("t", "1"))
    assert not [key for key in read(registry) if key[0] == "streamgauge_stalled"]


def test_samples_of_several_callbacks_stand_under_one_header() -> None:
    """The text format wants all lines of a metric in one group, also where callbacks mix metrics."""
    registry = Registry()
    registry.collect(lambda: [(metrics.WATERMARK, ("a.features",), 1), (metrics.NEWEST, ("a.features",), 2)])
    registry.collect(lambda: [(metrics.WATERMARK, ("b.features",), 1), (metrics.NEWEST, ("b.features",), 2)])
    page = b"".join(render(registry)).decode().splitlines()
    kinds = [line for line in page if line.startswith("# TYPE streamgauge_watermark")]
    at = page.index(kinds[0])
    assert len(kinds) == 1
    assert page[at + 1].endswith('"a.features"} 1')
    assert page[at + 2].endswith('"b.features"} 1')


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2**63 + 1, "9223372036854775809"),
        (math.nan, "NaN"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
    ],
)
def test_values_are_written_as_prometheus_reads_them(value: float, text: str) -> None:
    registry = Registry()
    registry.set(metrics.TICK, (), value)
    assert f"streamgauge_ledger_tick_timestamp_seconds {text}\n" in b"".join(render(registry)).decode()


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    """repr(np.float64(1.5)) is 'np.float64(1.5)', which would make the page unreadable."""
    np = pytest.importorskip("numpy")
    registry = Registry()
    registry.set(metrics.TICK, (), np.float64(1.5))
    registry.set(metrics.LAG, ("t", "0"), np.int64(3))
    series = read(registry)
    assert series["streamgauge_ledger_tick_timestamp_seconds", ()] == 1.5


HOSTILE = [
    '"} 1\n',
    "<script>",
    "x" * 10_000,
    chr(0xD800),
    "\u202eevil",
    "a\\",
    '\\"',
    "\n",
    "\r",
    "\x00",
    "",
    "é" * 100,
]


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(st.characters())), max_size=8, unique=True))
def test_no_label_makes_the_page_unreadable_or_merges_two_series(names: list[str]) -> None:
    registry = Registry()
    registry.collect(lambda: [(metrics.WATERMARK, (name,), at) for at, name in enumerate(names)])
    series = {key: value for key, value in read(registry).items() if key[0].startswith("streamgauge_watermark")}
    assert sorted(series.values()) == list(range(len(names)))
    for _, labels in series:
        value = dict(labels)["stream"]
        assert value.isprintable()
        assert len(value.encode()) <= MAX_LABEL_BYTES


def test_ordinary_names_are_left_alone() -> None:
    assert [clean(name) for name in ("tx.amount", "Größe", "", "a b")] == ["tx.amount", "Größe", "", "a b"]


def test_a_wrong_number_of_labels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"streamgauge_stalled has the labels \('topic', 'partition'\), got 1 values"):
        Registry().set(metrics.STALLED, ("t",), 1)


def features(count: int) -> Iterator[Sample]:
    for index in range(count):
        yield metrics.FEATURE_STATE, ("m", "m.features", f"f{index}"), 0


def test_a_full_page_drops_the_least_important_series_and_says_so() -> None:
    registry = Registry(max_series=10)
    registry.collect(lambda: features(30))
    registry.collect(lambda: [(metrics.INCIDENT, ("m", "missing", "f1", "page"), 1)])
    series = read(registry)
    names = [name for name, _ in series]
    assert names.count("streamgauge_incident") == 1
    assert names.count("streamgauge_feature_state") == 9
    assert series["streamgauge_series_suppressed_total", (("metric", "streamgauge_feature_state"),)] == 21
    assert series["streamgauge_exported_series", ()] == series["streamgauge_exported_series_limit", ()] == 10


def test_the_series_kept_between_scrapes_are_bounded_too() -> None:
    registry = Registry(max_series=5)
    for index in range(50):
        registry.inc(metrics.REJECTED, ("m.features", f"reason{index}"))
    series = read(registry)
    assert series["streamgauge_series_suppressed_total", (("metric", "streamgauge_records_rejected_total"),)] == 45


def test_the_page_comes_in_pieces_and_other_tasks_run_between_them() -> None:
    registry = Registry()
    registry.collect(lambda: features(5 * LINES))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def scrape() -> list[bytes]:
        other = asyncio.create_task(others())
        pieces = [piece async for piece in registry.render()]
        other.cancel()
        return pieces

    pieces = asyncio.run(scrape())
    assert max(piece.count(b"\n") for piece in pieces) <= LINES + 2
    assert turns >= 5
