"""The crash-loop breaker: whatever kills, in whatever order, only the record that kills is set aside, within few deaths."""

from __future__ import annotations

import json
from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given, settings

from stream.batch import RecordBatch
from stream.caution import next_bite
from stream.ledger import Fold, adopt_header, entry_header, open_header
from stream.trouble import CHUNK, DEATHS, Trouble, announced, start_header

KEY = ("t", 0)
MOST = 1 + DEATHS + CHUNK.bit_length() - 1 + DEATHS
"""Deaths over one record: one after seconds of reading, `DEATHS` at one offset, those of bisection, `DEATHS` over it alone."""


class Partition:
    """A partition, its ledger, and one record that ends every process that decodes it."""

    def __init__(self, end: int, poison: int | None) -> None:
        self.end, self.poison = end, poison
        self.fold, self.offset = Fold(), 0
        self.rejected: list[int] = []
        self.lives = self.deaths = 0
        self.write(adopt_header("layout", "L", None))
        self.write(open_header(KEY, 0, 0, end))

    def write(self, header: dict[str, object]) -> None:
        self.fold = Fold.restore(json.loads(json.dumps(self.fold.snapshot())))
        self.fold.apply(self.offset, header)
        self.offset += 1

    def live(self, chunks: int, ahead: int, killed: int | None) -> None:
        """One process: reads until it dies over the record, is killed in its ``killed``-th bite, or has done its chunks.

        Args:
            ahead: chunks of 1000 that it reads between two entries while nothing is suspected.
        """
        self.lives += 1
        at = self.fold.positions[KEY].next
        told, batch = False, None
        for bite in range(chunks):
            if at >= self.end:
                return
            trouble = self.fold.positions[KEY].trouble
            if not told or (trouble is not None and at < trouble.until):
                self.write(start_header(KEY, 0, at, f"life {self.lives}"))
                told, trouble = True, self.fold.positions[KEY].trouble
            if batch is None or batch.next <= at:
                stop = min(at + 1000 * ahead, self.end)
                batch = RecordBatch(*KEY, at, stop, self.end, list(range(at, stop)), *([[0] * (stop - at)] * 4))
            part = next_bite(batch, at, trouble)
            if part.unreadable == "poison":
                self.rejected.append(part.start)
            elif self.poison in part.offsets:
                self.deaths += 1
                return
            if killed == bite:
                return
            self.write(entry_header(KEY, 0, (at, part.next), "L", None, self.end, {}))
            at = part.next


@settings(max_examples=300, deadline=None)
@given(
    end=st.integers(1, 20_000),
    place=st.floats(0, 1, exclude_max=True),
    ahead=st.integers(1, 30),
    kills=st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=6),
)
def test_one_record_that_kills_is_found_and_nothing_else_is_set_aside(
    end: int, place: float, ahead: int, kills: list[int | None]
) -> None:
    """Also when other processes are killed from outside meanwhile, each of which may cost some deaths more."""
    poison = int(place * end)
    partition = Partition(end, poison)
    for life in range(200):
        partition.live(10_000, ahead, kills[life] if life < len(kills) else None)
        if partition.fold.positions[KEY].next == end:
            break
    assert partition.rejected == [poison]
    assert partition.deaths <= MOST + len([kill for kill in kills if kill is not None]), partition.deaths


@settings(max_examples=100, deadline=None)
@given(end=st.integers(1, 5_000), kills=st.lists(st.integers(0, 3), max_size=11))
def test_kills_from_outside_set_nothing_aside(end: int, kills: list[int]) -> None:
    """Eleven in a row, each between an announcement and its entry; a poisoned record is blamed for a dozen and more."""
    partition = Partition(end, None)
    for kill in kills:
        partition.live(10_000, 1, kill)
    partition.live(10_000, 1, None)
    assert (partition.fold.positions[KEY].next, partition.rejected) == (end, [])


def test_one_kill_sets_nothing_aside_that_is_read_alone() -> None:
    """Behind a poisoned record, or at the end of a suspected range, a bite is one offset: a kill there proves nothing yet."""
    alone = Trouble(at=7, by="a", until=1_000, bad=8)
    assert alone.reach == 1
    trouble: Trouble | None = alone
    for life in range(DEATHS):
        assert trouble is not None
        assert not trouble.poison
        trouble = announced(trouble, 7, f"life {life}")
    assert trouble is not None
    assert trouble.poison


def test_a_process_that_announces_twice_has_not_died() -> None:
    """A tap that starts again where it stood, because of a rebalance or the ledger, is no death."""
    trouble = None
    for _ in range(20):
        trouble = announced(trouble, 7, "one process")
    assert trouble is not None
    assert (trouble.lives, trouble.reach) == (1, 0)


def test_an_announcement_of_another_place_is_dropped() -> None:
    partition = Partition(10, None)
    dropped = partition.fold.dropped
    partition.write(start_header(KEY, 0, 3, "a"))
    partition.write(start_header(KEY, 1, 0, "a"))
    assert partition.fold.dropped == dropped + 2
    assert partition.fold.positions[KEY].trouble is None


def test_a_bite_holds_its_offsets_and_nothing_before_them() -> None:
    """A tap decodes whole chunks: a record set aside a moment ago stands in the same one."""
    batch = RecordBatch("t", 0, 5, 20, 30, [6, 9, 15], [1, 2, 3], [b"a", None, b"c"], [b"x", b"y", b"z"], [(), (), ()])
    middle = replace(batch, start=7, next=15, offsets=[9], timestamps=[2], keys=[None], values=[b"y"], headers=[()])
    assert batch.part(7, 15) == middle
    careful = Trouble(at=9, by="a", until=1_000, bad=13)
    assert next_bite(batch, 9, careful) == batch.part(9, 11)
    assert next_bite(batch, 9, replace(careful, bad=0)) == batch.part(9, 20)
    refused = next_bite(batch, 9, replace(careful, poison=True))
    assert (refused.start, refused.next, refused.values, refused.unreadable) == (9, 10, [], "poison")
