"""What is stored in the topic ``state`` under more than one key: named, written once, and removed when nobody can need it.

    checkpoint/<ledger offset>-<nonce>/<i>of<n>     the state of a judge that has folded every record below the offset
    blob/<name>/<ledger offset>/<i>of<n>            a layout or a reference; the ledger stood at the offset when it was put

A frame exceeds what a broker takes as one record, so it is cut into parts; it counts when all of them are there. Nothing is
overwritten: what is written again gets a key of its own. Hence neither a write nor a removal that comes late (several
hosts write to this topic, one of them may be a zombie) can harm anything but the very record it is about.

**What may be removed.** `leftovers` says so, to a host whose own checkpoint at ledger offset C is acknowledged:

* every checkpoint that reaches less far than C. Readers take the complete one that reaches furthest. Whoever removes has
  one that reaches further than what is removed, so the one that reaches furthest is never removed, not even by a zombie,
  which knows fewer. A host that is behind may lose parts of a checkpoint that it is writing: nobody would have read it.
* every blob that the checkpoint does not name, that is not in force, and that was put before the ledger's beginning. A
  judge needs what its checkpoint names and what the ``adopt`` notes behind it name. Each note is written right after a put of
  its own, so a note that is still in the ledger has its blob; it would miss it only if its writer had stood still
  between the two for as long as the ledger reaches back (7 days), and then its ledger tail is truncated. Entries need no
  layout but those that the checkpoint names: a judge adds bins up for the newest 16 only. Kept panes name sections, not layouts.

Removing by name instead of by key was rejected: a configuration that is rolled back brings the same content into force
again, and a removal decided before would then take it away.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

PART_BYTES = 800_000
CHECKPOINT = "checkpoint/"
BLOB = "blob/"


def checkpoint_key(offset: int, nonce: str) -> str:
    """Return the name of a checkpoint at a ledger offset. ``nonce`` is random text that no other checkpoint has."""
    return f"{CHECKPOINT}{offset:016x}-{nonce}"


def blob_key(name: str, offset: int) -> str:
    """Return the name of one put of a blob: of its content address, while the ledger stood at an offset."""
    return f"{BLOB}{name}/{offset:016x}"


def split(name: str, frame: bytes) -> dict[str, bytes]:
    """Return the records that hold a frame of any size.

    >>> sorted(split("blob/1/0", b"x" * 1_000_000))
    ['blob/1/0/0of2', 'blob/1/0/1of2']
    """
    parts = [frame[at : at + PART_BYTES] for at in range(0, len(frame), PART_BYTES)] or [b""]
    return {f"{name}/{i}of{len(parts)}": part for i, part in enumerate(parts)}


def join(name: str, records: Mapping[str, bytes]) -> bytes | None:
    """Return the frame that `split` took apart, None while a part is missing.

    >>> join("blob/1/0", split("blob/1/0", b"frame"))
    b'frame'
    """
    for key in records:
        if key.startswith(f"{name}/0of"):
            count = int(key.rpartition("of")[2])
            parts = [records.get(f"{name}/{i}of{count}") for i in range(count)]
            if all(part is not None for part in parts):
                return b"".join(part for part in parts if part is not None)
    return None


def names(prefix: str, keys: Iterable[str]) -> list[str]:
    """Return the names under a prefix, whole or not; those of the highest ledger offset last.

    >>> names("blob/1/", ["blob/1/0b/0of1", "blob/1/0a/0of2", "blob/1/0a/1of2", "blob/2/0a/0of1"])
    ['blob/1/0a', 'blob/1/0b']
    """
    return sorted({key.rpartition("/")[0] for key in keys if key.startswith(prefix)})


def leftovers(keys: Iterable[str], offset: int, needed: Collection[str], begin: int) -> list[str]:
    """Return the keys that may be removed.

    Args:
        keys: of the topic, as far as it is read.
        offset: ledger offset of a checkpoint of one's own that is, or will be before anything is removed, acknowledged.
        needed: content addresses that this checkpoint names or that are in force in the ledger, read to its end.
        begin: first offset that is left of the ledger.

    >>> leftovers(["checkpoint/0a-x/0of1", "checkpoint/0b-y/0of1", "blob/1/05/0of1", "blob/2/05/0of1"], 11, {"1"}, 6)
    ['checkpoint/0a-x/0of1', 'blob/2/05/0of1']
    """
    gone = []
    for key in keys:
        if key.startswith(CHECKPOINT):
            old = int(key.removeprefix(CHECKPOINT).partition("-")[0], 16) < offset
        elif key.startswith(BLOB):
            name, at, _ = key.removeprefix(BLOB).split("/")
            old = name not in needed and int(at, 16) < begin
        else:
            old = False
        if old:
            gone.append(key)
    return gone
