"""Four short runs of the chaos harness: one fault each that the kill test does not have, judged by the whole oracle."""

from __future__ import annotations

import pytest

from tests.brokers.kafka import lacking
from tests.chaos import running
from tests.chaos.nemesis import FAULTS, schedule
from tests.chaos.proxy import protected
from tests.chaos.verifying import Observed


@pytest.fixture(scope="module")
def calm() -> Observed:
    """The undisturbed run, made once for the code there is."""
    if lacking():
        pytest.skip(f"needs Apache Kafka: {lacking()}")
    return running.undisturbed()


@pytest.mark.kafka
@pytest.mark.timeout(420)
@pytest.mark.parametrize(
    "faults",
    [
        ("zombie_judge", "broker_kill"),
        ("cut", "refuse_alerts"),
        ("retention", "recreate"),
        ("flip",),
    ],
    ids="-".join,
)
def test_faults_change_nothing(calm: Observed, faults: tuple[str, ...]) -> None:
    """P1 to P4: the accounting differs by 0, panes and detectors equal those of an undisturbed run, no alert lost or invented."""
    row = running.run(1, list(faults), calm, speed=2.5)
    assert row["problems"] == []
    assert row["exact"]
    assert all(item["happened"] for item in row["faults"]), "the faults did not happen"
    assert all(item["recovery_s"] is not None for item in row["faults"])


def test_a_seed_is_a_schedule_and_every_fault_has_its_seeds() -> None:
    """Twenty seeds draw every fault at least twice, and the same seed draws the same ones."""
    drawn = [schedule(seed) for seed in range(1, 21)]
    assert drawn == [schedule(seed) for seed in range(1, 21)]
    counts = {name: sum(name in faults for faults in drawn) for name in FAULTS}
    assert min(n for name, n in counts.items() if name != "clock_step") >= 2, counts


def test_only_what_a_checksum_covers_is_flipped() -> None:
    """The first batch of a frame is found by its structure; without a batch nothing is touched."""
    batch = bytes(8) + (60).to_bytes(4) + bytes(4) + b"\x02" + b"crc!" + bytes(55)
    assert protected(b"h" * 40 + batch + b"tail") == (61, 112)
    assert protected(b"h" * 400) is None
