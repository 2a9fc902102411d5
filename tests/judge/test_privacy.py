"""P14: by default no value of a single record leaves the process; statistics do.

Everything a monitor writes is searched: ledger entries, closed panes, layouts and references, checkpoints, alerts. The
numbers planted differ in every record, or are codes; all of them need more than the 10 bits that statistics keep.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import cramjam
import numpy as np
import pytest

from stream.codec import pack, unpack
from stream.plan import Field, ModelPlan, Plan, StreamPlan
from stream.publishing import Message
from stream.reading.tables import rounded
from stream.replay import Replay

BEGIN = 1_700_000_000_000 // 60_000 * 60_000
PANES, PER_PANE = 400, 60
CODES = (70_001, 70_002, 70_003)
SHOWN = 80_001
FIELDS = (
    Field("customer", "customer"),
    Field("amount", "amount", kind="number", range=(0.0, 1e9)),
    Field("account", "account", kind="category"),
    Field("code", "code"),
    Field("shown", "shown", show=True),
    Field("fixed", "fixed"),
    Field("country", "country"),
    Field("comment", "comment"),
    Field("request", "request", kind="id"),
)


class Recorded(Replay):
    """A replay that keeps what it writes to the ledger."""

    def __init__(self, plan: Plan, file: Path, emit: Callable[[Message], None]) -> None:
        self.ledger: list[bytes] = []
        super().__init__(plan, {"t": file}, b"k" * 32, emit)

    def _fold(self, header: dict[str, Any], body: Any) -> None:
        self.ledger.append(pack(header, body))
        super()._fold(header, body)


def record(rng: Random, i: int) -> dict[str, Any]:
    """The last twentieth drifts, lacks a field now and then and leaves its range, so that alerts tell about it."""
    broken = i >= PANES * PER_PANE * 19 // 20
    return {
        "customer": 900_000_001 + 2 * i,
        "amount": 1_234_567.891 + i + (2e9 if broken and i % 3 == 0 else 0.0),
        "account": 500_000_001 + 2 * i if i % 2 else 600_000_001,
        "code": CODES[2] if broken else rng.choice(CODES),
        "shown": SHOWN if broken else rng.choice((7, 7, SHOWN)),
        "fixed": 7_654_321.987,
        "country": "canary-FR" if broken else rng.choice(("canary-DE", "canary-FR")),
        "comment": f"canary-{i}",
        "request": 300_000_001 + 2 * i,
        "unlisted": 400_000_001 + 2 * i,
    }


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, list[bytes]]]:
    """Return the records and everything written, by topic or kind."""
    rng = Random(14)
    records = [record(rng, i) for i in range(PANES * PER_PANE)]
    file = tmp_path_factory.mktemp("p14") / "t.jsonl"
    step = 60_000 // PER_PANE
    with file.open("w") as lines:
        for i, value in enumerate(records):
            lines.write(json.dumps({"key": f"canary-{i}", "timestamp": BEGIN + i * step, "value": value}) + "\n")
    plan = Plan(
        "sg-t",
        (StreamPlan("m.features", "m", "features", "t", fields=FIELDS),),
        (ModelPlan("m", "team", "decide", "rules"),),
        warm_up_ms=200 * 60_000,
    )
    written: dict[str, list[bytes]] = {}

    def emit(message: Message) -> None:
        parts = (message.key, message.value or b"", *(raw for _, raw in message.headers))
        written.setdefault(message.topic, []).extend(parts)

    replay = Recorded(plan, file, emit)
    replay.run()
    assert replay.judge.layout is not None
    written["ledger"] = replay.ledger
    written["blobs"] = [pack({"id": name}, tree) for name, tree in replay._blobs.items()]
    written["checkpoint"] = [pack({"kind": "checkpoint"}, replay.judge.state())]
    kinds = [bins.kind if bins else None for bins in replay.judge.layout.sections["m.features"].bins]
    assert kinds[:5] == ["number", "number", "code", "code", "code"], "bins were learned"
    assert "reference" in replay.judge.fold.in_force
    return records, written


def plain(raw: bytes) -> bytes:
    """Return a frame with its body decompressed; anything else as it is."""
    if not raw.startswith(b"SGA"):
        return raw
    prefix = struct.Struct("<3sBII")
    body = prefix.size + prefix.unpack_from(raw)[2]
    return raw[:body] + (bytes(cramjam.zstd.decompress(raw[body:])) if raw[body:] else b"")


def numbers(tree: Any) -> Iterator[float]:
    """Yield every number in a tree."""
    if isinstance(tree, np.ndarray):
        yield from np.unique(tree).astype(float).tolist()
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from numbers(item)
    elif isinstance(tree, list | tuple):
        for item in tree:
            yield from numbers(item)
    elif isinstance(tree, int | float):
        yield float(tree)


def forms(value: float) -> list[bytes]:
    """Return patterns of the ways in which a number might stand in bytes: digits (not as a part of more), float, integer."""
    found = [struct.pack("<d", value)]
    if isinstance(value, int):
        found += [struct.pack("<q", value), struct.pack("<i", value)]
    return [rb"(?<!\d)" + re.escape(repr(value).encode()) + rb"(?!\d)", *map(re.escape, found)]


PLANTED = ("customer", "amount", "account", "code", "fixed", "request", "unlisted")


def test_no_number_of_a_record_is_written(
    outputs: tuple[list[dict[str, Any]], dict[str, list[bytes]]],
) -> None:
    records, written = outputs
    secrets = {float(item[name]) for item in records for name in PLANTED}
    assert all(rounded(np.array([value]))[0] != value for value in secrets)
    for kind, items in written.items():
        for raw in items:
            if raw.startswith(b"SGA"):
                assert secrets.isdisjoint(numbers(unpack(raw))), kind


@pytest.mark.parametrize("at", [0, 1, 9_999, 20_000, -1])
def test_no_bytes_of_a_number_or_a_text_are_written(
    outputs: tuple[list[dict[str, Any]], dict[str, list[bytes]]], at: int
) -> None:
    """As decimal digits, as the bytes of a float or of an integer: before bins are learned, after it, and in alerts."""
    records, written = outputs
    patterns = [form for name in PLANTED for form in forms(records[at][name])] + [b"canary"]
    for kind, items in written.items():
        whole = b"\0".join(map(plain, items))
        assert [pattern for pattern in patterns if re.search(pattern, whole)] == [], kind


def test_the_search_finds_what_may_be_shown(outputs: tuple[list[dict[str, Any]], dict[str, list[bytes]]]) -> None:
    """A field that says ``show``: its codes stand in the ledger, in the layout and in the alert. The others are described."""
    _, written = outputs
    for kind in ("ledger", "blobs", "alerts", "alerts.state"):
        assert str(SHOWN).encode() in b"".join(map(plain, written[kind])), kind
    alerts = b"".join(written["alerts"])
    assert b"share of 80001: " in alerts
    assert b"share of code 3 (about 69952): " in alerts
    assert b"amount is outside its stated range" in alerts
