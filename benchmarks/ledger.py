"""How many bytes the ledger and the panes take, by number of features, and beside the input.

Real taps over records of a stated rate, one entry a second as a worker with few partitions cuts them. Sizes are of frames and
keys: the 70 bytes or so that brokers add to each are not counted. The input is counted uncompressed, values only.
"""

from __future__ import annotations

from typing import Any

from benchmarks.monitor import BEGIN_MS, PANE_MS, Learned, Monitor, learn, plan_of
from benchmarks.payloads import STANDARD, Shape, values
from stream.codec import pack
from stream.layout import MAX_FIELDS
from stream.ledger import tick_header

RATE = 1000
SIZES = (10, 30, 100, 200)
KINDS = 5_003
SECONDS = 150
DAY_S = 86_400
HEARTBEAT_S = 2
KEY = ("bench.0", 0)


def measure(scale: float) -> tuple[dict[str, float], Any]:
    """Return (figures, details)."""
    figures = {}
    for size in SIZES:
        shape = Shape(min(size, MAX_FIELDS - 2))
        pool = values(shape, KINDS)
        learned = learn(pool)
        entries, pane, share = _sizes(pool, learned, SECONDS)
        figures[f"ledger_day_{size}"] = entries * DAY_S / 1e6
        figures[f"panes_day_{size}"] = pane * DAY_S * 1000 / PANE_MS / 1e6
        if shape == STANDARD:
            figures["ledger_share"] = share
            figures["ledger_share_learning"] = _learning(pool)
    figures["ledger_day_idle"] = _idle() * DAY_S / HEARTBEAT_S / 1e6
    tick = len(pack(tick_header(10**6, 1000, BEGIN_MS, "0" * 8))) + len(b"tick")
    return figures, {"ticks_mb_per_day": tick * DAY_S / 1e6}


def _sizes(pool: list[bytes], learned: Learned, seconds: int) -> tuple[float, float, float]:
    """Return bytes per entry of a second, bytes per pane, and ledger bytes over input bytes."""
    monitor = Monitor(plan_of(1), 1, learned)
    sent = read = 0
    panes: list[int] = []
    for second in range(seconds):
        entry, value = _second(monitor, pool, second)
        sent, read = sent + entry, read + value
        monitor.tick(1000, BEGIN_MS + 1000 * (second + 1))
        panes += [len(item.value or b"") + len(item.key) for item in monitor.take() if item.topic == "panes"]
    return sent / seconds, sum(panes) / len(panes), sent / read


def _learning(pool: list[bytes]) -> float:
    """Return ledger bytes over input bytes while the fields are named and have no bins yet, so that entries carry sketches."""
    monitor = Monitor(plan_of(1), 1)
    sent = read = second = 0
    while True:
        assert monitor.judge.layout is not None
        section = monitor.judge.layout.sections["m000.features"]
        if section.learned:
            return sent / read
        entry, value = _second(monitor, pool, second)
        if section.fields:
            sent, read = sent + entry, read + value
        second += 1
        monitor.tick(1000, BEGIN_MS + 1000 * second)


def _second(monitor: Monitor, pool: list[bytes], second: int) -> tuple[int, int]:
    """Count the records of one second; return the sizes of their entry and of their values."""
    picked = [pool[(second * RATE + i) % len(pool)] for i in range(RATE)]
    begin = BEGIN_MS + 1000 * second
    monitor.feed(KEY, picked, [begin + i * 1000 // RATE for i in range(RATE)])
    return monitor.cut(KEY), sum(map(len, picked))


def _idle() -> float:
    """Return the bytes of a heartbeat."""
    return float(Monitor(plan_of(1), 1).cut(KEY))
