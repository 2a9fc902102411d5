"""The weather of an hour and the trouble of a day in New York, for whoever judges whether an alarm of 2013 was a false one."""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from stream.demo.data import package_data

AIRPORTS = ("EWR", "JFK", "LGA")
UNITS = (("temp", "F"), ("wind_speed", "mph"), ("precip", "in"), ("visib", "mi"))
"""What is shown of an hour, in the units of the data."""


@dataclass(slots=True)
class Day:
    """The flights that were scheduled for one day. Attributes: delay: sum of the departed ones' delays in minutes."""

    scheduled: int = 0
    cancelled: int = 0
    delay: float = 0.0

    def add(self, delay: str) -> None:
        self.scheduled += 1
        if delay == "NA":
            self.cancelled += 1
        else:
            self.delay += float(delay)

    def __str__(self) -> str:
        departed = self.scheduled - self.cancelled
        delay = f", mean delay {round(self.delay / departed)} min" if departed else ""
        return f"{self.cancelled} of {self.scheduled} cancelled{delay}"


@dataclass(frozen=True)
class Weather:
    """Attributes: hours: rows of the weather file by (airport, hour in UTC). days: by local day. year: all of them as one."""

    hours: dict[tuple[str, str], dict[str, str]]
    days: dict[date, Day]
    year: Day = field(default_factory=Day)

    def hour(self, ms: int) -> str:
        """Return the weather at the three airports in the hour of a moment."""
        name = datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:00:00Z")
        return "; ".join(f"{airport} {_shown(self.hours.get((airport, name)))}" for airport in AIRPORTS)

    def day(self, day: date) -> str:
        return f"{day:%d %b}: {self.days.get(day, 'no flights')}"


def _shown(row: dict[str, str] | None) -> str:
    if row is None:
        return "not recorded"
    return " ".join("-" if row[name] == "NA" else f"{float(row[name]):.3g} {unit}" for name, unit in UNITS)


def load(folder: Path | None = None) -> Weather:
    """Read the weather and what became of all flights (`stream.demo.data` knows only those that departed).

    Args:
        folder: where ``flights.csv.zip`` and ``weather.csv`` are; the installed package by default.
    """
    folder = folder or package_data()
    with (folder / "weather.csv").open(newline="") as lines:
        hours = {(row["origin"], row["time_hour"]): row for row in csv.DictReader(lines)}
    days: dict[date, Day] = {}
    year = Day()
    with zipfile.ZipFile(folder / "flights.csv.zip") as archive, archive.open("flights.csv") as raw:
        rows = csv.reader(io.TextIOWrapper(raw, newline=""))
        header = next(rows)
        place = [header.index(name) for name in ("year", "month", "day", "dep_delay")]
        for row in rows:
            y, m, d, delay = (row[at] for at in place)
            days.setdefault(date(int(y), int(m), int(d)), Day()).add(delay)
            year.add(delay)
    return Weather(hours, days, year)
