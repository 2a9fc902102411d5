"""A judge of one stream over panes of an hour, and every ledger record that made it, to be folded again.

Event time goes on by hours while the ledger's own time goes on by seconds, as it does while a topic is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson

from stream.batch import RecordBatch
from stream.codec import pack, unpack
from stream.gathering import Kept
from stream.judge import Judge
from stream.judging.proposal import Proposal
from stream.layout import Layout, Section, layout_zero
from stream.learn import learn_references
from stream.ledger import adopt_header, open_header, tick_header
from stream.plan import Field, ModelPlan, Plan, StreamPlan
from stream.publishing import Message
from stream.recalibrate import Night
from stream.tap import Fed, Tap
from tests.judge.weeks import GAUSS, HOUR, MONDAY, STREAM, hour_of

TOPIC = "t"
NAMES = ("a", "b")


def plan(*names: str, **changes: Any) -> Plan:
    fields = tuple(Field(name, name) for name in names or NAMES)
    watched = StreamPlan(
        STREAM, "m", "features", TOPIC, time="ts", fields=fields, unlisted="ignore", lateness_ms=0, silence_ms=10**12
    )
    model = ModelPlan("m", "team", "decide", "rules")
    return Plan("sg", (watched,), (model,), **{"pane_ms": HOUR, "warm_up_ms": 0, "max_future_ms": 10**12, **changes})


class Hourly:
    """Attributes: judge: after everything so far. records: (header, body) of the ledger. said: what it wrote, one list for each.
    kept: coarse panes. hour: index of the next one.

    Args:
        watched: the plan. bins: whether every field has `GAUSS` from the beginning. history: offsets the topic held at first.
        first: day on which it begins. blobs: None to begin with the plan alone.
    """

    def __init__(self, watched: Plan, bins: bool = True, history: int = 0, first: int = MONDAY) -> None:
        self.judge = Judge()
        self.records: list[tuple[dict[str, Any], Any]] = []
        self.said: list[list[Message]] = []
        self.kept: list[Kept] = []
        self.blobs: dict[str, Any] = {}
        self.hour = hour_of(first)
        self.offset = 0
        layout = layout_zero(watched, {TOPIC: 1})
        if bins:
            section = layout.sections[STREAM]
            layout = layout.with_section(section.replace(bins=(GAUSS,) * len(section.fields), learned=True))
        self.adopt("layout", layout.to_dict())
        self.fold(open_header((TOPIC, 0), 0, 0, history), None)
        self.tap = Tap(self.layout, (TOPIC, 0), self.judge.fold.positions[TOPIC, 0], b"k" * 16)

    @property
    def layout(self) -> Layout:
        assert self.judge.layout is not None
        return self.judge.layout

    @property
    def drift(self) -> Any:
        return self.judge.watches[STREAM].bank.drift

    def fold(self, header: dict[str, Any], body: Any) -> list[Message]:
        said = self.judge.apply(len(self.records), header, body, self.blobs.__getitem__)
        self.records.append((header, body))
        self.said.append(said)
        self.kept += [
            Kept.of(*unpack(message.value))
            for message in said
            if message.topic == "panes" and message.value is not None and b"/coarse/" in message.key
        ]
        return said

    def adopt(self, what: str, tree: dict[str, Any]) -> None:
        proposal = Proposal(what, tree, self.judge.fold.in_force.get(what))
        self.blobs[proposal.new] = tree
        self.fold(adopt_header(what, proposal.new, proposal.parent), None)

    def refer(self, learned: dict[str, Any]) -> None:
        """Bring a reference into force."""
        self.adopt("reference", {**self.judge.reference, **learned})

    def section(self, section: Section) -> None:
        """Bring another section of the stream into force, for the tap too."""
        self.adopt("layout", self.layout.with_section(section).to_dict())
        self.tap.adopt(self.layout)

    def hours(
        self,
        count: int,
        mean: dict[str, float] | None = None,
        n: int = 50,
        seed: int = 3,
        gone: dict[str, int] | None = None,
    ) -> None:
        """Let hours pass, with records of normal fields.

        Args:
            mean: of those where it is not 0; nan: the field is missing. gone: in how many records of an hour a field is null.
        """
        for _ in range(count):
            rng = np.random.default_rng([seed, self.hour])
            values = {name: rng.normal((mean or {}).get(name, 0.0), 1.0, n).round(3) for name in self._names()}
            values = {name: x for name, x in values.items() if not np.isnan(x).any()}
            stamps = self.hour * HOUR + np.arange(n) * (HOUR // n)
            columns = zip(*(x.tolist() for x in values.values()), strict=True) if values else [()] * n
            rows = [dict(zip(values, row, strict=True)) for row in columns]
            for name, count_gone in (gone or {}).items():
                for row in rows[:count_gone]:
                    row[name] = None
            self._feed([orjson.dumps({"ts": int(ts), **row}) for ts, row in zip(stamps, rows, strict=True)])
            self.hour += 1

    def until_night(self, **changes: Any) -> None:
        """Let the rest of the day pass, and the first hour of the next one."""
        self.hours((24 - self.hour % 24) + 1, **changes)

    def night(self, more: list[Kept] | None = None) -> dict[str, Any] | None:
        """Recalibrate if that is due, from the panes that were kept and ``more``; return what people are told."""
        told = self.judge.recalibration()
        if told is None:
            return None
        work = Night(told)
        for pane in [*(more or []), *self.kept]:
            work.add(pane)
        self.refer(work.reference())
        budget: dict[str, Any] = self.judge.reference["budget"]
        return budget

    def learn(self) -> None:
        """Bring into force whatever the judge proposes, as a host does."""
        while (proposal := self.judge.proposal()) is not None:
            self.adopt(proposal.what, proposal.tree)
        if lesson := self.judge.lesson():
            self.refer(learn_references(lesson))
        self.tap.adopt(self.layout)

    def alerts(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the events for people, from a ledger record on."""
        return [
            orjson.loads(message.value or b"")
            for said in self.said[since:]
            for message in said
            if message.topic == "alerts"
        ]

    def drifts(self, since: int = 0) -> list[dict[str, Any]]:
        return [event for event in self.alerts(since) if event.get("check") == "drift"]

    def _names(self) -> tuple[str, ...]:
        return self.layout.sections[STREAM].names

    def _feed(self, values: list[bytes]) -> None:
        n, start = len(values), self.offset
        self.offset += n
        batch = RecordBatch(
            *(TOPIC, 0, start, start + n, start + n, list(range(start, start + n))),
            timestamps=[0] * n,
            keys=[None] * n,
            values=list(values),
            headers=[()] * n,
        )
        assert self.tap.feed(batch, self.hour * HOUR) is Fed.COUNTED
        header, body = unpack(self.tap.cut(self.offset))
        self.fold(header, body)
        assert self.tap.settle(self.judge.fold.positions[TOPIC, 0])
        self.fold(tick_header(self.judge.fold.tick + 1, 1000, self.hour * HOUR), None)


def again(told: Hourly, restarts: bool) -> Iterator[tuple[bytes, list[Message]]]:
    """Fold the ledger again; yield state and outputs after each record. ``restarts``: from a checkpoint before each of them."""
    judge = Judge()
    for offset, (header, body) in enumerate(told.records):
        if restarts:
            saved = unpack(pack({}, judge.state()))[1]
            judge = Judge.restore(saved, told.blobs.__getitem__)
        said = judge.apply(offset, header, body, told.blobs.__getitem__)
        yield pack({}, judge.state()), said
