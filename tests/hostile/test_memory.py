"""P6: resident memory stays under the bound that ``streamgauge check`` prints, whatever names and values arrive."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stream.batch import RecordBatch
from stream.counts import MAX_NAMES
from stream.gathering import DAY_MS
from stream.judging.news import MAX_KNOWN
from stream.kafka.fetch import CHUNK_BYTES
from stream.layout import MAX_FIELDS, MAX_PRODUCERS, MAX_VERSIONS
from stream.memory import MIB, needs, one_batch, reading
from stream.panes import MAX_OPEN
from stream.tapping import has_room
from tests.hostile.attack import plan_of
from tests.hostile.monitor import TOPIC, plan

ROOT = Path(__file__).parents[2]
ENTRY_LIMIT = 900_000


def attacked(name: str, records: int) -> dict[str, Any]:
    """Run an attack in a process of its own; return what the monitor held."""
    command = [sys.executable, "-m", "tests.hostile.attack", name, str(records)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, Any] = json.loads(ended.stdout)
    print(name, found)
    return found


def assert_bounded(name: str, found: dict[str, Any]) -> None:
    """Assert every bound that an attack is against. The process reads nothing from a broker, so that part is not granted."""
    bound = needs(plan_of(name), {TOPIC: 1})
    granted = bound.total - reading(1, 1) + 26 * CHUNK_BYTES
    assert found["peak"] < granted, f"{found['peak'] / MIB:.0f} MiB of {granted / MIB:.0f}"
    assert found["classes"] == {"applied": found["records"]}
    assert found["largest_entry"] < ENTRY_LIMIT
    assert found["largest_output"] < ENTRY_LIMIT
    assert found["layout"] < ENTRY_LIMIT
    assert found["fields"] <= MAX_FIELDS
    assert found["versions"] <= MAX_VERSIONS
    assert found["producers"] <= MAX_PRODUCERS
    assert found["census"] <= MAX_FIELDS
    assert found["seen"] <= MAX_KNOWN


def test_names_and_values_without_end() -> None:
    """Categories, versions, producers, field names and e-mail addresses as keys: the memory of 40,000 is that of 20,000."""
    found = attacked("everything", 40_000)
    assert_bounded("everything", found)
    assert found["end"] - found["half"] < 16 * MIB


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["categories", "origins", "names", "everything"])
def test_a_million_names_and_values(name: str) -> None:
    """The same with a million records: flat from the middle to the end."""
    found = attacked(name, 1_000_000)
    assert_bounded(name, found)
    assert found["end"] - found["half"] < 16 * MIB


@pytest.mark.parametrize("name", ["strings", "numbers"])
def test_two_hundred_fields_being_learned(name: str) -> None:
    """The largest sketches there can be: every entry is cut before 900 kB."""
    assert_bounded(name, attacked(name, 1_000))


@pytest.mark.slow
def test_all_groups_of_two_hundred_fields_in_many_open_panes() -> None:
    found = attacked("groups", 4_000)
    assert_bounded("groups", found)
    assert (found["versions"], found["producers"]) == (MAX_VERSIONS, MAX_PRODUCERS)
    assert found["open_panes"] > MAX_OPEN // 2


def test_what_is_over_the_bound_on_names_is_counted() -> None:
    """Nothing is lost: the names that are kept and ``*`` add up to all of them."""
    from tests.hostile.attack import chunks
    from tests.hostile.monitor import Monitor

    monitor = Monitor(plan_of("everything"))
    for chunk in chunks("everything", 2_000):
        monitor.feed([value for value, _, _ in chunk], None, [key for _, key, _ in chunk], [h for _, _, h in chunk])
    monitor.cut()
    (pane,) = monitor.panes.values()
    for names, n in ((pane.unlisted, 4_000), (pane.versions, 2_000), (pane.producers, 2_000)):
        assert sum(names.values()) == n
        assert len(names) == MAX_NAMES
        assert names["*"] > n / 2


def test_the_bound_grows_with_what_it_depends_on() -> None:
    few, many = plan("a"), plan(*(f"f{i}" for i in range(100)), version="header:v")
    assert needs(few, {TOPIC: 1}).total < needs(few, {TOPIC: 50}).total
    assert needs(few, {TOPIC: 1}).taps < needs(many, {TOPIC: 1}).taps
    assert needs(few, {TOPIC: 1}).judge < needs(many, {TOPIC: 1}).judge
    assert needs(many, {TOPIC: 1}).judge < needs(plan("a", unlisted="watch", version="header:v"), {TOPIC: 1}).judge
    assert needs(few, {TOPIC: 1}).night < needs(many, {TOPIC: 1}).night


NIGHT = """
import resource, numpy as np
from detectors.budget import Series, learn
from detectors.provisional import nightly, prequential
from stream.left_out import global_days
t, k = {days} * 288, {series}
day = np.arange(t) // 288
x, n = np.random.default_rng(1).standard_normal((t, k), np.float32), np.full((t, k), 100, np.int32)
kept = x.copy(), n.copy()
series = Series(x, n, 300_000, day, np.maximum(day % 7 - 4, 0), np.arange(t) % 288 // 6)
global_days(series)
if {days} == 63:
    learn(series.take(np.arange(56 * 288), np.arange(k)), np.arange(k) % 4)
else:
    part = series.take(np.arange(t)).take(np.arange(t), np.arange(k))
    prequential(part, np.arange(k) % 4), nightly(part, np.arange(k) % 4, 0)
print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.parametrize("days", [63, 34])
def test_a_night_stays_within_what_it_was_granted(days: int) -> None:
    """Of twenty categories, after nine weeks and at the end of the first ones."""
    code = NIGHT.format(days=days, series=11 * 20)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    bound = needs(replace(plan(*(f"f{i}" for i in range(20))), warm_up_ms=DAY_MS), {TOPIC: 1}).night
    assert int(ended.stdout) < bound, f"{int(ended.stdout) / MIB:.0f} MiB of {bound / MIB:.0f}"


BATCH = """
import sys
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from stream.kafka.checksum import FetchedRecords
from stream.kafka.fetch import read
from stream.kafka.inflate import Limit
from tests.hostile.attack import resident

if sys.argv[1] == "write":
    builder = DefaultRecordBatchBuilder(2, 4, 0, -1, -1, -1, 1 << 30)
    records, size = int(sys.argv[3]), int(sys.argv[4])
    for delta in range(records):
        builder.append(delta, 1000, None, bytes(size), [])
    open(sys.argv[2], "wb").write(builder.build())
else:
    Limit().install()
    fetched = FetchedRecords(open(sys.argv[2], "rb").read())
    before = resident()
    found = list(read(fetched, "t", 0, 0, 500_000, True, 1))
    fetched_to = int(sys.argv[3])
    assert found[-1].next == fetched_to, "everything was read"
    print(resident("VmHWM") - before)
"""


@pytest.mark.parametrize(("records", "size"), [(1, 60 * MIB), (60_000, 1_000), (499_000, 115), (499_000, 0)])
def test_reading_one_kafka_batch_takes_no_more_than_is_stated(tmp_path: Path, records: int, size: int) -> None:
    """Just within every limit: one giant, or half a million records in a batch of less than a megabyte."""
    file = str(tmp_path / "batch")
    for command in (["write", file, str(records), str(size)], ["read", file, str(records)]):
        full = [sys.executable, "-c", BATCH, *command]
        ended = subprocess.run(full, capture_output=True, text=True, check=True, cwd=ROOT)
    print(f"{int(ended.stdout) / MIB:.0f} MiB of {one_batch() / MIB:.0f}")
    assert int(ended.stdout) < one_batch()


@pytest.mark.parametrize(("partitions", "kept"), [(1, 32), (4, 8), (16, 2), (200, 2)])
def test_what_is_put_aside_is_bounded_in_bytes(partitions: int, kept: int) -> None:
    """While a partition waits for slower ones: 64 MiB for all of them, or 4 MiB each."""
    batch = RecordBatch(TOPIC, 0, 0, 1, 1, [0], [0], [None], [b""], [()], size=CHUNK_BYTES)
    bomb = RecordBatch(TOPIC, 0, 0, 1, 1, [], [], [], [], [], "too_large", size=64 * MIB)
    parked = [bomb, *[batch] * (kept - 1)]
    assert has_room(parked, batch, partitions)
    assert has_room([*parked, batch], bomb, partitions)
    assert not has_room([*parked, batch], batch, partitions)
