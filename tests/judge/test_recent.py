"""What contrasts were of late: a ring that is a plain series, and an onset that is where the step was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.baseline import CLIP
from stream.codec import pack, unpack
from stream.judging.recent import PANES, UNIT, Recent

gaps = st.lists(st.tuples(st.one_of(st.integers(1, 4), st.integers(280, 300)), st.booleans()), min_size=1, max_size=60)
"""(coarse panes since the last one, whether the second series has a value)."""


def fed(drawn: list[tuple[int, bool]], seed: int = 1, first: int = 1000) -> tuple[Recent, np.ndarray, int]:
    """Return a ring, the plain series that it stands for ([time, 2], nan in gaps), and the index of its first row."""
    rng = np.random.default_rng(seed)
    ring, index = Recent(2), first
    plain = np.full((1 + sum(gap for gap, _ in drawn), 2), np.nan)
    for gap, both in drawn:
        index += gap
        z = np.clip(rng.normal(0, 2, 2), -CLIP, CLIP)
        z[1] = z[1] if both else np.nan
        ring.add(index, z)
        plain[index - first] = z
    return ring, plain, first


@settings(max_examples=150, deadline=None)
@given(gaps)
def test_it_is_the_plain_series_whatever_the_gaps(drawn: list[tuple[int, bool]]) -> None:
    """To half a unit, also after gaps longer than the ring."""
    ring, plain, _ = fed(drawn)
    padded = np.concatenate([np.full((PANES, 2), np.nan), plain])[-PANES:]
    for row in range(2):
        values = ring.values(row)
        assert np.array_equal(np.isnan(values), np.isnan(padded[:, row]))
        assert np.nanmax(np.abs(values - padded[:, row]), initial=0.0) <= UNIT / 2 + 1e-12


@given(st.floats(-CLIP, CLIP))
def test_no_value_is_off_by_more_than_half_a_unit_up_to_the_clip(z: float) -> None:
    ring = Recent(1)
    ring.add(5, np.array([z]))
    assert abs(ring.values(0)[-1] - z) <= UNIT / 2 + 1e-12


@settings(max_examples=40, deadline=None)
@given(gaps, st.integers(0, 59))
def test_a_restart_in_the_middle_changes_nothing(drawn: list[tuple[int, bool]], at: int) -> None:
    calm, _, _ = fed(drawn)
    rng, shaken, index = np.random.default_rng(1), Recent(2), 1000
    for number, (gap, both) in enumerate(drawn):
        if number == at:
            saved = unpack(pack({}, shaken.state()))[1]
            shaken = Recent(2)
            shaken.restore(saved)
        index += gap
        z = np.clip(rng.normal(0, 2, 2), -CLIP, CLIP)
        z[1] = z[1] if both else np.nan
        shaken.add(index, z)
    assert pack({}, calm.state()) == pack({}, shaken.state())


def test_series_move_with_their_past_and_new_ones_have_none() -> None:
    ring, _, _ = fed([(1, True)] * 20)
    moved = ring.carry(np.array([1, -1, 0]))
    assert moved.index == ring.index
    for new, old in ((0, 1), (2, 0)):
        assert np.array_equal(moved.values(new), ring.values(old), equal_nan=True)
    assert np.isnan(moved.values(1)).all()
    moved.add(1021, np.array([1.0, 2.0, 3.0]))
    assert np.isfinite(moved.values(1)).sum() == 1


def test_what_is_forgotten_is_gone_and_the_others_stay() -> None:
    ring, _, _ = fed([(1, True)] * 20)
    before = ring.values(1)
    ring.forget(np.array([0]))
    assert np.isnan(ring.values(0)).all()
    assert np.array_equal(ring.values(1), before, equal_nan=True)
    ring.add(1021, np.array([1.0, 1.0]))
    assert ring.onset(0, 1.0) == (ring.index - PANES + 1, ring.index, ring.index), "nobody saw what was before"


@pytest.mark.parametrize("size", [0.75, 1.5, -2.0])
def test_a_step_began_within_the_interval(size: float) -> None:
    """Nine times of ten, counted in coarse panes since 1970, wherever the ring is; its size is that of the step."""
    rng = np.random.default_rng(int(10 * abs(size)))
    inside, sizes = 0, []
    for trial in range(40):
        first, begin = 5_000 + 37 * trial, int(rng.integers(330, 420))
        ring = Recent(1)
        for t in range(begin + int(40 / size**2) + 1):
            z = rng.normal() + (size if t >= begin else 0.0)
            ring.add(first + t, np.clip([z], -CLIP, CLIP))
        early, likely, late = ring.onset(0, 1.0)
        assert early <= likely <= late <= ring.index
        inside += early <= first + begin <= late
        sizes.append(ring.mean_since(0, likely))
    assert inside >= 34
    assert np.median(sizes) == pytest.approx(size, rel=0.2)


def test_the_mean_since_a_pane_is_of_that_pane_and_all_after_it() -> None:
    ring = Recent(1)
    for index, z in enumerate([0.0] * 400 + [1.0, 2.0, 3.0]):
        if index != 398:
            ring.add(index, np.array([z]))
    assert ring.mean_since(0, 400) == pytest.approx(2.0, abs=UNIT)
    assert ring.mean_since(0, 402) == pytest.approx(3.0, abs=UNIT)
    assert ring.mean_since(0, 397) == pytest.approx(6 / 5, abs=UNIT)
