"""Synthetic streams without any drift, in environments that are known to raise false alarms.

They are drawn day by day and week by week from seeded generators, so a year of 200 fields never stands in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from benchmarks.detection.data import DAY_MS, MINUTE_MS, Table

ENVIRONMENTS = ("iid", "season", "ar", "full")
DAY = 1440
WEEK = 7 * DAY
"""Minutes."""
BEGIN_MS = 978_307_200_000
"""A Monday: 2001-01-01."""


@dataclass(frozen=True)
class Synthetic:
    """A stream without any drift: each value is latent(minute) + noise of sd 1, drawn for each record.

    The latent is the environment. Each of its parts has about the sd of a pane's mean, 1/sqrt(records), and so the whole of
    ``full`` has twice that:

    * ``iid``: nothing;
    * ``season``: a daily sine of that amplitude with a phase of the feature's own, half as high on Saturday and Sunday;
    * ``ar``: an AR(1) with coefficient .9 per minute;
    * ``full``: both, an AR(1) with a time constant of 12 hours, and one AR(1) .9 common to all features, times a loading of
      each that is drawn from N(0, 1); the noise is Student's t with 5 degrees of freedom, scaled to sd 1.

    Attributes:
        features: F. records: per minute, evenly spaced.
        seed: of everything. The noise of a week has a generator of its own, so that a week is drawn without those before it.
    """

    environment: str
    features: int = 20
    records: int = 60
    seed: int = 1

    def __post_init__(self) -> None:
        if self.environment not in ENVIRONMENTS:
            raise ValueError(f"'environment' must be one of {', '.join(ENVIRONMENTS)}, got {self.environment!r}")

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(f"x{i}" for i in range(self.features))

    def latents(self) -> Iterator[NDArray[np.float64]]:
        """Yield float64[F, 10080] for each week, without end: the latent by minute."""
        rng = np.random.default_rng([self.seed, 0])
        phase, loading = rng.uniform(0, 2 * np.pi, (self.features, 1)), rng.normal(size=(self.features, 1))
        minute = np.arange(WEEK)
        season = np.sin(2 * np.pi * minute / DAY + phase) * np.where(minute < 5 * DAY, 1.0, 0.5)
        fast, slow, common = (
            _ar(rng, rows, phi) for rows, phi in ((self.features, 0.9), (self.features, np.exp(-1 / 720)), (1, 0.9))
        )
        while True:
            latent = np.zeros_like(season)
            if self.environment in ("season", "full"):
                latent += season
            if self.environment in ("ar", "full"):
                latent += next(fast)
            if self.environment == "full":
                latent += next(slow) + loading * next(common)
            yield latent / np.sqrt(self.records)

    def week(self, week: int, latent: NDArray[np.float64]) -> Iterator[Table]:
        """Yield the records of a week day by day: fields ``x0`` .. as Tables of 1440 * ``records`` rows.

        Args:
            week: from 0 on, counted from `BEGIN_MS`. latent: float64[F, 10080], the one of that week.
        """
        rng = np.random.default_rng([self.seed, 1 + week])
        for day, level in enumerate(np.split(latent, 7, axis=1), 7 * week):
            n = DAY * self.records
            times = BEGIN_MS + day * DAY_MS + np.arange(n) * MINUTE_MS // self.records
            heavy = self.environment == "full"
            noise = rng.standard_t(5, (self.features, n)) * 0.6**0.5 if heavy else rng.normal(size=(self.features, n))
            noise += np.repeat(level, self.records, axis=1)
            yield Table(times, dict(zip(self.fields, noise, strict=True)))


def _ar(rng: np.random.Generator, rows: int, phi: float) -> Iterator[NDArray[np.float64]]:
    """Yield float64[rows, 10080] for each week, without end: stationary AR(1) of sd 1, going on from week to week."""
    last = rng.normal(size=(rows, 1))
    while True:
        drawn = rng.normal(size=(rows, WEEK))
        series, _ = lfilter([np.sqrt(1 - phi**2)], [1.0, -phi], drawn, zi=phi * last)
        last = series[:, -1:]
        yield series
