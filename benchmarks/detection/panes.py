"""Panes of real and synthetic streams: what the judge would see of their records, `benchmarks.detection.folding` says how.

What was counted is kept in ``build/detection``, named by a digest of what it was made from, the code included.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection import data
from benchmarks.detection.data import DAY_MS, FLIGHTS_BEGIN_MS, FOLDER, POWER_BEGIN_MS, Table
from benchmarks.detection.faults import Fault
from benchmarks.detection.folding import PANE_MS, folded, learned
from benchmarks.detection.synthetic import BEGIN_MS, ENVIRONMENTS, Synthetic
from stream import codec
from stream.layout import Section

BUSIEST = 9
FLIGHTS_MS = (FLIGHTS_BEGIN_MS, FLIGHTS_BEGIN_MS + 84 * DAY_MS)
POWER_MS = (POWER_BEGIN_MS, POWER_BEGIN_MS + 364 * DAY_MS)
"""Both begin on a Monday and are whole weeks: those will be permuted."""

_ROOT = Path(__file__).parents[2]
CODE = (
    *(f"benchmarks/detection/{name}.py" for name in ("data", "faults", "folding", "panes", "synthetic")),
    *(f"stream/reading/{name}.py" for name in ("columns", "fold", "sketch", "tables", "tally")),
    *("stream/counts.py", "stream/layout.py", "stream/learn.py"),
)
"""What a count depends on."""


@dataclass(frozen=True, eq=False)
class PaneSeries:
    """The counts of one stream in T consecutive panes; one without records is a row of zeros.

    Attributes:
        name: of the stream. pane_ms: length of a pane.
        first: index of the first pane: its event times // ``pane_ms``.
        section: F fields, and what was learned of each: ``section.bins``, with known categories and what may be said of them.
        bins: uint16[T, F, 36], usable values by bin. records: int32[T].
        missing: int32[T, F], values that are absent, null or not finite.
    """

    name: str
    pane_ms: int
    first: int
    section: Section
    bins: NDArray[np.uint16]
    records: NDArray[np.int32]
    missing: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.records)

    @property
    def fields(self) -> tuple[str, ...]:
        return self.section.names

    @property
    def kinds(self) -> tuple[str | None, ...]:
        """Return ``number``, ``code``, ``category`` or ``bool`` by field; None where no bins were learned."""
        return tuple(None if bins is None else bins.kind for bins in self.section.bins)

    @property
    def edges(self) -> tuple[NDArray[np.float64], ...]:
        """Return the edges of each field, float64, ascending, at most 35; none where it is no number."""
        return tuple(np.zeros(0) if bins is None else bins.edges for bins in self.section.bins)


def series(
    name: str,
    *,
    features: int = 20,
    records: int = 60,
    weeks: int = 12,
    seed: int = 1,
    fault: Fault | None = None,
) -> Iterator[PaneSeries]:
    """Yield the streams of a source, with panes of a minute; with a fault, of flights only, in all records behind the learning.

    * ``flights``: ``flights.all``, then ``flights.ORD`` and so on for the nine busiest origins; 84 days from 2001-01-01 on.
    * ``power``: seven numbers, one record a minute; 364 days from 2007-01-01 on.
    * ``iid``, ``season``, ``ar``, ``full``: one stream as `Synthetic` says, and the arguments are of these only. It takes
      0.7 MB per week and feature; who cannot hold that uses `synthetic_weeks`.
    """
    if fault is not None and name != "flights":
        raise ValueError(f"faults are made in flights only, not in {name!r}")
    if name == "flights":
        yield from _flights(fault)
    elif name == "power":
        yield _kept(name, POWER_MS, lambda: _whole(name, data.power().between(*POWER_MS), POWER_MS))
    elif name in ENVIRONMENTS:
        yield _joined(list(synthetic_weeks(Synthetic(name, features, records, seed), weeks)))
    else:
        known = ", ".join(("flights", "power", *ENVIRONMENTS))
        raise ValueError(f"there is no series {name!r}; there are {known}")


def synthetic_weeks(source: Synthetic, weeks: int) -> Iterator[PaneSeries]:
    """Yield a series for each week of a synthetic stream, all with the bins that were learned when it began."""
    section: Section | None = None
    for week, latent in zip(range(weeks), source.latents(), strict=False):
        make = partial(_week, source, partial(source.week, week, latent), week, section)
        part = _kept(source.environment, (asdict(source), week), make)
        section = part.section
        yield part


def _week(source: Synthetic, draw: Callable[[], Iterator[Table]], week: int, section: Section | None) -> PaneSeries:
    start_ms = BEGIN_MS + 7 * DAY_MS * week
    section = section or learned(source.environment, source.fields, draw())
    return _counted(section, draw(), (start_ms, start_ms + 7 * DAY_MS))


def _joined(parts: list[PaneSeries]) -> PaneSeries:
    """Return series that follow each other as one."""
    bins, records, missing = (
        np.concatenate(arrays)
        for arrays in zip(*((part.bins, part.records, part.missing) for part in parts), strict=True)
    )
    head = parts[0]
    return PaneSeries(head.name, head.pane_ms, head.first, head.section, bins, records, missing)


def _flights(fault: Fault | None) -> Iterator[PaneSeries]:
    table = data.flights().between(*FLIGHTS_MS)
    origin = table.columns["origin"]
    columns = {name: column for name, column in table.columns.items() if name != "origin"}
    airports, flights = np.unique(origin.astype(str), return_counts=True)
    parts = {"flights.all": table}
    for airport in airports[np.argsort(-flights, kind="stable")[:BUSIEST]].tolist():
        parts[f"flights.{airport}"] = Table(table.times_ms, columns).where(origin == airport)
    for name, part in parts.items():
        parameters = (FLIGHTS_MS, fault.name) if fault else FLIGHTS_MS
        yield _kept(name, parameters, partial(_whole, name, part, FLIGHTS_MS, fault))


def _whole(name: str, table: Table, span_ms: tuple[int, int], fault: Fault | None = None) -> PaneSeries:
    """Learn the bins of a table as the monitor would, then count all of it."""
    section = learned(name, tuple(table.columns), [table])
    return _counted(section, [fault.change(table) if fault else table], span_ms)


def _counted(section: Section, tables: Iterable[Table], span_ms: tuple[int, int]) -> PaneSeries:
    bins, records, missing = folded(section, tables, span_ms)
    return PaneSeries(section.stream, PANE_MS, span_ms[0] // PANE_MS, section, bins, records, missing)


def _kept(name: str, parameters: Any, make: Callable[[], PaneSeries]) -> PaneSeries:
    """Return a series from its file; make and write it where there is none."""
    code = [(_ROOT / path).read_text() for path in CODE]
    path = FOLDER / f"{name}-{codec.digest([name, parameters, code, codec.FORMAT])}.npz"
    if path.exists():
        with np.load(path) as arrays:
            kept = {key: arrays[key] for key in arrays.files}
        header, body = codec.unpack(kept.pop("frame").tobytes())
        return PaneSeries(**header, section=Section.from_dict(body), **kept)
    made = make()
    header = {"name": made.name, "pane_ms": made.pane_ms, "first": made.first}
    frame = np.frombuffer(codec.pack(header, made.section.to_dict()), np.uint8)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as scratch:
        written = Path(scratch, path.name)
        np.savez_compressed(written, frame=frame, bins=made.bins, records=made.records, missing=made.missing)
        os.replace(written, path)  # whole or not at all, also for a second run beside this one
    return made
