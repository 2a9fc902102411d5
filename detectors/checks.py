"""The contract of `detectors.Detector` as checks that anyone can run on a detector of their own.

`check_detector` raises `CheckFailed` with the name of the first broken law; `yield_checks` gives the laws one by one, for
a parametrised test. Nothing here imports pytest, and tests/detectors/test_checks.py holds a gallery of detectors that are
broken on purpose, each found by the check that is meant for it.

Two things describe the detector under test:

* ``factory(rows)`` returns a new detector for the streams ``rows`` of the case; where streams have parameters of their own,
  row numbers choose them (the same row may occur twice);
* ``make_input(rng, rows, panes, gross)`` returns `Panes` for those streams: stationary if not ``gross``; otherwise with a
  change nobody can overlook from ``onset`` on, in all streams.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import CodeType, FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import poisson

from detectors.base import Detector, Ints, Status

ROWS = (0, 1, 2)
PANES = 300
STATIONARY_STREAMS = 60
STATIONARY_PANES = 600
OUTPUTS = np.dtype("f8,f8,?,i1,i1")
OUTPUTS.names = ("statistic", "threshold", "drift_detected", "status", "reason")
POISON = (np.nan, np.inf, -np.inf)
CLOCKS = {"time", "datetime", "random", "secrets", "uuid", "os", "monotonic", "perf_counter"}


@dataclass(frozen=True)
class Panes:
    """Input of one run.

    Attributes:
        x: float64[T, K] or int64[T, K, ...]. n: int64[T, K]. t: int64[T], ascending.
        onset: index of the first pane with the gross change, -1 if there is none.
    """

    x: NDArray[Any]
    n: Ints
    t: Ints
    onset: int = -1

    def take(self, rows: Sequence[int]) -> Panes:
        """Return the input of some streams, by position."""
        return replace(self, x=self.x[:, list(rows)], n=self.n[:, list(rows)])


Factory = Callable[[Sequence[int]], Detector]
MakeInput = Callable[[np.random.Generator, Sequence[int], int, bool], Panes]
Check = Callable[[Factory, MakeInput], None]


class CheckFailed(AssertionError):  # noqa: N818 - it is a verdict, not an error of ours
    """A law of the contract is broken.

    Attributes:
        check: name of the function that found it.
    """

    def __init__(self, check: str, message: str) -> None:
        super().__init__(f"{check}: {message}")
        self.check = check


def check_detector(factory: Factory, make_input: MakeInput) -> None:
    """Run every check.

    Raises:
        CheckFailed: the first law that is broken.
    """
    for check in yield_checks():
        check(factory, make_input)


def yield_checks() -> Iterator[Check]:
    """Yield every check, cheap ones first."""
    yield check_outputs_have_their_shapes
    yield check_repr_shows_arguments
    yield check_no_clock_or_global_random
    yield check_input_is_neither_changed_nor_kept
    yield check_streams_are_independent
    yield check_state_is_a_copy_by_stream
    yield check_restore_anywhere_changes_nothing
    yield check_carry_keeps_streams
    yield check_non_finite_input_is_harmless
    yield check_empty_pane_says_nothing
    yield check_memory_is_bounded
    yield check_gross_change_is_found
    yield check_stated_false_alarm_rate_holds


def check_outputs_have_their_shapes(factory: Factory, make_input: MakeInput) -> None:
    """Outputs are vectors over K of the right type; an alarm has a reason, two numbers, and the status DRIFT."""
    panes = _input(make_input, gross=True)
    detector = factory(ROWS)
    dtypes = {
        "statistic": "f8",
        "threshold": "f8",
        "drift_detected": "?",
        "status": "i1",
        "reason": "i1",
        "ignored": "i8",
    }
    _require((detector.status == Status.WARMING_UP).all(), "a new detector is WARMING_UP")
    for x, n, t in _steps(panes):
        answer: Any = detector.update(x, n, t)  # type: ignore[func-returns-value]
        _require(answer is None, f"update returns None, not {answer!r}")
        for name, dtype in dtypes.items():
            array = getattr(detector, name)
            if not (isinstance(array, np.ndarray) and array.shape == (len(ROWS),) and array.dtype == dtype):
                _require(False, f"'{name}' must be {dtype}[{len(ROWS)}], got {array!r}")
        _require(not np.isnan(detector.threshold).any(), "the threshold is never NaN; inf means that nothing can alarm")
        _require(set(detector.status.tolist()) <= set(Status), "status is one of Status")
        reasons = detector.reason.astype(int)
        _require(bool(((reasons >= 0) & (reasons < len(detector.REASONS))).all()), "reason is an index into REASONS")
        alarm = detector.drift_detected
        _require(all(detector.REASONS[reason] for reason in reasons[alarm]), "an alarm has a named reason")
        _require(bool((detector.status[alarm] == Status.DRIFT).all()), "an alarm has the status DRIFT")
        _require(bool(np.isfinite(detector.threshold[alarm]).all()), "an alarm shows the finite threshold it exceeded")


def check_repr_shows_arguments(factory: Factory, make_input: MakeInput) -> None:
    """The repr names the class and every constructor argument, so that an alert can say what raised it."""
    detector = factory(ROWS)
    text = repr(detector)
    _require(text.startswith(type(detector).__name__ + "("), f"repr starts with the class name, got {text}")
    for name in list(inspect.signature(type(detector).__init__).parameters)[1:]:
        _require(f"{name}=" in text, f"repr shows the argument '{name}', got {text}")


def check_no_clock_or_global_random(factory: Factory, make_input: MakeInput) -> None:
    """Nothing but the arguments decides: no clock, no global random generator, and twice the same is the same."""
    detector = factory(ROWS)
    for owner in type(detector).__mro__:
        for member in vars(owner).values():
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if isinstance(function, FunctionType) and owner is not object:
                used = _names(function.__code__) & CLOCKS
                _require(
                    not used, f"{owner.__name__}.{function.__name__} uses {sorted(used)}; time and chance are arguments"
                )
    before = pickle.dumps(np.random.get_state())
    panes = _input(make_input, gross=True)
    first = _run(detector, panes)
    _require(pickle.dumps(np.random.get_state()) == before, "the global random generator was used")
    _same(first, _run(factory(ROWS), panes), "a second run over the same input")


def check_input_is_neither_changed_nor_kept(factory: Factory, make_input: MakeInput) -> None:
    """Input arrays are not changed, and changing them afterwards changes nothing."""
    expected = _run(factory(ROWS), _input(make_input, gross=True))
    detector = factory(ROWS)
    actual = []
    for x, n, t in _steps(_input(make_input, gross=True)):
        lent_x, lent_n = x.copy(), n.copy()
        detector.update(lent_x, lent_n, t)
        _require(np.array_equal(lent_x, x) and np.array_equal(lent_n, n), "update changed its input")
        lent_x[...] = 0
        lent_n[...] = 0
        actual.append(_outputs(detector))
    _same(expected, _stack(actual), "after the caller reused its arrays")


def check_streams_are_independent(factory: Factory, make_input: MakeInput) -> None:
    """K streams at once give what K detectors of one stream give, bit for bit."""
    panes = _input(make_input, gross=True)
    together = _run(factory(ROWS), panes)
    for position, row in enumerate(ROWS):
        alone = _run(factory([row]), panes.take([position]))
        _same(together[:, [position]], alone, f"stream {row} alone")


def check_state_is_a_copy_by_stream(factory: Factory, make_input: MakeInput) -> None:
    """State is a dict of arrays with K as first axis, and a copy: writing into it changes nothing."""

    def scribble(detector: Detector) -> Detector:
        for name, array in detector.state().items():
            _require(
                isinstance(array, np.ndarray) and array.shape[:1] == (len(ROWS),),
                f"state '{name}' must be an array with K={len(ROWS)} as first axis",
            )
            array[...] = 1
        return detector

    panes = _input(make_input, gross=True)
    _same(_run(factory(ROWS), panes), _run(factory(ROWS), panes, scribble), "after writing into state()")


def check_restore_anywhere_changes_nothing(factory: Factory, make_input: MakeInput) -> None:
    """A detector replaced by a restored one before every single pane gives the same as one that lives on."""

    def replaced(detector: Detector) -> Detector:
        restored = factory(ROWS)
        restored.restore(detector.state())
        return restored

    panes = _input(make_input, gross=True)
    _same(_run(factory(ROWS), panes), _run(factory(ROWS), panes, replaced), "restored before every pane")


def check_carry_keeps_streams(factory: Factory, make_input: MakeInput) -> None:
    """Streams carried to another place go on bit for bit; one that is new begins like a new detector."""
    panes = _input(make_input, gross=True)
    half = len(panes.t) // 2
    first = replace(panes, x=panes.x[:half], n=panes.n[:half], t=panes.t[:half])
    second = replace(panes, x=panes.x[half:], n=panes.n[half:], t=panes.t[half:]).take([2, 0, 0])
    expected = _run(factory(ROWS), panes)[half:]
    new = _run(factory([0]), second.take([1]))
    old = factory(ROWS)
    _run(old, first)
    moved = factory([2, 0, 0])
    moved.restore(type(old).carry(old.state(), [2, -1, 0], moved.state()))
    actual = _run(moved, second)
    _same(expected[:, [2, 0]], actual[:, [0, 2]], "streams that were carried")
    _same(new, actual[:, [1]], "the stream that was added")


def check_non_finite_input_is_harmless(factory: Factory, make_input: MakeInput) -> None:
    """A NaN or inf raises no alarm, moves no number, is counted, and everything after is as if it had not come."""
    panes = _input(make_input, gross=True)
    _interleave(factory, panes, lambda x, n, i: (np.full_like(x, POISON[i % 3], np.float64), n))


def check_empty_pane_says_nothing(factory: Factory, make_input: MakeInput) -> None:
    """A pane with n = 0 changes nothing but the count of ignored panes, unless ``min_n`` is 0: then it is a number."""
    if factory(ROWS).min_n > 0:
        _interleave(factory, _input(make_input, gross=True), lambda x, n, i: (np.zeros_like(x), np.zeros_like(n)))


def check_memory_is_bounded(factory: Factory, make_input: MakeInput) -> None:
    """Twice as many panes do not need noticeably more memory (a window may grow with the logarithm)."""
    panes = _input(make_input, gross=False, panes=2 * PANES)
    detector = factory(ROWS)
    sizes = []
    for position, (x, n, t) in enumerate(_steps(panes)):
        detector.update(x, n, t)
        if position + 1 in (PANES, 2 * PANES):
            sizes.append(len(pickle.dumps(detector)))
    _require(
        sizes[1] <= 1.2 * sizes[0] + 512,
        f"{sizes[0]} bytes after {PANES} panes became {sizes[1]} after {2 * PANES}, more than the logarithm allows",
    )


def check_gross_change_is_found(factory: Factory, make_input: MakeInput) -> None:
    """In every stream a gross change is found after its onset, and not before."""
    panes = _input(make_input, gross=True)
    alarms = _run(factory(ROWS), panes)["drift_detected"]
    _require(not alarms[: panes.onset].any(), "an alarm before anything had changed")
    missed = np.flatnonzero(~alarms[panes.onset :].any(axis=0))
    _require(not missed.size, f"streams {missed.tolist()} missed a gross change")


def check_stated_false_alarm_rate_holds(factory: Factory, make_input: MakeInput) -> None:
    """On stationary input the alarms stay within ``FALSE_ALARMS`` per update, up to chance of one in 10,000."""
    rows = [ROWS[i % len(ROWS)] for i in range(STATIONARY_STREAMS)]
    panes = make_input(np.random.default_rng(2), rows, STATIONARY_PANES, False)
    detector = factory(rows)
    alarms = int(_run(detector, panes)["drift_detected"].sum())
    allowed = poisson.ppf(0.9999, detector.FALSE_ALARMS * panes.n.size)
    _require(
        alarms <= allowed, f"{alarms} alarms in {panes.n.size} clean updates; {detector.FALSE_ALARMS} allows {allowed}"
    )
    _require(
        bool((detector.status != Status.WARMING_UP).all()),
        f"still WARMING_UP after {STATIONARY_PANES} clean panes: a detector that is never armed has no false alarms either",
    )


def _input(make_input: MakeInput, gross: bool, panes: int = PANES) -> Panes:
    return make_input(np.random.default_rng(1), ROWS, panes, gross)


def _steps(panes: Panes) -> Iterator[tuple[NDArray[Any], Ints, int]]:
    return ((x, n, int(t)) for x, n, t in zip(panes.x, panes.n, panes.t, strict=True))


def _outputs(detector: Detector) -> NDArray[Any]:
    """Return what a detector says now, as one record per stream."""
    record = np.empty(detector.k, OUTPUTS)
    for name in OUTPUTS.names or ():
        record[name] = getattr(detector, name)
    return record


def _run(
    detector: Detector, panes: Panes, between: Callable[[Detector], Detector] = lambda detector: detector
) -> NDArray[Any]:
    """Return what a detector said, as records [T, K]; ``between`` may replace it before every pane."""
    said = []
    for x, n, t in _steps(panes):
        detector = between(detector)
        detector.update(x, n, t)
        said.append(_outputs(detector))
    return _stack(said)


def _stack(said: list[NDArray[Any]]) -> NDArray[Any]:
    """As numpy.stack, which is slow for records."""
    return np.frombuffer(b"".join(step.tobytes() for step in said), OUTPUTS).reshape(len(said), -1)


def _interleave(
    factory: Factory, panes: Panes, spoil: Callable[[NDArray[Any], Ints, int], tuple[NDArray[Any], Ints]]
) -> None:
    """Put a useless pane before every pane: it must leave no trace but its count."""
    detector = factory(ROWS)
    before, spoilt, after = [], [], []
    for position, (x, n, t) in enumerate(_steps(panes)):
        before.append(_outputs(detector))
        detector.update(*spoil(x, n, position), t)
        spoilt.append(_outputs(detector))
        _require(bool((detector.ignored == position + 1).all()), "a pane that says nothing is counted in 'ignored'")
        detector.update(x, n, t)
        after.append(_outputs(detector))
    _require(not _stack(spoilt)["drift_detected"].any(), "a pane that says nothing raised an alarm")
    for name in ("statistic", "threshold", "status"):
        _same(_stack(before)[name], _stack(spoilt)[name], f"'{name}' at a pane that says nothing")
    _same(_run(factory(ROWS), panes), _stack(after), "with a pane that says nothing before every pane")


def _names(code: CodeType) -> set[str]:
    """Return every name a function uses or imports, those of its inner functions included."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)


def _same(expected: NDArray[Any], actual: NDArray[Any], what: str) -> None:
    """Require equality to the bit, so that a NaN equals itself."""
    if expected.tobytes() != actual.tobytes():
        step = next(i for i in range(len(expected)) if expected[i].tobytes() != actual[i].tobytes())
        _require(False, f"{what}: expected {expected[step]}, got {actual[step]} at step {step}")


def _require(condition: bool | np.bool_, message: str) -> None:
    """Raise CheckFailed in the name of the check that is running."""
    if not condition:
        frame = inspect.currentframe()
        while frame is not None and not frame.f_code.co_name.startswith("check_"):
            frame = frame.f_back
        raise CheckFailed(frame.f_code.co_name if frame else "check", message)
