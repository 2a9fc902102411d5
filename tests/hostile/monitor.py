"""A tap and a judge without a broker: records in, counts out, by the words of the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from stream.batch import Headers, RecordBatch
from stream.codec import unpack
from stream.counts import FieldCounts, PaneCounts, StreamCounts
from stream.judge import Judge
from stream.judging.proposal import Proposal
from stream.layout import Layout, layout_zero
from stream.learn import learn_references
from stream.ledger import adopt_header, open_header
from stream.plan import Field, ModelPlan, Plan, StreamPlan
from stream.tap import Fed, Tap

TOPIC, STREAM = "t", "m.features"
BEGIN = 1_767_571_200_000 // 60_000 * 60_000  # 2026-01-05T00:00Z


def plan(*fields: str, **stream: Any) -> Plan:
    """Return the plan of one stream with some declared fields."""
    declared = tuple(Field(name, name) for name in fields)
    watched = StreamPlan(STREAM, "m", "features", TOPIC, fields=declared, **{"unlisted": "count", **stream})
    return Plan("sg-hostile", (watched,), (ModelPlan("m", "team", "decide", "rules"),), warm_up_ms=0)


class Monitor:
    """One partition of one topic, its tap and the judge.

    Args:
        keep: whether what the entries say of panes is added up, for whoever asks.

    Attributes:
        now_ms: wall clock. classes: of the records so far, rejected ones by reason. panes: what the entries said of each pane.
        largest: bytes of the largest entry. outputs: by topic, how many the judge wrote; bytes: of the largest one.
    """

    def __init__(self, watched: Plan, now_ms: int = BEGIN, keep: bool = True) -> None:
        self.now_ms = now_ms
        self._keep = keep
        self.classes: Counter[str] = Counter()
        self.panes: dict[int, PaneCounts] = {}
        self.largest = 0
        self.outputs: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.judge = Judge()
        self._blobs: dict[str, Any] = {}
        self._offset = self._ledger = 0
        zero = layout_zero(watched, {TOPIC: 1})
        self._adopt(Proposal("layout", zero.to_dict(), None))
        self._fold(open_header((TOPIC, 0), 0, 0, 0), None)
        self.tap = Tap(self.layout, (TOPIC, 0), self.judge.fold.positions[TOPIC, 0], b"k" * 16)

    @property
    def layout(self) -> Layout:
        assert self.judge.layout is not None
        return self.judge.layout

    def feed(
        self,
        values: Sequence[bytes | None],
        timestamps: Sequence[int] | None = None,
        keys: Sequence[bytes | None] | None = None,
        headers: Sequence[Headers] | None = None,
    ) -> None:
        """Read one chunk; without timestamps its records are of now."""
        n, start = len(values), self._offset
        self._offset += n
        batch = RecordBatch(
            *(TOPIC, 0, start, start + n, start + n, list(range(start, start + n))),
            timestamps=list(timestamps or [self.now_ms] * n),
            keys=list(keys or [None] * n),
            values=list(values),
            headers=list(headers or [()] * n),
        )
        while (fed := self.tap.feed(batch, self.now_ms)) is Fed.FULL:
            self.cut()
        assert fed is Fed.COUNTED

    def cut(self) -> None:
        """Write what is counted to the ledger."""
        frame = self.tap.cut(self._offset)
        self.largest = max(self.largest, len(frame))
        header, body = unpack(frame)
        for tree in body.values():
            counts = StreamCounts.from_dict(tree)
            assert counts.covered == header["to"] - header["from"]
            scalars = {name: n for name, n in counts.to_dict().items() if isinstance(n, int)}
            self.classes.update(scalars | counts.rejected)
            for index, pane in counts.panes.items() if self._keep else ():
                self.panes.setdefault(index, PaneCounts()).add(pane)
        self._fold(header, body)
        assert self.tap.settle(self.judge.fold.positions[TOPIC, 0])

    def tick(self, elapsed_ms: int) -> None:
        """Let time pass: cut, close panes, and bring into force what the judge proposes."""
        self.cut()
        self.now_ms += elapsed_ms
        self._fold(
            {"kind": "tick", "n": self.judge.fold.tick + 1, "elapsed": elapsed_ms, "wall": self.now_ms},
            None,
        )
        while (proposal := self.judge.proposal()) is not None:
            self._adopt(proposal)
        if lesson := self.judge.lesson():
            self._adopt(self.judge.reference_proposal(learn_references(lesson)))
        self.tap.adopt(self.layout)

    def counted(self) -> dict[str, int]:
        """Cut; return every class that has a record."""
        self.cut()
        return dict(+self.classes)

    def fields(self) -> FieldCounts:
        """Cut; return the counts of the declared fields over all panes and groups."""
        self.cut()
        totals = [total for pane in self.panes.values() if (total := pane.total()) is not None]
        for other in totals[1:]:
            totals[0].add(other)
        return totals[0]

    def _adopt(self, proposal: Proposal) -> None:
        self._blobs[proposal.new] = proposal.tree
        self._fold(adopt_header(proposal.what, proposal.new, proposal.parent), None)
        in_force = set(self.judge.fold.in_force.values())
        self._blobs = {name: tree for name, tree in self._blobs.items() if name in in_force}

    def _fold(self, header: dict[str, Any], body: Any) -> None:
        for message in self.judge.apply(self._ledger, header, body, self._blobs.__getitem__):
            self.outputs[message.topic] += 1
            self.bytes[message.topic] = max(self.bytes[message.topic], len(message.value or b""))
        self._ledger += 1
