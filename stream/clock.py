"""The two clocks, as functions that are handed down. Only `stream.app` reads a real one (rule 5: time is an argument)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clocks:
    """Attributes: monotonic: seconds that only grow; measures spans. wall: seconds since 1970; only ever compared with
    event times and shown to people.
    """

    monotonic: Callable[[], float]
    wall: Callable[[], float]

    @property
    def monotonic_ms(self) -> int:
        return int(self.monotonic() * 1000)

    @property
    def wall_ms(self) -> int:
        return int(self.wall() * 1000)
