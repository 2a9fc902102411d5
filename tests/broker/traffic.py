"""Traffic of two models for the kill test, made from a seed, and what must be counted of it, computed without the product.

Two topics with four partitions each; ``fraud.features`` and ``credit.features`` share one of them, so that each has the
other's records as *filtered* ones. Event time stands in the records, so two runs see the same one. Faults are broken into
the stream at stated seconds.
"""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

PARTITIONS = 4
PANE_MS = 1_000
LATENESS_MS = 3_000
BASE_MS = 1_767_571_200_000  # 2026-01-05T00:00Z
SECONDS = 130
TRAINING_SECONDS = 440
VERSIONS = ("v1", "v1", "v2")

STREAMS = ("fraud.features", "credit.features", "fraud.predictions")
WHERE = {"fraud.features": "fraud", "credit.features": "credit"}
FIELDS = {
    "fraud.features": ("age", "amount", "country"),
    "credit.features": ("amount", "points"),
    "fraud.predictions": ("id", "score"),
}


def config(app: str, features: str, predictions: str) -> str:
    """Return the configuration of both models."""
    model = "owner: risk\n    decision: hold a payment\n    when_wrong: rules decide"
    time = "time: {field: ts, unit: ms}, version: mv"
    return f"""
app: {app}
pane: 1s
lateness: 3s
warm_up: 200s
models:
  fraud:
    {model}
    features: {{topic: {features}, where: {{type: fraud}}, {time}, fields: {{amount: {{required: true}}, country: , age: }}}}
    predictions: {{topic: {predictions}, {time}, id: id, score: score, positive_at: 0.8}}
  credit:
    {model}
    features: {{topic: {features}, where: {{type: credit}}, {time}, fields: {{amount: , points: }}}}
"""


@dataclass(frozen=True)
class Sent:
    """One record as it was sent. ``row`` is what it says, a reason why it says nothing, or None for a tombstone."""

    features: bool
    partition: int
    value: bytes | None
    row: dict[str, Any] | str | None


def _fraud(rng: np.random.Generator, second: int, faults: bool) -> dict[str, Any]:
    row = {
        "type": "fraud",
        "amount": round(float(rng.lognormal(3, 1)), 2),
        "country": str(rng.choice(["DE", "FR", "NO"])),
    }
    row["age"] = None if rng.random() < 0.03 else int(rng.integers(18, 90))
    if rng.random() < 0.02:
        row["amount"] = math.nan
    if faults and 30 <= second < 36:
        del row["amount"]
    if faults and second >= 60:
        row["channel"] = "web"
    return row


def _credit(rng: np.random.Generator, second: int, faults: bool) -> dict[str, Any]:
    points: Any = round(float(rng.normal(600, 50)), 1)
    if faults and 50 <= second < 55:
        points = str(points)
    return {"type": "credit", "amount": round(float(rng.lognormal(6, 1)), 2), "points": points}


def _prediction(rng: np.random.Generator, second: int, faults: bool) -> dict[str, Any]:
    shift = 2.5 if faults and 90 <= second < 105 else 0.0
    return {"id": f"r{rng.integers(1 << 60)}", "score": 1 / (1 + math.exp(-float(rng.normal(shift - 2, 1))))}


RATES: tuple[tuple[Callable[..., dict[str, Any]], bool, int], ...] = (
    (_fraud, True, 80),
    (_credit, True, 48),
    (_prediction, False, 60),
)
"""(maker, on the topic of features, records per second of event time)."""

UNREADABLE: tuple[tuple[bytes, str], ...] = (
    (b"{oops", "not_json"),
    (b"[1, 2]", "not_an_object"),
    (b"\xff\xfe{}", "not_utf8"),
    (b" ", "empty"),
    (b"\x00\x00\x00\x00\x07avro", "unsupported_encoding"),
)


def traffic(seed: int, seconds: int, faults: bool, base_ms: int = BASE_MS) -> Iterator[list[Sent]]:
    """Yield the records of each second of event time, in the order in which they are sent."""
    rng = np.random.default_rng(seed)
    for second in range(seconds):
        batch: list[tuple[float, Sent]] = []
        for make, features, rate in RATES:
            for _ in range(rate):
                time = second * 1000 + float(rng.integers(1000))
                row = make(rng, second, faults) | {"ts": base_ms + int(time), "mv": str(rng.choice(VERSIONS))}
                if faults:
                    row = _spoiled(rng, second, features, row)
                batch.append((time + float(rng.integers(800)), _sent(rng, features, row)))
        yield [sent for _, sent in sorted(batch, key=lambda item: item[0])]


