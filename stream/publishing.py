"""The host of the judge: acknowledged before advanced. Pure; the shell and the model test drive the same generators.

Every generator yields one `Send` after the other. Whoever drives it sends the messages, again and again until all of them
are acknowledged, and only then takes the next step. What a generator does between two sends, such as moving `published`,
has therefore happened only when everything before it is safe. A crash in between repeats messages with the same ids; it
never loses one. Transactions were rejected: the client speaks only versions of the protocol that can tear (DESIGN.md).

The topic ``state`` is compacted and several hosts may write to it, one of them a zombie. So nothing there is ever trusted
because it is the newest: a reader takes what reaches furthest into the ledger, and any (ledger offset, state) is valid for
ever. Checkpoints have keys of their own (`stream.parts`, which also says what may be removed). Positions are written every
10 s, so they have two keys only: ``positions/A`` and ``positions/B`` are written in turn, and one stray late write leaves a
good record in the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stream.codec import pack, unpack
from stream.ledger import MAX_TICK_MS, Fold, tick_header
from stream.parts import CHECKPOINT, checkpoint_key, join, leftovers, names, split

ORDER = ("alerts", "alerts.state", "dead-letter", "panes")
"""Outputs are sent in this order: a person waits for the first, nobody waits for the last."""

SLOTS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Message:
    """One record for one of our topics.

    Attributes:
        offset: ledger offset of the record that caused it; for ``state`` the offset that the state has reached.
        topic: name without the application's prefix. key, value, headers: as in Kafka; a value of None is a tombstone.
    """

    offset: int
    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Send:
    """One step: send all these messages to one topic, in this order, and go on when all are acknowledged."""

    topic: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint. ``data`` is the state of the judge that has folded every ledger record below ``offset``."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Positions:
    """Where a new tail starts: ``fold`` is a `Fold.snapshot` at ``offset``. Outputs of records below ``published`` are out."""

    offset: int
    fold: dict[str, Any]
    published: int
    slot: str


class Host:
    """What one host of the judge has published and stored, over the time of one lease.

    Attributes:
        published: every output that a ledger record below this offset caused is acknowledged; it is not sent again.
    """

    def __init__(self, checkpoint: Checkpoint | None = None, positions: Positions | None = None) -> None:
        """Start where the stored records end: what `latest_checkpoint` and `latest_positions` found."""
        self.published = max(checkpoint.offset if checkpoint else 0, positions.published if positions else 0)
        self._slot = _other(positions.slot) if positions else SLOTS[0]

    def publish(self, upto: int, messages: Iterable[Message]) -> Iterator[Send]:
        """Publish what the ledger records below ``upto`` caused, then advance.

        Args:
            upto: ledger offset of the next record that the judge will fold.
            messages: all outputs of records in ``[published, upto)``; earlier ones may be among them and are skipped.

        Raises:
            KeyError: a message for a topic that is not in `ORDER`.
        """
        by_topic: dict[str, list[Message]] = {topic: [] for topic in ORDER}
        for message in messages:
            if message.offset >= self.published:
                by_topic[message.topic].append(message)
        for topic, batch in by_topic.items():
            if batch:
                yield Send(topic, tuple(batch))
        self.published = max(self.published, upto)

    def checkpoint(
        self,
        offset: int,
        data: bytes,
        nonce: str,
        stored: Iterable[str] = (),
        needed: Collection[str] = (),
        begin: int = 0,
    ) -> Iterator[Send]:
        """Store a checkpoint; when it is acknowledged, remove what nobody can need beside it.

        Args:
            offset: ledger offset that ``data`` has reached; at most `published`.
            nonce: random text that no other checkpoint has.
            stored, needed, begin: what `stream.parts.leftovers` must know.

        Raises:
            ValueError: outputs below ``offset`` are not acknowledged yet.
        """
        if offset > self.published:
            raise ValueError(f"checkpoint at ledger offset {offset}, but only {self.published} is published")
        parts = split(checkpoint_key(offset, nonce), data)
        yield Send("state", tuple(Message(offset, "state", key.encode(), part) for key, part in parts.items()))
        gone = leftovers(stored, offset, needed, begin)
        if gone:
            yield Send("state", tuple(Message(offset, "state", key.encode(), None) for key in gone))

    def positions(self, fold: Fold) -> Send:
        """Return the step that stores how far the tail and the publication have come."""
        slot, self._slot = self._slot, _other(self._slot)
        header = {"kind": "positions", "offset": fold.offset, "published": self.published}
        value = pack(header, fold.snapshot())
        return Send("state", (Message(fold.offset, "state", f"positions/{slot}".encode(), value),))


def latest_checkpoint(state: Mapping[str, bytes]) -> Checkpoint | None:
    """Return the complete checkpoint that reaches furthest; None when there is none.

    Args:
        state: the newest value by key, tombstones left out.
    """
    for name in reversed(names(CHECKPOINT, state)):
        data = join(name, state)
        if data is not None:
            return Checkpoint(int(name.removeprefix(CHECKPOINT).partition("-")[0], 16), data)
    return None


def latest_positions(state: Mapping[str, bytes]) -> Positions | None:
    """Return the fold that reaches furthest, with the highest ``published``; None when there is none.

    Raises:
        FormatError: they were written by a release that this one cannot read.
    """
    found = []
    for slot in SLOTS:
        frame = state.get(f"positions/{slot}")
        if frame is not None:
            header, fold = unpack(frame)
            found.append(Positions(header["offset"], fold, header["published"], slot))
    if not found:
        return None
    furthest = max(found, key=lambda item: item.offset)
    return Positions(furthest.offset, furthest.fold, max(item.published for item in found), furthest.slot)


def newest_fold(state: Mapping[str, bytes]) -> dict[str, Any] | None:
    """Return the `Fold.snapshot` that reaches furthest, of those in positions and in checkpoints; None when there is none."""
    checkpoint, positions = latest_checkpoint(state), latest_positions(state)
    if checkpoint is not None and (positions is None or checkpoint.offset > positions.offset):
        return dict(unpack(checkpoint.data)[1]["fold"])
    return None if positions is None else positions.fold


class Ticker:
    """The writer of ticks on one host. Ledger time never runs faster than real time, whoever writes ticks.

    A tick counts the monotonic time since its writer wrote or read the tick before it. Those spans never overlap: the span
    of tick n begins after tick n - 1 was written, whichever host wrote either. Hence a host must tell its own tick from
    one with the same number that another host got in first: a tick that lost does not start a span.
    """

    def __init__(self, writer: str, fold: Fold, now_ms: int) -> None:
        """Start behind a tail.

        Args:
            writer: random text that no other host and no earlier life of this one has.
            fold: the tail as far as it is read; give what it reads later to `read`. now_ms: monotonic clock, taken after reading.
        """
        self._writer = writer
        self._last = fold.tick
        self._since_ms = now_ms
        self._wrote_ms = 0
        self._sent: dict[str, Any] | None = None

    def write(self, now_ms: int, wall_ms: int) -> dict[str, Any]:
        """Return the header of the next tick. Until it is settled, a retry is the very same tick: one number, one span."""
        if self._sent is None:
            real = max(now_ms - self._since_ms, 0)
            elapsed = min(real, MAX_TICK_MS)
            self._sent = tick_header(self._last + 1, elapsed, wall_ms, writer=self._writer, clipped_ms=real - elapsed)
            self._wrote_ms = now_ms
        return self._sent

    def read(self, header: dict[str, Any], now_ms: int) -> None:
        """Note an accepted tick that the tail has read. ``now_ms`` is the monotonic clock after reading it."""
        self._since_ms = self._wrote_ms if header == self._sent else now_ms
        self._last = header["n"]
        self._sent = None

    def moved(self, last: int, now_ms: int) -> None:
        """Go on behind another tick: the ledger went on from an earlier state of its own."""
        self._last, self._since_ms, self._sent = last, now_ms, None


def _other(slot: str) -> str:
    return SLOTS[1 - SLOTS.index(slot)]
