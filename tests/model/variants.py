"""The protocol, and ways to get it wrong. Each variant changes one rule; the model must notice every one of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from stream.cursor import Cursor
from stream.ledger import Fold, Position
from stream.publishing import Host, Message, Send, Ticker
from tests.model.tap import Tap


@dataclass(frozen=True)
class Protocol:
    """The classes of which a world is made."""

    name: str
    fold: type[Fold] = Fold
    cursor: type[Cursor] = Cursor
    tap: type[Tap] = Tap
    host: type[Host] = Host
    ticker: type[Ticker] = Ticker


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


class ManifestFirst(Host):
    """The manifest of a checkpoint is written before its parts."""

    def checkpoint(self, offset: int, data: bytes, nonce: str) -> Iterator[Send]:
        steps = super().checkpoint(offset, data, nonce)
        parts, manifest = next(steps), next(steps)
        yield manifest
        yield parts
        yield from steps


PROTOCOL = Protocol("as specified")
BROKEN = (
    Protocol("accept without compare", fold=AcceptAnything),
    Protocol("advance on acknowledgement", tap=TrustAcknowledgement),
    Protocol("checkpoint before alerts", host=AdvanceFirst),
    Protocol("position from the committed offset", tap=StartFromCommitted),
    Protocol("a cut that loses the frontier", tap=ForgetFrontier),
    Protocol("ticks of two hosts added up", ticker=AddUpHosts),
    Protocol("open without an anchor", fold=OpenWithoutAnchor),
    Protocol("manifest before its parts", host=ManifestFirst),
)