def _spoiled(rng: np.random.Generator, second: int, features: bool, row: dict[str, Any]) -> Any:
    """Return a record, now and then one that is late, cannot be read, or deletes; a third version speaks once."""
    burst = not features and 70 <= second < 76
    late = 0.2 if features and 110 <= second < 114 else 0.005
    if rng.random() < (0.5 if burst else 0.004):
        return int(rng.integers(len(UNREADABLE)))
    if rng.random() < 0.004:
        return None
    if rng.random() < 0.002:
        return row | {"ts": "yesterday"}
    if rng.random() < late:
        return row | {"ts": row["ts"] - 20_000}
    if second == 80 and rng.random() < 0.1:
        return row | {"mv": "v3"}
    return row


def _sent(rng: np.random.Generator, features: bool, row: Any) -> Sent:
    partition = int(rng.integers(PARTITIONS))
    if isinstance(row, int):
        value, reason = UNREADABLE[row]
        return Sent(features, partition, value, reason)
    return Sent(features, partition, None if row is None else json.dumps(row).encode(), row)


def farewell(base_ms: int = BASE_MS) -> list[Sent]:
    """Return records a minute after all others, for every stream in every partition: they close every pane before them."""
    rng = np.random.default_rng(0)
    rows = [(make(rng, 0, False), features) for make, features, _ in RATES for _ in range(3)]
    stamp = {"ts": base_ms + (SECONDS + 60) * 1000, "mv": "v1"}
    return [
        Sent(features, partition, json.dumps(row | stamp).encode(), row | stamp)
        for row, features in rows
        for partition in range(PARTITIONS)
    ]


@dataclass
class Expected:
    """What the input says: classes by (stream, partition); by (stream, pane) applied, late, rejected and (field, type)."""

    classes: dict[tuple[str, int], Counter[str]]
    panes: dict[tuple[str, int], Counter[Any]]


def expected(sent: list[Sent]) -> Expected:
    """Count the records of a run, in the order in which they were sent, by nothing but the words of the specification."""
    result = Expected(defaultdict(Counter), defaultdict(Counter))
    for stream in STREAMS:
        for partition in range(PARTITIONS):
            records = [s for s in sent if s.features == (stream in WHERE) and s.partition == partition]
            _count(stream, records, result.classes[stream, partition], result.panes)
    return result


def _count(stream: str, records: list[Sent], classes: Counter[str], panes: dict[tuple[str, int], Counter[Any]]) -> None:
    frontier: int | None = None
    first: int | None = None
    for record in records:
        row = record.row
        if row is None:
            classes["tombstones"] += 1
            continue
        if not isinstance(row, str) and row.get("type", "") != WHERE.get(stream, ""):
            classes["filtered"] += 1
            continue
        reason = row if isinstance(row, str) else "bad_time" if isinstance(row["ts"], str) else ""
        if reason:
            classes[reason] += 1
            if frontier is not None:
                panes[stream, frontier // PANE_MS]["rejected"] += 1
            continue
        assert not isinstance(row, str)
        time = row["ts"]
        if frontier is not None and time < frontier - LATENESS_MS:
            classes["late"] += 1
            panes[stream, frontier // PANE_MS]["late"] += 1
        else:
            classes["applied"] += 1
            pane = panes[stream, time // PANE_MS]
            pane["applied"] += 1
            pane.update((name, _type(row, name)) for name in FIELDS[stream])
        if frontier is not None:
            frontier = max(frontier, time)
        elif first is None:
            first = time  # one clock may be wrong: the second record confirms it
        else:
            frontier = min(first, time)


def _type(row: dict[str, Any], name: str) -> str:
    if name not in row:
        return "absent"
    value = row[name]
    if value is None:
        return "null"
    if isinstance(value, str):
        return "string"
    return "number" if math.isfinite(value) else "nonfinite"
