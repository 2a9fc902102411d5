"""An attack on memory, run in a process of its own: ``python -m tests.hostile.attack NAME RECORDS``; prints one line of JSON.

Every record of an attack brings names or values that nobody has seen before.
"""

from __future__ import annotations

import gc
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import stream.worker  # noqa: F401 - what a worker loads is part of what it needs
from stream.batch import Headers
from stream.codec import pack
from stream.plan import Plan
from tests.hostile.monitor import Monitor, plan

Record = tuple[bytes, bytes | None, Headers]
"""(value, key, headers)."""

WIDE = tuple(f"f{i}" for i in range(200))


def of_json(tree: dict[str, Any], key: bytes | None = None, headers: Headers = ()) -> Record:
    return json.dumps(tree).encode(), key, headers


def categories(i: int, rng: random.Random) -> Record:
    """A category of a million values."""
    return of_json({"x": rng.random(), "c": f"value {rng.getrandbits(40)}"})


def origins(i: int, rng: random.Random) -> Record:
    """Ten thousand model versions and as many producers."""
    return of_json({"x": rng.random()}, b"producer %d" % (i * 7 % 10_000), (("v", b"%d" % (i % 10_000)),))


def names(i: int, rng: random.Random) -> Record:
    """Random names as fields, and e-mail addresses as keys of an object: a one-hot feature."""
    mail = f"user{rng.getrandbits(40)}@example.com"
    return of_json({"x": rng.random(), f"{rng.getrandbits(64):x}": i, "bought": {mail: 1}})


def everything(i: int, rng: random.Random) -> Record:
    """All of them at once."""
    mail = f"user{rng.getrandbits(40)}@example.com"
    tree = {"x": rng.random(), "c": f"value {rng.getrandbits(40)}", f"{rng.getrandbits(64):x}": i, mail: True}
    return of_json(tree, b"producer %d" % (i * 7 % 10_000), (("v", b"%d" % (i % 10_000)),))


def strings(i: int, rng: random.Random) -> Record:
    """Two hundred categories, every value of each a new one."""
    return of_json({name: f"{rng.getrandbits(32):x}" for name in WIDE})


def numbers(i: int, rng: random.Random) -> Record:
    """Two hundred numbers of full precision and every magnitude."""
    return of_json({name: rng.lognormvariate(0, 30) for name in WIDE})


def groups(i: int, rng: random.Random) -> Record:
    """Two hundred fields in all groups there are, and a lateness of an hour: many panes are open at once."""
    tree: dict[str, Any] = {name: rng.random() for name in WIDE}
    return of_json(tree, b"producer %d" % (i % 7), (("v", b"%d" % (i % 5)),))


ATTACKS: dict[str, tuple[Callable[[int, random.Random], Record], tuple[str, ...], int]] = {
    "categories": (categories, ("x", "c"), 50),
    "origins": (origins, ("x",), 50),
    "names": (names, ("x",), 50),
    "everything": (everything, ("x", "c"), 50),
    "strings": (strings, WIDE, 5_000),
    "numbers": (numbers, WIDE, 5_000),
    "groups": (groups, WIDE, 5_000),
}
"""By name: maker of records, declared fields, how far event time moves with each record (ms)."""


def plan_of(name: str) -> Plan:
    _, fields, _ = ATTACKS[name]
    watch = "watch" if name in ("names", "everything") else "count"
    lateness_ms = 3_600_000 if name == "groups" else 10_000
    return plan(*fields, version="header:v", producer="key", unlisted=watch, lateness_ms=lateness_ms)


def chunks(name: str, records: int) -> Iterator[list[Record]]:
    make, _, _ = ATTACKS[name]
    rng = random.Random(1)
    for start in range(0, records, 1000):
        yield [make(i, rng) for i in range(start, min(start + 1000, records))]


def resident(line: str = "VmRSS") -> int:
    """Return bytes of resident memory, now or (``VmHWM``) at most so far."""
    found = next(row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith(line))
    return int(found.split()[1]) * 1024


def run(name: str, records: int) -> dict[str, Any]:
    """Attack a monitor; return what it held."""
    monitor, (_, _, step_ms) = Monitor(plan_of(name), keep=False), ATTACKS[name]
    half = 0
    for number, chunk in enumerate(chunks(name, records), 1):
        times = [monitor.now_ms - (len(chunk) - i) * step_ms for i in range(len(chunk))]
        monitor.feed([value for value, _, _ in chunk], times, [key for _, key, _ in chunk], [h for _, _, h in chunk])
        monitor.tick(step_ms * len(chunk))
        if number == records // 2000:
            gc.collect()
            half = resident()
    gc.collect()
    watch = monitor.judge.watches["m.features"]
    section = monitor.layout.sections["m.features"]
    return {
        "records": records,
        "half": half,
        "end": resident(),
        "peak": resident("VmHWM"),
        "classes": dict(+monitor.classes),
        "largest_entry": monitor.largest,
        "largest_output": max(monitor.bytes.values(), default=0),
        "layout": len(pack({}, monitor.layout.to_dict())),
        "state": len(pack({}, monitor.judge.state())),
        "fields": len(section.fields),
        "versions": len(section.versions),
        "producers": len(section.producers),
        "open_panes": len(watch.panes.open),
        "seen": max(map(len, watch.news.seen.values())),
        "census": max(map(len, watch.learning.census.values())),
    }


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], int(sys.argv[2]))))
