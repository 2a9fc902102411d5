"""The protocol, and ways to get it wrong. Each variant changes one rule; the model must notice every one of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from stream.cursor import Cursor
from stream.ledger import Fold, Position
from stream.parts import blob_key
from stream.publishing import Host, Message, Send, Ticker
from tests.model.tap import Tap


@dataclass(frozen=True)
class Protocol:
    """The classes of which a world is made. ``patient``: no positions are stored while a gap is being crossed."""

    name: str
    fold: type[Fold] = Fold
    cursor: type[Cursor] = Cursor
    tap: type[Tap] = Tap
    host: type[Host] = Host
    ticker: type[Ticker] = Ticker
    blob_key: Callable[[str, int], str] = blob_key
    patient: bool = True


class AcceptAnything(Fold):
    """An entry is accepted wherever it starts: a retry after a lost acknowledgement counts twice."""

    def extends(self, position: Position, header: dict[str, Any]) -> bool:
        return header["inc"] == position.incarnation and header["layout"] in self.adopted


class TrustAcknowledgement(Tap):
    """The tap goes on when its send was acknowledged, without asking the ledger whether it was accepted."""

    def settled(self, position: Position) -> bool:
        if not self.acked:
            return super().settled(position)
        self.cursor.flight = None
        return True


class AdvanceFirst(Host):
    """`published` advances before the alerts are acknowledged, so a checkpoint may pass them."""

    def publish(self, upto: int, messages: Iterable[Message]) -> Iterator[Send]:
        before = self.published
        for step in super().publish(upto, messages):
            self.published = max(before, upto)
            yield step


class StartFromCommitted(Tap):
    """The tap reads from the group's committed offset instead of the ledger's position."""

    def take(self, position: Position) -> None:
        super().take(replace(position, next=self.world.committed.get(self.key, position.next)))


class ForgetFrontier(Tap):
    """The frontier starts anew with every cut, as if it belonged to the batch and not to the log."""

    def cut(self) -> None:
        super().cut()
        self.frontier = {}


class AddUpHosts(Ticker):
    """A tick counts the time since this host's own last tick, also when another host has counted it already."""

    def read(self, header: dict[str, Any], now_ms: int) -> None:
        since = self._since_ms
        own = header == self._sent
        super().read(header, now_ms)
        if not own:
            self._since_ms = since


class OpenWithoutAnchor(Fold):
    """An ``open`` names no record: a topic that is recreated before its first entry is not recognised."""

    def apply(self, offset: int, header: dict[str, Any]) -> bool:
        return super().apply(offset, {**header, "anchor": None} if header["kind"] == "open" else header)


class RemoveFirst(Host):
    """What the new checkpoint makes useless is removed before that one is acknowledged."""

    def checkpoint(
        self,
        offset: int,
        data: bytes,
        nonce: str,
        stored: Iterable[str] = (),
        needed: Collection[str] = (),
        begin: int = 0,
    ) -> Iterator[Send]:
        steps = list(super().checkpoint(offset, data, nonce, stored, needed, begin))
        return reversed(steps)


class RemoveUnnamed(Host):
    """A blob is removed as soon as nothing names it: its note may be about to be written."""

    def checkpoint(
        self,
        offset: int,
        data: bytes,
        nonce: str,
        stored: Iterable[str] = (),
        needed: Collection[str] = (),
        begin: int = 0,
    ) -> Iterator[Send]:
        return super().checkpoint(offset, data, nonce, stored, needed, offset + 1)


def one_key(name: str, _: int) -> str:
    """Content that comes back is put under the key it had: a removal that was decided before then takes it away."""
    return blob_key(name, 0)


class GoOnAlone(Fold):
    """Whoever finds the ledger cut goes on from what it knows, and asks nobody."""

    def cut(self, begin: int) -> None:
        self.offset = max(self.offset, begin)


class GapForTheLost(Fold):
    """Only who is lost takes the fold of a gap; who has read what is gone goes on with that."""

    def apply(self, offset: int, header: dict[str, Any]) -> bool:
        known = header.get("note") == "judge_gap" and not self.lost
        return super().apply(offset, {**header, "fold": None} if known else header)


PROTOCOL = Protocol("as specified")
BROKEN = (
    Protocol("accept without compare", fold=AcceptAnything),
    Protocol("advance on acknowledgement", tap=TrustAcknowledgement),
    Protocol("checkpoint before alerts", host=AdvanceFirst),
    Protocol("position from the committed offset", tap=StartFromCommitted),
    Protocol("a cut that loses the frontier", tap=ForgetFrontier),
    Protocol("ticks of two hosts added up", ticker=AddUpHosts),
    Protocol("open without an anchor", fold=OpenWithoutAnchor),
    Protocol("removal before the checkpoint", host=RemoveFirst),
    Protocol("blobs removed once nothing names them", host=RemoveUnnamed),
    Protocol("one key for each blob", blob_key=one_key),
    Protocol("everybody crosses a gap alone", fold=GoOnAlone),
    Protocol("a gap for the lost only", fold=GapForTheLost),
    Protocol("positions from within a gap", patient=False),
)
