"""What the monitor wrote, read from offset 0 by a reader of its own: the ledger's one rule stands here a second time.

Only the decoding of a frame is the product's. Whoever changes the fold of the product and not this one fails the tests.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka.structs import ConsumerRecord

from stream.codec import unpack
from tests.brokers import admin

CLASSES = ("applied", "late", "tombstones", "filtered", "gaps", "lost")
DECISION = b"io.streamgauge.decision.v1"


def read(address: str, topic: str) -> list[ConsumerRecord]:
    """Return every record of a topic."""
    return asyncio.run(admin.read_all(address, topic))


@dataclass
class Ledger:
    """A ledger read to its end.

    Attributes:
        next, inc: by (topic, partition). dropped: records that the rule refused. entries: accepted ones, empty ones too.
        classes: by (stream, topic, partition), records by class; rejected ones by reason.
        written: by (topic, partition), time stamps (ms) at which the broker was given accepted entries.
    """

    next: dict[tuple[str, int], int] = field(default_factory=dict)
    inc: dict[tuple[str, int], int] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    ticks: int = 0
    classes: dict[tuple[str, str, int], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    written: dict[tuple[str, int], list[int]] = field(default_factory=lambda: defaultdict(list))

    @staticmethod
    def of(address: str, app: str) -> Ledger:
        """Fold the ledger topic of an application."""
        ledger, adopted, force = Ledger(), set[str](), dict[str, str]()
        for record in read(address, f"{app}.ledger"):
            header, body = unpack(record.value)
            kind = header["kind"]
            key = (header.get("topic", ""), header.get("partition", 0))
            if kind == "open":
                ok = header["inc"] == ledger.inc.get(key, -1) + 1
                if ok:
                    ledger.inc[key], ledger.next[key] = header["inc"], header["to"]
            elif kind == "entry":
                ok = (header["inc"], header["from"]) == (ledger.inc.get(key), ledger.next.get(key))
                ok = ok and header["layout"] in adopted
                if ok:
                    ledger.next[key] = header["to"]
                    ledger.take(key, header["to"] - header["from"], body)
                    ledger.written[key].append(record.timestamp)
            elif kind == "tick":
                ok = header["n"] == ledger.ticks + 1
                ledger.ticks += ok
            else:
                ok = header["note"] != "adopt" or force.get(header["what"]) == header["parent"]
                if ok and header["note"] == "adopt":
                    force[header["what"]] = header["new"]
                    adopted |= {header["new"]}
            ledger.dropped[kind] += not ok
        return ledger

    def take(self, key: tuple[str, int], covers: int, body: dict[str, Any]) -> None:
        """Add up an accepted entry, and hold it to its own identity."""
        self.entries += 1
        for stream, counts in body.items():
            classes = {name: counts[name] for name in CLASSES} | counts["rejected"]
            assert sum(classes.values()) == covers, f"{stream} accounts for {classes}, the entry covers {covers}"
            self.classes[stream, *key].update(classes)


def panes(address: str, app: str) -> tuple[dict[str, bytes], int]:
    """Return the closed panes by key, and how many records came again: coarse panes too, each the same to the byte."""
    found: dict[str, bytes] = {}
    repeated = 0
    for record in read(address, f"{app}.panes"):
        key = record.key.decode()
        assert found.setdefault(key, record.value) == record.value, f"pane {key} was published with two contents"
        repeated += 1
    return {key: value for key, value in found.items() if "/coarse/" not in key}, repeated - len(found)


def events(address: str, app: str) -> tuple[list[dict[str, Any]], int]:
    """Return the alert events in order, each once, and how many were written again, which changes no byte."""
    found, repeated = _alerts(address, app)
    return [value for kind, value in found if kind != DECISION], repeated


def decisions(address: str, app: str) -> list[dict[str, Any]]:
    """Return the verdicts on the topic of alerts in order, each once."""
    return [value["decision"] for kind, value in _alerts(address, app)[0] if kind == DECISION]


def _alerts(address: str, app: str) -> tuple[list[tuple[bytes, dict[str, Any]]], int]:
    """Return (type, value) of what is on the topic of alerts, each once, and how many were written again."""
    found: dict[bytes, tuple[bytes, bytes]] = {}
    repeated = 0
    for record in read(address, f"{app}.alerts"):
        name, kind = (dict(record.headers)[key] for key in ("ce_id", "ce_type"))
        assert found.setdefault(name, (kind, record.value))[1] == record.value, f"event {name!r} has two contents"
        repeated += 1
    return [(kind, orjson.loads(value)) for kind, value in found.values()], repeated - len(found)
