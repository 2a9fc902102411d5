"""The decoder, fuzzed for as long as continuous integration can wait: ``make fuzz SECONDS=600`` goes on for longer."""

from __future__ import annotations

import os

from tests.hostile.fuzz import EXAMPLES, fuzz


def test_damaged_records_raise_nothing_and_harm_no_neighbour() -> None:
    """STREAMGAUGE_FUZZ_SECONDS is the budget; at least one round is run."""
    read = fuzz(float(os.environ.get("STREAMGAUGE_FUZZ_SECONDS", "20")))
    print(f"{read} chunks read")
    assert read >= EXAMPLES
