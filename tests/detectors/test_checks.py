"""The tests of the checks: a sound detector passes, and each detector broken on purpose is found by the check meant for it."""

from __future__ import annotations

import time

import numpy as np
import pytest

from detectors import checks
from detectors.base import Detector
from detectors.checks import CheckFailed, Panes


class Sound(Detector):
    """Six standard deviations from 0, with a running mean, so that it has something to remember."""

    REASONS = ("", "far")
    STATE = ("mean", "panes")
    FALSE_ALARMS = 1e-6

    def __init__(self, k: int, limit: float = 6.0) -> None:
        super().__init__(k)
        self.limit = limit
        self.mean = np.zeros(k)
        self.panes = np.zeros(k, np.int64)

    def step(self, rows, x, n, t):
        distance = np.abs(x - self.mean[rows])
        wrong = distance > self.limit
        self.conclude(rows, distance, np.full(len(rows), self.limit), wrong, np.True_)
        right = rows[~wrong]
        self.panes[right] += 1
        self.mean[right] += (x[~wrong] - self.mean[right]) / self.panes[right]


class AnswersTwice(Sound):
    """Returns the alarm, as river did before 0.13."""

    def update(self, x, n, t):
        super().update(x, n, t)
        return self.drift_detected


class GivesNoReason(Sound):
    def step(self, rows, x, n, t):
        super().step(rows, x, n, t)
        self.reason[:] = 0


class HidesArguments(Sound):
    def __repr__(self):
        return "HidesArguments()"


class PeeksAtTheClock(Sound):
    def step(self, rows, x, n, t):
        super().step(rows, x, n, int(time.time() * 1000))


class RollsGlobalDice(Sound):
    def step(self, rows, x, n, t):
        super().step(rows, x + 1e-9 * np.random.normal(size=len(x)), n, t)


class ChangesItsInput(Sound):
    def update(self, x, n, t):
        x[x > 3.0] = 3.0
        super().update(x, n, t)


class KeepsItsInput(Sound):
    """Compares with the array of the pane before, which by then belongs to the caller again."""

    before = None

    def update(self, x, n, t):
        super().update(x if self.before is None else x - 0.01 * np.nan_to_num(self.before), n, t)
        self.before = x


class LeaksAcrossStreams(Sound):
    """Takes out the mean over streams: fine until somebody runs one stream alone."""

    def step(self, rows, x, n, t):
        super().step(rows, x - x.mean(), n, t)


class HandsOutItsMemory(Sound):
    def state(self):
        return {name: getattr(self, name) for name in (*self.OUTPUTS, *self.STATE)}


class ForgetsOnRestart(Sound):
    STATE = ("panes",)


class CarriesTheWrongRows(Sound):
    @classmethod
    def carry(cls, state, rows, fresh):
        return super().carry(state, sorted(rows), fresh)


class LearnsTheNewFromTheOld(Sound):
    """Gives a new stream the memory of the first one."""

    @classmethod
    def carry(cls, state, rows, fresh):
        return super().carry(state, np.maximum(rows, 0), fresh)


class PoisonedByNaN(Sound):
    """No guard: one NaN makes the mean NaN, every comparison False, and the detector silent for ever (river's ADWIN)."""

    def update(self, x, n, t):
        self.drift_detected[:] = False
        self.reason[:] = 0
        self.ignored += ~np.isfinite(x)
        self.step(np.arange(self.k), np.array(x), np.array(n), t)


class LearnsFromEmptyPanes(Sound):
    """Guards against NaN, but takes the 0 of an empty pane for a value."""

    def __init__(self, k: int, limit: float = 6.0) -> None:
        super().__init__(k, limit)
        self.min_n = 30

    def update(self, x, n, t):
        super().update(x, np.maximum(n, 30), t)


class GrowsForEver(Sound):
    def __init__(self, k: int, limit: float = 6.0) -> None:
        super().__init__(k, limit)
        self.history = []

    def step(self, rows, x, n, t):
        self.history.append(x)
        super().step(rows, x, n, t)


class NeverFires(Sound):
    def step(self, rows, x, n, t):
        super().step(rows, 0.0 * x, n, t)


class FiresNowAndThen(Sound):
    """Six sigma are stated, 3.4 are used."""

    def step(self, rows, x, n, t):
        super().step(rows, np.where(x > 3.4, 2 * x, x), n, t)


class NeverWarmsUp(Sound):
    """Silent on clean data because it is never armed there; its rate of false alarms is worth nothing."""

    def step(self, rows, x, n, t):
        super().step(rows, x, n, t)
        self.status[~self.drift_detected] = 0


GALLERY = {
    AnswersTwice: "check_outputs_have_their_shapes",
    GivesNoReason: "check_outputs_have_their_shapes",
    HidesArguments: "check_repr_shows_arguments",
    PeeksAtTheClock: "check_no_clock_or_global_random",
    RollsGlobalDice: "check_no_clock_or_global_random",
    ChangesItsInput: "check_input_is_neither_changed_nor_kept",
    KeepsItsInput: "check_input_is_neither_changed_nor_kept",
    LeaksAcrossStreams: "check_streams_are_independent",
    HandsOutItsMemory: "check_state_is_a_copy_by_stream",
    ForgetsOnRestart: "check_restore_anywhere_changes_nothing",
    CarriesTheWrongRows: "check_carry_keeps_streams",
    LearnsTheNewFromTheOld: "check_carry_keeps_streams",
    PoisonedByNaN: "check_non_finite_input_is_harmless",
    LearnsFromEmptyPanes: "check_empty_pane_says_nothing",
    GrowsForEver: "check_memory_is_bounded",
    NeverFires: "check_gross_change_is_found",
    FiresNowAndThen: "check_stated_false_alarm_rate_holds",
    NeverWarmsUp: "check_stated_false_alarm_rate_holds",
}


def normal(rng, rows, steps, gross):
    x = rng.normal(size=(steps, len(rows))) + 0.1 * np.asarray(rows)
    onset = steps * 3 // 4 if gross else -1
    if gross:
        x[onset:] += 10.0
    return Panes(x, np.full(x.shape, 100), np.arange(steps) * 60_000, onset)


def test_a_sound_detector_passes():
    """The checks do not ask for more than the contract."""
    checks.check_detector(lambda rows: Sound(len(rows)), normal)


@pytest.mark.parametrize("broken", GALLERY, ids=lambda cls: cls.__name__)
def test_broken_detector_is_found_by_name(broken):
    """The first law that a broken detector violates is the one it was broken in."""
    with pytest.raises(CheckFailed) as failure:
        checks.check_detector(lambda rows: broken(len(rows)), normal)
    assert failure.value.check == GALLERY[broken]
    assert str(failure.value).startswith(f"{GALLERY[broken]}: ")


def test_every_check_has_something_to_find():
    """A check that no broken detector needs would be a check that cannot fail."""
    assert {check.__name__ for check in checks.yield_checks()} == set(GALLERY.values())
