"""The flights of 2013, read once; tests that need them are skipped by name where the package is absent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from stream.demo import data
from stream.demo.timeline import Clock, Timeline


@pytest.fixture(scope="session")
def published() -> data.Flights:
    try:
        return data.load()
    except data.DataMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
def small() -> data.Flights:
    """A year with one flight each hour, an hour in the air, every hundredth diverted and every tenth late."""
    count = 365 * 24
    departed = np.arange(count) * 60.0 + 30
    landed = departed + 60
    landed[::100] = np.nan
    delay = np.where(np.arange(count) % 10 == 0, 45.0, -3.0)
    numbers: dict[str, list[Any]] = {
        name: [1.0 + row % 7 for row in range(count)]
        for name in ("hour", "distance", "dep_delay", "temp", "humid", "wind_speed", "precip", "visib", "pressure")
    }
    numbers |= {name: [2000 + row % 3 for row in range(count)] for name in ("plane_year", "seats", "engines")}
    words = {"origin": ["EWR", "JFK", "LGA"], "dest": ["BOS", "MIA"], "carrier": ["UA", "AA"]}
    features = {name: [choice[row % len(choice)] for row in range(count)] for name, choice in words.items()} | numbers
    return data.Flights(
        key=[f"{row:04}-UA-1-EWR" for row in range(count)],
        departed=departed,
        landed=landed,
        arrival_delay=np.where(np.isnan(landed), np.nan, delay),
        features=features,
    )


@pytest.fixture
def small_timeline(small: data.Flights) -> Timeline:
    return Timeline(small, np.linspace(0, 1, len(small)), Clock.starting(1_700_000_000_777))
