"""A gap in the ledger: who has not read what is gone waits for a note, and then everybody has the same fold."""

from __future__ import annotations

from typing import Any

from stream.ledger import Fold, adopt_header, entry_header, gap_header, open_header

KEY = ("t", 0)


def entry(start: int, stop: int) -> dict[str, Any]:
    return entry_header(KEY, 0, (start, stop), "L", None, stop, {})


def ledger() -> list[dict[str, Any]]:
    """Return six records that cover the offsets 0 to 40."""
    covered = [entry(10 * i, 10 * i + 10) for i in range(4)]
    return [adopt_header("layout", "L", None), open_header(KEY, 0, 0, 0), *covered]


def folded(records: list[dict[str, Any]], fold: Fold | None = None, begin: int = 0) -> Fold:
    """Fold what is left of a ledger."""
    result = fold or Fold()
    result.cut(begin)
    for offset, header in enumerate(records):
        if offset >= begin:
            result.apply(offset, header)
    return result


def stored(records: list[dict[str, Any]], upto: int) -> Fold:
    return Fold.restore(folded(records[:upto]).snapshot())


def test_a_fold_that_lacks_records_accepts_nothing_until_a_note() -> None:
    lost = folded(ledger(), stored(ledger(), 3), begin=4)
    assert (lost.lost, lost.positions[KEY].next, lost.offset) == (True, 10, 6)


def test_a_note_makes_one_fold_everybodys_also_of_who_knows_better() -> None:
    """What the lost entries had counted is read again, since nobody who starts later can know of it."""
    records = ledger()
    lost = folded(records, stored(records, 3), begin=4)
    records += [gap_header(lost, (3, 0), 9, snapshot=True), entry(10, 25)]
    knowing, starting = folded(records), folded(records, stored(records, 3), begin=4)
    assert knowing.snapshot() == starting.snapshot()
    assert (starting.lost, starting.positions[KEY].next) == (False, 25)


def test_of_two_notes_the_first_counts() -> None:
    """Two workers start at once, and neither has seen the other's note; one that comes late finds it in the ledger."""
    records = ledger()
    notes = [gap_header(folded(records, stored(records, 3), begin=4), (3, 0), 9, snapshot=True) for _ in range(2)]
    records += [notes[0], entry(10, 25), notes[1]]
    knowing, starting = folded(records), folded(records, stored(records, 3), begin=4)
    assert knowing.snapshot() == starting.snapshot()
    assert (starting.positions[KEY].next, starting.gap_at) == (25, 6)


def test_a_note_that_lost_the_race_is_not_taken_by_who_reads_only_that() -> None:
    """The one that won was itself deleted since: who starts now must not take what everybody else has refused."""
    records = ledger()
    note = gap_header(folded(records, stored(records, 3), begin=4), (3, 0), 9, snapshot=True)
    records += [note, entry(10, 25), note]
    assert folded(records, stored(records, 3), begin=8).lost


def test_a_gap_of_the_judge_alone_moves_no_position() -> None:
    """Nothing of the ledger is lost to the taps when only the judge could not follow."""
    records = ledger()
    records.append(gap_header(folded(records), (2, 0), 9, snapshot=False))
    assert folded(records).positions[KEY].next == 40
    assert folded(records, stored(records, 3), begin=4).lost


def test_a_second_move_forgets_nothing_of_the_first() -> None:
    """What had been counted before any of the moves is read again until all of it has been passed."""
    fold = folded(ledger())
    for offset, (inc, to) in enumerate([(1, 0), (2, 20), (3, 5)], 6):
        assert fold.apply(offset, open_header(KEY, inc, to, 50, why="test"))
    assert (fold.positions[KEY].history, fold.positions[KEY].again) == (40, True)
