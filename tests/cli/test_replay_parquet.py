"""`streamgauge replay` over Parquet files: the verdict of the same records as JSON lines, and files that are refused."""

from __future__ import annotations

import datetime as dt
import json
import math
import random
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stream.jsonl import BadLineError
from stream.parquet import ROWS, is_parquet, read_rows
from stream.plan import StreamPlan
from tests.cli.conftest import Command, Configuration, Configure

START_MS = 1_356_998_400_000  # 2013-01-01T00:00:00Z
PER_PANE = 40
PANES = 30
BROKEN = {"amount": (20, 22, None), "ratio": (24, 26, math.nan)}
"""Field -> from which minute until which it is so."""
UTC = dt.UTC


def records() -> list[dict[str, Any]]:
    rng = random.Random(7)
    rows = []
    for i in range(PANES * PER_PANE):
        values = {"amount": round(rng.gauss(50, 9), 2), "ratio": rng.random()}
        for name, (begin, end, broken) in BROKEN.items():
            if begin <= i // PER_PANE < end:
                values[name] = broken
        tx = {"amount": values["amount"], "items": [i % 3, 1]}
        when = START_MS + i * 60_000 // PER_PANE
        rows.append({"ts": when, "type": "payment", "tx": tx, "ratio": values["ratio"], "country": rng.choice("DF")})
    return rows


def table(rows: list[dict[str, Any]], **columns: pa.Array) -> pa.Table:
    made = pa.Table.from_pylist(rows)
    for name, column in columns.items():
        made = made.drop_columns([name]) if name in made.column_names else made
        made = made.append_column(name, column)
    return made


def written(path: Path, made: pa.Table, **options: Any) -> Path:
    pq.write_table(made, path, **options)
    return path


def stream(time: str | None = None, unit: str = "ms") -> StreamPlan:
    return StreamPlan("m.features", "m", "features", "t", time=time, time_unit=unit)


def values(path: Path, *streams: StreamPlan) -> list[dict[str, Any]]:
    return [json.loads(line.value or b"") for line in read_rows(path, streams)]


@pytest.fixture
def configuration(configure: Configure) -> Configuration:
    return configure("127.0.0.1:9")


@pytest.fixture
def refused(configuration: Configuration, streamgauge: Command) -> Callable[[Path], str]:
    """Replay a file that cannot be; return what is said of it."""

    def said(path: Path) -> str:
        ended = streamgauge("replay", configuration.file, "--input", f"{configuration.features}={path}", "--quiet")
        assert (ended.code, ended.out, len(ended.err.splitlines())) == (65, "", 1)
        assert ended.err.startswith(f"streamgauge replay: {path}: ")
        return ended.err.removeprefix(f"streamgauge replay: {path}: ").rstrip()

    return said


@pytest.mark.parametrize(("unit", "resolution"), [("ms", "us"), ("rfc3339", "ns"), ("us", "us"), ("ms", None)])
def test_the_verdict_is_that_of_the_same_records_as_lines(
    configuration: Configuration, streamgauge: Command, tmp_path: Path, unit: str, resolution: str | None
) -> None:
    """Table, accounts and events are equal, nulls, NaN and nested fields included, however the time is stored."""
    configuration.edit("unit: ms", f"unit: {unit}")
    configuration.edit("country:", "ratio: {required: true}\n        country:")
    spell: dict[str, Callable[[int], Any]] = {
        "ms": int,
        "us": lambda ms: ms * 1000,
        "rfc3339": lambda ms: dt.datetime.fromtimestamp(ms / 1000, UTC).isoformat(),
    }
    lines, rows = tmp_path / "day.jsonl", tmp_path / "day"
    lines.write_text("".join(json.dumps({**row, "ts": spell[unit](row["ts"])}) + "\n" for row in records()))
    times = pa.array([row["ts"] for row in records()], pa.int64())
    if resolution is not None:
        times = times.cast(pa.timestamp("ms")).cast(pa.timestamp(resolution))
    written(rows, table(records(), ts=times), row_group_size=500)
    ends, events = [], []
    for file in (lines, rows):
        alerts = tmp_path / "alerts.jsonl"
        given = ("replay", configuration.file, "--input", f"{configuration.features}={file}", "--alerts", alerts)
        ended = streamgauge(*given)
        ends.append((ended.code, ended.out))
        events.append(alerts.read_text())
        assert ended.err.splitlines()[-1] == "replaying: 100 %"
    assert ends[0] == ends[1]
    assert events[0] == events[1]
    opened = [json.loads(line) for line in events[0].splitlines()]
    assert {event["labels"]["subject"] for event in opened if event["status"] == "firing"} == set(BROKEN)
    assert ends[0][0] == 0
    assert "fraud.features  1200     1200" in ends[0][1]


