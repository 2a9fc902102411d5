"""The model that is watched: the chance that a flight arrives at least 30 minutes late, given at the gate.

A logistic regression of river (StandardScaler | LogisticRegression) learns January, flight by flight in the order of
departure, and is then frozen. The rest of the year is scored with its weights as one matrix product: `predict_proba_one`
takes minutes for 300,000 flights, the product milliseconds, and a test holds that they agree.

A value that is missing is left out of the record river sees; it then adds nothing, which is the same as the mean.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.demo.data import DAY, Flights

INPUTS = ("dep_delay", "hour", "distance", "temp", "humid", "wind_speed", "precip", "visib", "pressure", "plane_year")
LEARNED = 31 * DAY
"""Minutes of the year that the model may learn from: January."""


@dataclass(frozen=True)
class Scorer:
    """Frozen weights. ``mean``, ``scale`` and ``weight`` hold one number per input of `INPUTS`."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    intercept: float

    def score(self, flights: Flights) -> NDArray[np.float64]:
        """Return float64[N], the chance of every flight to arrive late."""
        values = np.column_stack([flights.column(name) for name in INPUTS])
        z = np.nan_to_num((values - np.array(self.mean)) / np.array(self.scale), nan=0.0)
        return np.asarray(1.0 / (1.0 + np.exp(-(z @ np.array(self.weight) + self.intercept))))


def inputs(flights: Flights, row: int) -> dict[str, float]:
    """Return what river sees of one flight: the inputs that are not missing."""
    values = {name: flights.features[name][row] for name in INPUTS}
    return {name: value for name, value in values.items() if value is not None}


def fit(flights: Flights) -> Any:
    """Learn the flights of `LEARNED` that arrived, in order, and return river's pipeline."""
    # Loading river takes seconds (scipy): only the first run pays for it.
    from river import linear_model, optim, preprocessing  # noqa: PLC0415

    model = preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.01))
    late = flights.late.tolist()
    arrived = (~np.isnan(flights.landed) & (flights.departed < LEARNED)).nonzero()[0]
    for row in arrived.tolist():
        model.learn_one(inputs(flights, row), late[row])
    return model


def freeze(model: Any) -> Scorer:
    """Take the numbers out of river's pipeline."""
    scaler, regression = model["StandardScaler"], model["LogisticRegression"]
    return Scorer(
        mean=tuple(float(scaler.means[name]) for name in INPUTS),
        scale=tuple(math.sqrt(scaler.vars[name]) for name in INPUTS),
        weight=tuple(float(regression.weights[name]) for name in INPUTS),
        intercept=float(regression.intercept),
    )


def learned(flights: Flights, cache: Path) -> Scorer:
    """Return the frozen scorer, from the file ``cache`` when an earlier run left one there."""
    if cache.exists():
        return Scorer(**{name: _tuple(value) for name, value in json.loads(cache.read_text()).items()})
    scorer = freeze(fit(flights))
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.write_text(json.dumps(asdict(scorer), indent=1))
    return scorer


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
