"""The records that are measured: JSON of a stated shape, made from a seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

BLOCK = 10
"""Features of one object of a nested record."""
CATEGORIES = 40


@dataclass(frozen=True, slots=True)
class Shape:
    """What a record looks like. ``kind`` is ``floats``, ``ints``, ``strings`` or ``mixed`` (a third of each)."""

    features: int
    kind: str = "floats"
    nested: bool = False

    @property
    def name(self) -> str:
        return f"{self.features}_{self.kind}" + "_nested" * self.nested


STANDARD = Shape(30)
"""About 1 kB: 30 log-normal fractions with all their digits, an id that is new each time, a constant text."""


def values(shape: Shape, count: int, seed: int = 1) -> list[bytes]:
    """Return so many different records."""
    rng = np.random.default_rng(seed)
    columns = [_column(rng, shape.kind, i, count) for i in range(shape.features)]
    names = [f"feature_{i:02d}" for i in range(shape.features)]
    return [
        _record(shape, number, dict(zip(names, row, strict=True)))
        for number, row in enumerate(zip(*columns, strict=True))
    ]


def _column(rng: np.random.Generator, kind: str, place: int, count: int) -> list[Any]:
    if kind == "mixed":
        kind = ("floats", "ints", "strings")[place % 3]
    if kind == "floats":
        column: list[Any] = rng.lognormal(0, 1, count).tolist()
        return column
    if kind == "ints":
        return [int(item) for item in rng.lognormal(8, 2, count)]
    return [f"merchant-{item:03d}" for item in rng.integers(0, CATEGORIES, count).tolist()]


def _record(shape: Shape, number: int, features: dict[str, Any]) -> bytes:
    if shape.nested:
        items = list(features.items())
        features = {f"block_{i // BLOCK}": dict(items[i : i + BLOCK]) for i in range(0, len(items), BLOCK)}
    return json.dumps({"request_id": f"{number:012d}", **features, "note": "x" * 40}).encode()