def test_types_that_json_does_not_have(tmp_path: Path) -> None:
    """Each has one form, at any depth."""
    when = dt.datetime(2013, 1, 1, 0, 0, 1, 500_000, UTC)
    nested = pa.struct([("at", pa.timestamp("ns")), ("of", pa.list_(pa.timestamp("s", "Europe/Berlin")))])
    made = pa.table(
        {
            "timestamp": pa.array([when], pa.timestamp("us")),
            "nested": pa.array([{"at": when, "of": [when.replace(microsecond=0)]}], nested),
            "nanos": pa.array([1_000_001], pa.timestamp("ns")),
            "far": pa.array([9 * 10**17], pa.timestamp("us")),
            "date": pa.array([when.date()]),
            "time": pa.array([when.time()]),
            "lasted": pa.array([dt.timedelta(seconds=2)]),
            "price": pa.array([Decimal("1.10")]),
            "half": pa.array([1.5], pa.float16()),
            "word": pa.array(["x"]).dictionary_encode(),
            "raw": pa.array([b"a\xff"]),
            "map": pa.array([[(7, b"v")]], pa.map_(pa.int32(), pa.binary())),
            "huge": pa.array([2**64 - 1], pa.uint64()),
            "nothing": pa.nulls(1),
        }
    )
    assert values(written(tmp_path / "file", made), stream()) == [
        {
            "timestamp": START_MS + 1500,
            "nested": {"at": START_MS + 1500, "of": [START_MS + 1000]},
            "nanos": 1,
            "far": 9 * 10**14,
            "date": "2013-01-01",
            "time": "00:00:01.500000",
            "lasted": 2000,
            "price": 1.1,
            "half": 1.5,
            "word": "x",
            "raw": "a\ufffd",
            "map": {"7": "v"},
            "huge": 2**64 - 1,
            "nothing": None,
        }
    ]


@pytest.mark.parametrize(
    ("unit", "spelled"),
    [("rfc3339", "2013-01-01 00:00:01.500Z"), ("s", START_MS // 1000 + 1), ("us", (START_MS + 1500) * 1000)],
)
def test_a_timestamp_is_written_as_the_stream_states_its_times(tmp_path: Path, unit: str, spelled: object) -> None:
    """So `as_of` fields are read in the unit they are judged in, too."""
    times = pa.array([START_MS + 1500], pa.timestamp("ms"))
    file = written(tmp_path / "file", pa.table({"ts": times, "asof": times}))
    assert values(file, stream("ts", unit)) == [{"ts": spelled, "asof": spelled}]


def test_the_time_of_a_record(tmp_path: Path) -> None:
    """The event time, also in a struct or under a name with a dot; else ``timestamp``; else the latest one before."""
    stamps = pa.array([10, None, 30, None], pa.int64())
    inner = pa.array([{"ts": 1}, {"ts": 2}, None, None], pa.struct([("ts", pa.int64())]))
    file = written(tmp_path / "file", pa.table({"timestamp": stamps, "tx": inner, "flat.ts": stamps}))
    assert [line.timestamp for line in read_rows(file, (stream("tx.ts"),))] == [1, 2, 30, 30]
    assert [line.timestamp for line in read_rows(file, (stream("flat.ts"),))] == [10, 10, 30, 30]
    assert [line.timestamp for line in read_rows(file, (stream(),))] == [10, 10, 30, 30]


def test_rows_come_in_batches(tmp_path: Path) -> None:
    """All of them, in order, and their sizes are the size of the file."""
    count = 2 * ROWS + 7
    file = written(tmp_path / "file", pa.table({"timestamp": range(count)}))
    lines = list(read_rows(file, ()))
    assert [line.timestamp for line in lines] == list(range(count))
    assert sum(line.size for line in lines) == file.stat().st_size


def test_a_file_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    """Not by its name; and a folder or a pipe is not even opened."""
    named, other = tmp_path / "a.parquet", tmp_path / "b.jsonl"
    named.write_text("{}\n")
    written(other, pa.table({"timestamp": [1]}))
    assert [is_parquet(path) for path in (named, other, tmp_path, tmp_path / "none")] == [False, True, False, False]


def test_a_damaged_file_is_one_line(refused: Callable[[Path], str], tmp_path: Path) -> None:
    """Cut off, overwritten, or only the first bytes of one."""
    whole = written(tmp_path / "whole", table(records())).read_bytes()
    damaged = bytearray(whole)
    damaged[40:4000] = b"\xff" * 3960
    for content in (b"PAR1", whole[:-100], bytes(damaged)):
        file = tmp_path / "file"
        file.write_bytes(content)
        assert refused(file).startswith("expected a whole Parquet file, found: ")


def test_text_that_is_none_is_one_line(refused: Callable[[Path], str], tmp_path: Path) -> None:
    """A writer may call bytes a text that are none."""
    broken = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    file = written(tmp_path / "file", pa.table({"ts": [1], "text": broken}))
    assert refused(file).startswith("expected a whole Parquet file, found: 'utf-8' codec can't decode")


def test_a_file_without_rows_is_one_line(refused: Callable[[Path], str], tmp_path: Path) -> None:
    """Like an empty file of lines."""
    assert refused(written(tmp_path / "file", table(records()).slice(0, 0))) == "no record"


@pytest.mark.parametrize(
    ("columns", "found"),
    [({"x": [1], "y": [2]}, "the columns x, y"), ({"timestamp": ["noon"]}, "timestamp as string")],
)
def test_a_file_without_a_time_is_one_line(
    refused: Callable[[Path], str], tmp_path: Path, columns: dict[str, list[Any]], found: str
) -> None:
    """What was expected, what was found."""
    expected = "the event time ts, or a column timestamp (ms, or a Parquet timestamp)"
    file = written(tmp_path / "file", pa.table(columns))
    assert refused(file) == f"no time: expected {expected}, found {found}"


def test_a_stream_without_an_event_time_needs_the_column(tmp_path: Path) -> None:
    """Many columns are not all told."""
    file = written(tmp_path / "file", pa.table({f"c{i}": [i] for i in range(9)}))
    said = r"expected a column timestamp \(ms, or a Parquet timestamp\), found the columns c0, c1, c2, c3, c4, c5, …"
    with pytest.raises(BadLineError, match=said):
        next(read_rows(file, (stream(),)))


def test_without_pyarrow_the_command_is_named(
    refused: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra: 170 MB that a monitor does not need."""
    file = written(tmp_path / "file", table(records()))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refused(file) == "Parquet needs pyarrow: pip install pyarrow"
