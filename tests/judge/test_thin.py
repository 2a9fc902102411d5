"""Thin panes are carried on until they are enough; a pane that is enough by itself passes as it is."""

from __future__ import annotations

import numpy as np

from stream.codec import pack, unpack
from stream.counts import NUMBER, STRING, VARIED, FieldCounts, PaneCounts
from stream.judging.thin import MAX_MS, Thin, ThinStream

BINNED = np.ones(2, np.bool_)


def pane(*records: int) -> FieldCounts:
    """Numbers in the first field, all in one bin; strings without bins in the second."""
    counts = FieldCounts.zero(2)
    counts.records = max(records)
    counts.types[[0, 1], [NUMBER, STRING]] = records
    counts.bins[0, 3] = records[0]
    counts.only[0] = VARIED
    return counts


def test_a_pane_that_is_enough_passes_as_it_is() -> None:
    thin, full = Thin(2), pane(40, 40)
    counts, bins = thin.add(full, BINNED, 0)
    assert counts is full
    assert bins[:, 3].tolist() == [40, 0]
    assert not thin.bins.any()
    assert not thin.counts.types.any()


def test_a_full_pane_passes_with_what_was_held_before_it() -> None:
    thin = Thin(2)
    counts, bins = thin.add(pane(20, 40), BINNED, 0)
    assert counts.types.sum(axis=1).tolist() == [0, 40]
    assert not bins.any()
    counts, bins = thin.add(pane(40, 40), BINNED, 60_000)
    assert counts.types.sum(axis=1).tolist() == [60, 40]
    assert bins.sum(axis=1).tolist() == [60, 0]
    assert thin.since.tolist() == [-1, -1]


def test_the_pane_is_not_changed() -> None:
    """Bins of fields with few values, or with other edges, are blanked in a copy."""
    thin, given = Thin(2), pane(40, 40)
    given.bins[1, 5] = 7
    before = given.bins.copy()
    thin.add(given, np.array([False, True]), 0)
    assert np.array_equal(given.bins, before)
    assert thin.bins.sum(axis=1).tolist() == [0, 7]


def test_what_is_too_old_is_dropped() -> None:
    thin = Thin(2)
    thin.add(pane(20, 20), BINNED, 0)
    counts, _ = thin.add(pane(20, 40), BINNED, MAX_MS + 1)
    assert counts.types.sum(axis=1).tolist() == [0, 40]
    assert thin.counts.types.sum(axis=1).tolist() == [20, 0]


def totals(applied: int, late: int = 0, **rejected: int) -> PaneCounts:
    return PaneCounts(applied=applied, late=late, rejected=rejected, spans={0: (5, 9)})


def test_a_stream_of_few_records_is_tested_once_there_are_thirty() -> None:
    thin = ThinStream()
    assert thin.add(totals(10, 2, not_json=8), 0).seen == 0
    whole = thin.add(totals(10, 2, not_json=7, empty=1), 60_000)
    assert (whole.seen, whole.applied, whole.late, whole.rejected) == (40, 20, 4, {"not_json": 15, "empty": 1})
    assert (thin.held.seen, thin.since) == (0, -1)
    assert thin.add(totals(30), 120_000).seen == 30


def test_what_a_stream_holds_back_is_dropped_when_it_is_old_and_outlives_a_restart() -> None:
    thin, given = ThinStream(), totals(20)
    thin.add(given, 0)
    again = ThinStream()
    again.restore(unpack(pack({}, thin.state()))[1])
    assert again.add(totals(20), 60_000).seen == 40
    assert thin.add(totals(20), MAX_MS + 1).seen == 0
    assert (thin.held.seen, given.seen) == (20, 20)
