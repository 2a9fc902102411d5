"""Where a field moved: the segment that did it is named, one that only grew is mix, and what all did alike is said to be that."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stream.commands.segments import Where
from stream.contrasts import Contrasts
from stream.explaining import PRESENCE, Moved
from stream.layout import BINS, Bins, Section
from stream.plan import Field
from stream.reading.segments import NOWHERE, Table
from stream.segmenting import Split, where_moved
from tests.judge.weeks import GAUSS, STREAM, chances, reference

NONE = np.zeros(0)
ORIGIN = Bins("category", NONE, np.arange(4), np.arange(4), ("EWR", "JFK", "LGA", "", ""))
SECTION = Section(STREAM, (Field("a", "a"), Field("origin", "origin")), (GAUSS, ORIGIN), True, (), (), 1)
SHARES = np.vstack([reference("a")["shares"], np.full(BINS, np.nan)])
CONTRASTS = Contrasts(SECTION.bins, SHARES)


def counts(seed: int, segments: dict[int, tuple[int, float, int]]) -> Table:
    """Return counts of one field: for each segment (values, their mean, records without a value)."""
    rng = np.random.default_rng(seed)
    bins, presence = np.zeros((BINS + 1, 1, BINS), np.int64), np.zeros((BINS + 1, 1, 2), np.int64)
    for row, (n, mean, gone) in segments.items():
        bins[row, 0] = rng.multinomial(n, chances(mean))
        presence[row, 0] = n, gone
    return bins, presence


def moved(bins: Bins = GAUSS) -> Moved:
    nothing: NDArray[np.int64] = np.zeros(BINS, np.int64)
    return Moved("a", "a moved", bins, 1000, SHARES[0], nothing, 0, 1, [], "", None)


def split(before: Table, now: Table, bins: Bins = GAUSS, section: Section = SECTION) -> Split:
    return where_moved(moved(bins), CONTRASTS, section, "origin", before, now, 0)


def lines(item: Split) -> list[str]:
    return list(Where("", {"a": [item]}).lines("a"))


USUAL = {0: (10_000, 0.0, 0), 1: (10_000, 0.0, 0), 2: (10_000, 0.0, 0)}


def test_the_segment_that_moved_is_named_first() -> None:
    found = split(counts(1, USUAL), counts(2, {**USUAL, 0: (10_300, 0.8, 0)}))
    first, *others = found.parts
    assert first.name == "EWR"
    assert 0.95 < first.share < 1.05
    assert [part.change for part in others] == ["there as before"] * 2
    said = lines(found)
    assert said[0].startswith("by origin: of the change ")
    assert said[0].endswith(" % by their mix")
    assert said[1].startswith("  EWR: 33 % -> 34 % of the records, there +0.7")


def test_what_all_did_alike_is_said() -> None:
    found = split(counts(1, USUAL), counts(2, dict.fromkeys(USUAL, (10_000, 0.5, 0))))
    assert lines(found) == ["by origin: in all 3 segments alike"]


def test_a_segment_that_only_grew_is_mix() -> None:
    before, now = (counts(seed, {0: (10_000, 0.0, 0), 1: (n, 2.0, 0)}) for seed, n in ((1, 10_000), (2, 30_000)))
    found = split(before, now)
    assert 0.9 < found.mix < 1.1
    assert all(part.change == "there as before" for part in found.parts)


def test_a_change_that_is_not_in_the_sample_is_not_split() -> None:
    assert split(counts(1, USUAL), counts(2, USUAL)).said == "the sample does not show the change"
    assert split(counts(1, {}), counts(2, USUAL)).said == "no values to compare"


def test_small_segments_are_others_and_no_value_is_a_segment_too() -> None:
    small = dict.fromkeys(range(3, 6), (20, 0.0, 0))
    now = {**USUAL, **small, NOWHERE: (5_000, 3.0, 0)}
    found = split(counts(1, {**USUAL, **small}), counts(2, now))
    assert found.segments == 5
    assert found.parts[0].name == "without a value"
    assert found.parts[0].change == "not there before"
    assert "others" not in [part.name for part in found.parts]


def test_a_value_that_reads_like_our_own_words_is_quoted() -> None:
    """Small segments together are others; a value of that name is not."""
    names = ("others", "category 3", "", "b", "c", "d")
    section = SECTION.replace(bins=(GAUSS, Bins("category", NONE, np.arange(6), np.arange(6), names)))
    small = dict.fromkeys(range(3, 6), (29, 0.0, 0))
    for last, said in ((small, "others"), ({2: (10_000, 0.0, 0)}, "''")):
        before = {0: (10_000, 0.0, 0), 1: (10_000, 0.0, 0), **last}
        found = split(counts(1, before), counts(2, {**before, 0: (10_000, 3.0, 0)}), section=section)
        assert {part.name for part in found.parts} == {"'others'", "'category 3'", said}


def test_a_category_that_may_not_be_shown_is_a_number() -> None:
    found = split(counts(1, {3: (10_000, 0.0, 0), **USUAL}), counts(2, {3: (10_000, 2.0, 0), **USUAL}))
    assert found.parts[0].name == "category 4"


def test_missing_values_are_split_as_records_with_and_without_one() -> None:
    now = {**USUAL, 1: (8_000, 0.0, 2_000)}
    found = split(counts(1, USUAL), counts(2, now), PRESENCE)
    assert found.parts[0].name == "JFK"
    assert found.parts[0].change == "there 0 % -> 20 % without a value"
    assert 0.99 < found.parts[0].share < 1.01
