"""Learning, in blocks of streams and float32, against the formulas written down one stream and one number at a time."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from detectors import budget
from detectors.baseline import CLIP, FLOOR, STILL, Baseline, fit
from detectors.budget import Series, day_maxima, days_of, learn, run, weeks_of
from detectors.calendar import GROUPS, SLOTS
from detectors.risk_control import normalise
from detectors.shiryaev_roberts import ABOVE, CAP, HIGHEST, ShiryaevRoberts

HALF_HOUR = 1_800_000
PANE = 900_000
PER_DAY = 96
EXACT = 1e-4


def panes(weeks: int, k: int) -> Series:
    """Contrasts with a season, waves, panes of all sizes, gaps, a stream of the day only, a still one, a short day."""
    rng = np.random.default_rng(21)
    t = weeks * 7 * PER_DAY
    day, slots = np.arange(t) // PER_DAY, np.arange(t) % PER_DAY * SLOTS // PER_DAY
    n = rng.integers(20, 3000, (t, k))
    n[:, 0] = 100
    wave = np.zeros((t, k))
    for pane in range(1, t):
        wave[pane] = 0.97 * wave[pane - 1] + 0.02 * rng.normal(size=k)
    x = 1.0 + rng.normal(size=(t, k)) / np.sqrt(n) + 0.3 * np.sin(slots / 7.6)[:, None]
    x[:, 1] += wave[:, 1]
    x[rng.random((t, k)) < 0.03] = np.nan
    x[slots < 24, 2] = np.nan
    x[:, 3] = 0.25
    kept = np.delete(np.arange(t), np.arange(3 * PER_DAY + 8, 3 * PER_DAY + 12))
    return Series(x.astype(np.float32), n, PANE, day, np.maximum(day % 7 - 4, 0), slots).take(kept)


def smooth(table: dict[int, list[float]], slot: int, width: int) -> list[float]:
    """Values of a half-hour and its neighbours."""
    return [value for step in range(-width, width + 1) for value in table[(slot + step) % SLOTS]]


def bare_fit(x, n, days, groups, slots, times, held_out=False) -> dict[str, object]:
    """One stream: x of float, nan where there is none."""
    rows = [t for t in range(len(x)) if math.isfinite(x[t])]

    def means(left_out: int | None) -> np.ndarray:
        of_day, of_group = defaultdict(list), [defaultdict(list) for _ in range(GROUPS)]
        for t in rows:
            if days[t] != left_out:
                of_day[slots[t]].append(x[t])
                of_group[groups[t]][slots[t]].append(x[t])
        number = [len({d for d, g in zip(days, groups, strict=True) if g == own and d != left_out}) for own in range(3)]
        mean = np.empty((GROUPS, SLOTS))
        for slot in range(SLOTS):
            near = smooth(of_day, slot, 1)
            base = np.mean(near) if near else np.mean(x[rows])
            for own in range(GROUPS):
                near = smooth(of_group[own], slot, 1)
                weight = number[own] / (number[own] + 1)
                mean[own, slot] = weight * (np.mean(near) if near else base) + (1 - weight) * base
        return mean

    mean = means(None)
    by_day = {d: means(d) if held_out and len(set(days)) > 1 else mean for d in set(days.tolist())}
    away = np.array([x[t] - by_day[days[t]][groups[t], slots[t]] for t in rows])
    square, inverse = away**2, 1 / n[rows]
    slope = 0.0
    if inverse.var() > 1e-12 * inverse.mean() ** 2:
        slope = ((square - square.mean()) * (inverse - inverse.mean())).mean() / inverse.var()
    sampling = max(slope, 0.0)
    between = square.mean() - sampling * inverse.mean()
    if between < 0.0:
        between, sampling = 0.0, (square * inverse).mean() / (inverse**2).mean()
    between = between + FLOOR * square.mean() if square.mean() > STILL else 1.0
    variance = between + sampling * inverse
    by_slot = defaultdict(list)
    for row, t in enumerate(rows):
        by_slot[slots[t]].append(square[row] / variance[row])
    near = [smooth(by_slot, slot, 2) for slot in range(SLOTS)]
    rhythm = np.array([max(np.mean(own), FLOOR) if own else 1.0 for own in near])
    psi = np.clip(away / np.sqrt(rhythm[slots[rows]] * variance), -CLIP, CLIP)
    longrun = max(1.0, np.mean(psi**2))
    for length in (900_000, 3_600_000, 14_400_000, 43_200_000, 86_400_000):
        found = {time // length: [] for time in times[: len(x)]}
        for row, t in enumerate(rows):
            found[times[t] // length].append(psi[row])
        half = np.median([len(own) for own in found.values()]) / 2
        longrun = max(
            longrun, np.mean([sum(own) ** 2 / len(own) for own in found.values() if len(own) >= max(half, 1)])
        )
    return {"mean": mean, "between": between, "sampling": sampling, "rhythm": rhythm, "longrun": math.sqrt(longrun)}


def bare_maxima(normal, series: Series, stream: int, order: list[np.ndarray], lengths: list[int]) -> list[float]:
    """Largest statistic of each day of one stream, R of each size one number at a time."""
    signed = [sign * size for size in (1 / 8, 1 / 4, 1 / 2, 1, 2) for sign in (1, -1)]
    ratio, last, statistic, begin, maxima = [0.0] * 10, 0, 0.0, 0, []
    for day, length in zip(order, lengths, strict=True):
        best = -math.inf
        for position, t in enumerate(day, 1):
            x, n, now = float(series.x[t, stream]), int(series.n[t, stream]), begin + position * PANE
            if math.isfinite(x) and n >= 30:
                group, slot = series.groups[t], series.slots[t]
                sd = math.sqrt(normal["rhythm"][slot] * (normal["between"] + normal["sampling"] / n))
                z = min(max((x - normal["mean"][group, slot]) / sd, -CLIP), CLIP) / normal["longrun"]
                keep = math.exp((last - now) / 86_400_000)
                ratio = [(keep * r + 1) * math.exp(s * z - s * s / 2) for r, s in zip(ratio, signed, strict=True)]
                last, statistic = now, math.log1p(sum(ratio) / 10)
            best = max(best, statistic)
        maxima.append(best)
        begin += length * PANE
    return maxima


@pytest.mark.parametrize("held_out", [False, True])
def test_a_fit_is_what_the_formulas_say(held_out):
    """Every part of it, of every stream."""
    series = panes(2, 5)
    times = np.arange(len(series.x)) * PANE
    place = (series.days, series.groups, series.slots)
    base = fit(series.x, series.n, *place, times, held_out)
    for stream in range(5):
        bare = bare_fit(series.x[:, stream].astype(np.float64), series.n[:, stream], *place, times, held_out)
        for name, expected in bare.items():
            assert np.allclose(getattr(base, name)[..., stream], expected, rtol=EXACT, atol=1e-6), (stream, name)


def test_learning_is_what_the_formulas_say(monkeypatch):
    """Three weeks, each judged by the others; day maxima and limits, in blocks of two streams as in one."""
    series, family = panes(3, 5), np.array([0, 0, 1, 1, 1])
    whole = learn(series, family)
    monkeypatch.setattr(budget, "FITTED", 2)
    monkeypatch.setattr(budget, "WATCHED", 6)
    learned = learn(series, family)
    assert np.array_equal(learned.scored, whole.scored)
    weeks = weeks_of(series)
    place, times = (series.days, series.groups, series.slots), np.arange(len(series.x)) * PANE
    rest = [[day for week in [*weeks[:h], *weeks[h + 1 :]] for day in week] for h in range(3)]
    tested = [[*weeks[h - 1 if h else 1], *weeks[h]] for h in range(3)]

    def maxima(panes: np.ndarray, order: list[np.ndarray], orders: list[list[np.ndarray]]) -> np.ndarray:
        lengths = [max(map(len, days)) for days in zip(*orders, strict=True)]  # all wait for the longest of a day
        own = [
            bare_fit(series.x[panes, k].astype(np.float64), series.n[panes, k], *(part[panes] for part in place), times)
            for k in range(5)
        ]
        return np.array([bare_maxima(own[k], series, k, order, lengths) for k in range(5)]).T

    for h in range(3):
        panes_of = np.concatenate(rest[h])
        normal = normalise(maxima(panes_of, rest[h], rest), family)
        expected = normal(maxima(panes_of, tested[h], tested)[7:])
        assert np.allclose(learned.scored[h], expected, rtol=EXACT, atol=10 * EXACT)
    days = days_of(series)
    normal = normalise(maxima(np.concatenate(days), days, [days]), family)
    threshold = learned.limit(1.0)
    u = ((threshold - learned.normaliser.level) / learned.normaliser.scale)[0]
    assert np.allclose(threshold, normal.limit(u), rtol=EXACT)


def test_a_day_in_learning_is_a_day_of_the_judge():
    """The same numbers, bit for bit: gaps, thin panes, and a second day that begins with some."""
    series = panes(1, 5)
    watch, judge = ShiryaevRoberts(np.full(5, np.inf)), ShiryaevRoberts(np.full(5, 20.0))
    for number, day in enumerate(days_of(series)[:2]):
        z, start = series.x[day] - series.x[0], number * PER_DAY * PANE
        best = np.zeros(5)
        for pane in range(len(day)):
            judge.update(z[pane], series.n[day[pane]], start + (pane + 1) * PANE)
            best = np.maximum(best, judge.statistic)
        assert np.array_equal(day_maxima(watch, z, series.n[day], start, PANE), best)


def test_whatever_the_limit_a_change_can_reach_it():
    """A limit that float32 has no room for counts as the highest one; no day of learning is ever beyond that."""
    watch = ShiryaevRoberts(np.array([HIGHEST, 300.0, np.inf, 20.0]))
    for pane in range(300):
        watch.update(np.full(4, CLIP), np.full(4, 100), (pane + 1) * PANE)
    assert watch.drift_detected.tolist() == [True, True, False, True]
    assert watch.threshold[:3].tolist() == [HIGHEST, HIGHEST, np.inf]
    assert watch.statistic[2] == pytest.approx(math.log(CAP), abs=1.0)
    assert watch.statistic[[0, 3]] == pytest.approx([HIGHEST + ABOVE, 20 + ABOVE], abs=2.5)
    watch.update(np.full(4, 1e6), np.full(4, 100), 301 * PANE)
    watch.update(np.full(4, -1e6), np.full(4, 100), 302 * PANE)
    assert np.isfinite(watch.statistic).all()


def test_values_beyond_all_weeks_are_still_learned_from():
    """Where every clean week is one long drift, the statistic stands at its cap, and so does what is learned."""
    k, t = 2, 3 * 7 * PER_DAY
    day, slots = np.arange(t) // PER_DAY, np.arange(t) % PER_DAY * SLOTS // PER_DAY
    series = Series(
        np.full((t, k), 4.0, np.float32), np.full((t, k), 100), PANE, day, np.maximum(day % 7 - 4, 0), slots
    )
    flat = np.zeros((GROUPS, SLOTS, k))
    base = Baseline(flat, np.ones(k), np.zeros(k), np.ones((SLOTS, k)), np.ones(k))
    maxima = run([base], series, [days_of(series)])[0]
    assert maxima.max() < HIGHEST
