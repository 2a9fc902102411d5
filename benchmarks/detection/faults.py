"""Faults in the records themselves: spread, missing values, a new category. Counted by the tap's fold like everything else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.detection.data import Table


@dataclass(frozen=True)
class Fault:
    """A fault of one field, from its onset on. field: its name. change: makes faulty records of a table."""

    name: str
    field: str
    change: Callable[[Table], Table]


def _with(table: Table, field: str, column: np.ndarray) -> Table:
    return Table(table.times_ms, {**table.columns, field: column})


def stretched(field: str, factor: float) -> Callable[[Table], Table]:
    """Values as far from their median as before, times a factor."""

    def change(table: Table) -> Table:
        column = table.columns[field]
        middle = np.nanmedian(column)
        return _with(table, field, middle + factor * (column - middle))

    return change


def emptied(field: str, share: float) -> Callable[[Table], Table]:
    """A share of the values is null, at random."""

    def change(table: Table) -> Table:
        gone = np.random.default_rng(31).random(len(table)) < share
        column = table.columns[field]
        missing = None if column.dtype == object else np.nan
        return _with(table, field, np.where(gone, missing, column))

    return change


def renamed(field: str, share: float) -> Callable[[Table], Table]:
    """A share of the values, at random, is a category that nobody has seen."""

    def change(table: Table) -> Table:
        new = np.random.default_rng(37).random(len(table)) < share
        return _with(table, field, np.where(new, "NEW", table.columns[field]))

    return change


FAULTS = (
    Fault("scale x1.5", "delay", stretched("delay", 1.5)),
    Fault("scale x2", "delay", stretched("delay", 2.0)),
    Fault("5 % missing", "delay", emptied("delay", 0.05)),
    Fault("20 % missing", "delay", emptied("delay", 0.20)),
    Fault("new category, 5 %", "destination", renamed("destination", 0.05)),
)
"""Of the flights."""
