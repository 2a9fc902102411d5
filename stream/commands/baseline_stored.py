"""The baselines of an application: the one in force, those that are stored, and when they came into force."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stream.baselines import bins_of, is_reference
from stream.codec import FormatError, read_header, unpack
from stream.commands import baseline_file, standing
from stream.config.errors import visible
from stream.exits import NO_INPUT, USAGE, Refusal
from stream.judge import Judge
from stream.kafka.cluster import require_ours
from stream.kafka.producer import Producer
from stream.kafka.store import Store
from stream.kafka.tail import Tail
from stream.layout import Bins, Layout
from stream.parts import BLOB, join, names

CURRENT = "current"
LEAST = 6
"""Characters of an address that must be given."""
NEAR = 2000
"""Ledger records behind a put among which its note is looked for: it is written right after."""


@dataclass(frozen=True, slots=True)
class Note:
    """An ``adopt`` note. at: its ledger offset. wall_ms: when, by the tick next to it; 0 where there is none."""

    at: int
    parent: str | None
    wall_ms: int
    why: str


@dataclass
class Stored:
    """Attributes: judge: as it stands; None where the application has not begun. references: by address. bins: by id."""

    judge: Judge | None
    references: dict[str, dict[str, Any]] = field(default_factory=dict)
    bins: dict[str, Bins] = field(default_factory=dict)
    puts: dict[str, list[int]] = field(default_factory=dict)

    @property
    def current(self) -> str | None:
        """Return the address of the reference in force."""
        return None if self.judge is None else self.judge.fold.in_force.get("reference")

    def find(self, name: str) -> tuple[str, dict[str, Any], Layout | None]:
        """Return (what it is called, its tree, the layout that came with it) of a file, of ``current``, or of an address.

        Raises:
            Refusal: there is none, or several addresses begin like this.
        """
        if Path(name).is_file():
            saved = baseline_file.read(Path(name))
            self.bins = {**bins_of([saved.layout]), **self.bins}
            return name, saved.reference, saved.layout
        if name == CURRENT:
            if self.current is None:
                raise Refusal("no reference is in force yet: one is learned after the first day of panes", NO_INPUT)
            return self.current, self.references[self.current], None
        require_name(name)
        found = [address for address in self.references if address.startswith(name)]
        if len(found) > 1:
            raise Refusal(f"{name}: {len(found)} addresses begin like this: {', '.join(found)}", USAGE)
        if not found:
            known = ", ".join(list(self.references)[-5:])
            others = f"the newest are {known}" if known else "none is stored yet"
            raise Refusal(f"{visible(name)}: no such file, and no stored reference; {others}", NO_INPUT)
        return found[0], self.references[found[0]], None


def require_name(name: str) -> None:
    """Refuse what can be neither a file that is there nor an address, before any broker is asked.

    Raises:
        Refusal: it says what is expected.
    """
    if Path(name).is_file() or name == CURRENT:
        return
    expected = f"expected {CURRENT}, a file of `baseline build`, or {LEAST} characters or more of an address"
    if not set(name) <= set("0123456789abcdef"):
        raise Refusal(f"{visible(name)}: no such file, and no address; {expected} (baseline list)", NO_INPUT)
    if len(name) < LEAST:
        raise Refusal(f"{visible(name)}: {expected} (baseline list)", USAGE)


async def stored(brokers: str, app: str) -> Stored:
    """Read what is stored. The newest reference comes last.

    Raises:
        Refusal: our topics are missing or may not be read.
    """
    await require_ours(brokers, app)
    found, layouts = Stored(await standing.judge(brokers, app)), []
    records = await _records(brokers, app)
    for put in sorted(names(BLOB, records), key=_offset):
        frame = join(put, records)
        address = put.removeprefix(BLOB).partition("/")[0]
        try:
            tree: Any = None if frame is None else unpack(frame)[1]
        except FormatError:  # of another release: nobody can read it any more
            continue
        if is_reference(tree):
            found.references.pop(address, None)
            found.references[address] = tree
            found.puts.setdefault(address, []).append(_offset(put))
        elif tree is not None:
            layouts.append(Layout.from_dict(tree))
    if found.judge is not None:
        layouts += found.judge.layouts.values()
        if found.current is not None:  # it was put after the blobs were read
            found.references.setdefault(found.current, found.judge.reference)
    found.bins = bins_of(layouts)
    return found


async def _records(brokers: str, app: str) -> dict[str, bytes]:
    """Return what is in the topic ``state``; nothing is written."""
    producer = Producer(brokers)
    store = Store(brokers, f"{app}.state", producer)
    try:
        await store.start()
        return store.records
    finally:
        await store.stop()
        await producer.stop()


def _offset(put: str) -> int:
    return int(put.rpartition("/")[2], 16)


async def adoptions(brokers: str, app: str, found: Stored) -> dict[str, Note]:
    """Return when each reference came into force last, as far back as the ledger still says.

    A note says which reference it follows: whoever is not in this chain was proposed and never came into force.
    """
    tail = Tail(brokers, f"{app}.ledger")
    try:
        begin = await tail.start()
        chain: dict[str, Note] = {}
        address, before = found.current, found.judge.fold.offset if found.judge is not None else 0
        while address is not None:
            puts = (max(put, begin) for put in sorted(found.puts.get(address, ()), reverse=True) if put < before)
            notes = [note for put in puts if (note := await _note(tail, address, put, before)) is not None]
            if not notes:
                break
            chain.setdefault(address, notes[0])
            address, before = notes[0].parent, notes[0].at
        return chain
    finally:
        await tail.stop()


async def _note(tail: Tail, address: str, put: int, before: int) -> Note | None:
    """Return the note that brought a put into force; none when it is not among the records right after it."""
    found: tuple[int, dict[str, Any]] | None = None
    wall_ms, end = 0, min(await tail.end(), put + NEAR)
    tail.go_to(put)
    while await tail.position() < end and not (found and wall_ms):
        for offset, _, frame in await tail.read():
            try:
                header = read_header(frame or b"")
            except FormatError:
                continue
            if header["kind"] == "tick" and not (found and wall_ms):
                wall_ms = header["wall"]
            elif found is None and offset < before and header.get("note") == "adopt" and header["new"] == address:
                found = offset, header
    if found is None:
        return None
    at, note = found
    return Note(at, note["parent"], note.get("at", wall_ms), note.get("why", ""))
