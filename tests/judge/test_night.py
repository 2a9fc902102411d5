"""A night: what it promises at which age, what does not teach, and that only the panes themselves matter."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from detectors.calendar import place
from stream.coarse import CoarsePane
from stream.codec import unpack
from stream.gathering import Gathered, Kept, side_by_side
from stream.judging.drift import normal_of
from stream.learn import basis
from stream.recalibrate import REACH_DAYS
from tests.judge.weeks import (
    HOUR,
    MONDAY,
    STREAM,
    hour_of,
    hours,
    learned,
    lesson,
    limits,
    panes,
    part,
    reference,
    same,
    section,
)

NAMES = ("a", "b", "c")


def fields(days: int, *names: str) -> dict[str, Any]:
    return {name: hours(days, name) for name in names or NAMES}


@pytest.mark.parametrize(
    ("age", "status", "until"),
    [
        (0, "learning", ""),
        (1, "provisional", "2026-02-09"),
        (2, "provisional", "2026-02-09"),
        (34, "provisional", "2026-02-09"),
        (35, "calibrated", ""),
        (70, "calibrated", ""),
    ],
)
def test_what_is_promised_at_which_age(age: int, status: str, until: str) -> None:
    """Nothing on the first day; from five weeks on calibrated; until then the date on which that will be is told."""
    tree = learned(lesson(MONDAY + age, *NAMES), panes(fields(max(age, 1))))
    told = tree["budget"]
    assert (told["day"], told["status"], told["until"]) == (MONDAY + age, status, until)
    if status == "learning":
        assert "normal" not in tree[STREAM]
        return
    assert (tree[STREAM]["status"], tree[STREAM]["until"]) == (status, until)
    assert len(limits(tree)) == 15
    assert np.isfinite(list(limits(tree).values())).all()
    assert told["days"] == min(age, REACH_DAYS)
    assert told["weeks"] == (min(8, age // 7 - 1) if status == "calibrated" else 0)
    assert (told["series"], told["young"]) == ((15, 0) if status == "calibrated" else (0, 15))


def test_a_small_budget_waits_for_the_weeks_that_it_needs() -> None:
    """One false alarm in two weeks asks for no more than four, one in four weeks for seven: not calibrated a day before."""
    taken = panes(fields(56))
    for age, status, until in ((55, "provisional", "2026-03-02"), (56, "calibrated", "")):
        told = learned(lesson(MONDAY + age, *NAMES, false_alarms=0.25), taken)["budget"]
        assert (told["status"], told["until"]) == (status, until)


def test_the_first_day_counts_once_half_of_it_was_seen() -> None:
    """A monitor that began in the evening is a day younger than one that began in the morning."""
    early, late = (panes(fields(3), skip=skip) for skip in (11, 13))
    assert learned(lesson(MONDAY + 3, *NAMES), early)["budget"]["days"] == 3
    assert learned(lesson(MONDAY + 3, *NAMES), late)["budget"]["days"] == 2


def test_today_does_not_teach_and_neither_does_what_is_older_than_nine_weeks() -> None:
    """Panes of the day that has begun, and of the 64th day before it, change nothing."""
    begin = MONDAY + 70 - REACH_DAYS
    taken = panes(fields(72))
    inside = [pane for pane in taken if hour_of(begin) <= pane.index < hour_of(MONDAY + 70)]
    told = lesson(MONDAY + 70, *NAMES)
    assert same(learned(told, taken), learned(told, inside))
    assert not same(learned(told, taken), learned(told, inside[1:]))


def test_without_panes_nothing_is_learned_and_the_night_is_over() -> None:
    """The reference in force goes on, and by its day no night is due again before the next one."""
    told = lesson(MONDAY + 9, *NAMES)
    tree = learned(told, [])
    assert (tree["budget"]["status"], tree["budget"]["day"]) == ("learning", MONDAY + 9)
    assert same(tree[STREAM], told["reference"][STREAM])


@pytest.mark.parametrize("age", [35, 70])
def test_a_step_in_the_newest_week_moves_nothing(age: int) -> None:
    """Neither what is normal nor the limits: the same to the bit, up to the last pane that teaches, and not one further."""
    calm, moved = fields(age), fields(age)
    moved["b"] = np.concatenate([calm["b"][: 24 * (age - 7)], hours(age, "b", 1.0)[24 * (age - 7) :]])
    early = dict(calm) | {
        "b": np.concatenate([moved["b"][: 24 * (age - 7) - 1], hours(age, "b", 1.0)[24 * (age - 7) - 1 :]])
    }
    trees = [learned(lesson(MONDAY + age, *NAMES), panes(item)) for item in (calm, moved, early)]
    assert same(trees[0][STREAM], trees[1][STREAM])
    assert not same(part(trees[0], "b"), part(trees[2], "b"))


@pytest.mark.parametrize(("age", "new"), [(3, 1), (12, 4), (24, 7)])
def test_in_the_first_weeks_the_newest_third_does_not_teach(age: int, new: int) -> None:
    """What is normal stays; only the threshold, which counts how the days were judged, may rise."""
    calm, moved = fields(age), fields(age)
    begin = 24 * (age - new)
    moved["b"] = np.concatenate([calm["b"][:begin], hours(age, "b", 1.0)[begin:]])
    one, other = (learned(lesson(MONDAY + age, *NAMES), panes(item)) for item in (calm, moved))
    for name in ("mean", "between", "sampling", "rhythm", "longrun"):
        assert np.array_equal(one[STREAM]["normal"][name], other[STREAM]["normal"][name]), name
    assert all(limits(other)[name] >= limit for name, limit in limits(one).items())
    begin -= 1
    moved["b"] = np.concatenate([calm["b"][:begin], hours(age, "b", 1.0)[begin:]])
    earlier = learned(lesson(MONDAY + age, *NAMES), panes(moved))
    assert not np.array_equal(one[STREAM]["normal"]["mean"], earlier[STREAM]["normal"]["mean"])


def test_what_was_called_an_incident_does_not_teach_whatever_it_was() -> None:
    """Of the field it was about, from the coarse pane it began in to the one it ended in; nothing else is left out."""
    begin, end = hour_of(MONDAY + 20) + 5, hour_of(MONDAY + 22) + 3
    span = slice(begin - hour_of(MONDAY), end - hour_of(MONDAY) + 1)
    told = lesson(MONDAY + 42, *NAMES)
    told["excluded"] = {STREAM: [["b", begin * HOUR + 1000, end * HOUR + 1]]}
    trees = []
    for mean in (1.0, 2.0):
        data = fields(42)
        data["b"][span] = hours(42, "b", mean)[span]
        trees.append(learned(told, panes(data)))
    assert same(part(trees[0], *NAMES), part(trees[1], *NAMES))
    unsaid = learned(lesson(MONDAY + 42, *NAMES), panes(data))
    assert not same(part(unsaid, "b"), part(trees[1], "b"))
    for beyond in (span.start - 1, span.stop):
        data["b"][beyond] = hours(42, "b", 2.0)[beyond]
        assert not same(part(learned(told, panes(data)), "b"), part(trees[1], "b"))
        data["b"][beyond] = hours(42, "b")[beyond]


def test_an_incident_teaches_the_rule_on_gross_change_nothing_either() -> None:
    """Or what a person has called wrong would be as far as the field ever was, and never told again."""
    span = slice(24 * 20 + 5, 24 * 21 + 3)
    told = lesson(MONDAY + 42, *NAMES)
    begin = hour_of(MONDAY) * HOUR
    told["excluded"] = {STREAM: [["b", begin + span.start * HOUR, begin + span.stop * HOUR]]}
    calm, wrong = fields(42), fields(42)
    wrong["b"][span] = hours(42, "b", 2.0)[span]
    one, other = (learned(told, panes(data))[STREAM] for data in (calm, wrong))
    assert np.array_equal(one["farthest"], other["farthest"])
    assert np.array_equal(one["found"], other["found"])


def test_an_incident_of_the_stream_is_one_of_all_its_fields_and_may_be_open() -> None:
    """From its beginning on nothing of the stream teaches."""
    told = lesson(MONDAY + 42, *NAMES)
    told["excluded"] = {STREAM: [[STREAM, hour_of(MONDAY + 33) * HOUR, None]]}
    calm, moved = fields(42), fields(42)
    for name in NAMES:
        moved[name][24 * 33 :] = hours(42, name, 1.0)[24 * 33 :]
    assert same(part(learned(told, panes(calm)), *NAMES), part(learned(told, panes(moved)), *NAMES))


def test_a_new_normal_forgets_what_was_before_of_its_field_only() -> None:
    """Whatever it was; the other fields go on with all their weeks."""
    told = lesson(MONDAY + 63, *NAMES)
    told["restarts"] = {STREAM: {"b": hour_of(MONDAY + 14) * HOUR}}
    trees = []
    for mean in (-1.0, 0.5):
        data = fields(63)
        data["b"][: 24 * 14] = hours(63, "b", mean)[: 24 * 14]
        trees.append(learned(told, panes(data)))
    assert same(part(trees[0], *NAMES), part(trees[1], *NAMES))
    assert same(trees[0][STREAM]["found"], trees[1][STREAM]["found"])
    others, unsaid = part(trees[0], "a", "c"), part(learned(lesson(MONDAY + 63, *NAMES), panes(data)), "a", "c")
    assert np.array_equal(others["mean"], unsaid["mean"])
    assert np.array_equal(others["longrun"], unsaid["longrun"])


@pytest.mark.parametrize(("age", "old"), [(63, 10), (21, 0)])
def test_a_new_normal_of_today_has_no_limit(age: int, old: int) -> None:
    """Nobody knows yet what is normal; the others keep theirs."""
    told = lesson(MONDAY + age, *NAMES)
    told["restarts"] = {STREAM: {"b": hour_of(MONDAY + age) * HOUR}}
    tree = learned(told, panes(fields(63)))
    assert {name for name, limit in limits(tree).items() if np.isinf(limit)} == {f"b/{kind}" for kind in KINDS}
    assert (tree["budget"]["series"], tree["budget"]["young"]) == (old, 10 - old)
    told["restarts"] = {STREAM: {"b": hour_of(MONDAY + age) * HOUR - 24 * HOUR}}
    found = limits(learned(told, panes(fields(63))))
    assert np.isfinite(found["b/location"]), "it is a day old, whatever the age of the others"


KINDS = ("location", "scale", "shape", "tail", "missing")


def test_a_day_that_moved_everything_is_named_and_teaches_nothing() -> None:
    """Whatever moved; a day on which one field of six moved is no such day."""
    names = "abcdef"
    whole, trees = slice(24 * 16, 24 * 17), []
    for mean in (0.7, -0.7):
        data = fields(42, *names)
        for name in names:
            data[name][whole] = hours(42, name, mean)[whole]
        trees.append(learned(lesson(MONDAY + 42, *names), panes(data)))
    assert [tree["budget"]["left_out"] for tree in trees] == [["2026-01-21"]] * 2
    assert same(part(trees[0], *names), part(trees[1], *names))
    data = fields(42, *names)
    data["a"][whole] = hours(42, "a", 0.7)[whole]
    assert learned(lesson(MONDAY + 42, *names), panes(data))["budget"]["left_out"] == []


def test_a_day_that_moved_everything_is_not_how_far_a_field_usually_is() -> None:
    """Or the rule on gross change would not tell the next such day."""
    names, far = "abcdef", slice(24 * 16, 24 * 17)
    data = fields(42, *names)
    for name in names:
        data[name][far] = hours(42, name, 1.5)[far]
    tree = learned(lesson(MONDAY + 42, *names), panes(data))
    assert tree["budget"]["left_out"] == ["2026-01-21"]
    assert tree[STREAM]["farthest"].max() < 0.5


def test_a_young_field_learns_alone_and_joins_with_four_weeks_in_the_pool() -> None:
    """It changes nothing for the others until then, and has a limit of its own from its second day on."""
    born = 24 * 28
    data = fields(63)
    data["c"][:born] = 0
    taken = panes(data)
    for age, young in ((35, 5), (56, 5), (57, 0)):
        kept = [pane for pane in taken if pane.index < hour_of(MONDAY + age)]
        tree = learned(lesson(MONDAY + age, *NAMES), kept)
        assert (tree["budget"]["series"], tree["budget"]["young"]) == (15 - young, young), age
        assert np.isfinite(list(limits(tree).values())).all(), age
        normal = tree[STREAM]["normal"]
        told = {name for name, known in zip(normal["series"], normal["calibrated"], strict=True) if not known}
        assert told == {name for name in normal["series"] if young and name.startswith("c/")}
        if age == 56:
            alone = learned(lesson(MONDAY + age, "a", "b"), panes({name: data[name] for name in "ab"}))
            assert same(part(alone, "a", "b"), part(tree, "a", "b"))
            few = panes({"c": data["c"][born:]}, MONDAY + 28)
            own = learned(lesson(MONDAY + age, "c"), few)
            assert same(part(own, "c"), part(tree, "c"))


def test_a_new_field_is_found_one_night_and_judged_by_that_the_next() -> None:
    """Contrasts and limits are learned with the very shares they are used with, so a field needs two nights."""
    data = fields(20, "a", "new")
    told = lesson(MONDAY + 18, "a", "new")
    told["reference"] = {STREAM: reference("a")}
    first = learned(told, panes(data))
    assert np.isnan(first[STREAM]["shares"][1]).all()
    assert {name for name in limits(first) if name.startswith("new/")} == {"new/missing"}, "that needs no shares"
    told = lesson(MONDAY + 19, "a", "new", reference={STREAM: first[STREAM]})
    second = learned(told, panes(data))
    assert np.array_equal(second[STREAM]["shares"], first[STREAM]["found"])
    assert np.isfinite([limit for name, limit in limits(second).items() if name.startswith("new/")]).all()
    teaching = data["new"][: 24 * (18 - 6)].sum(axis=0)
    assert np.array_equal(first[STREAM]["found"][1], basis(teaching[None])[0]), "a third of 18 days does not teach"


def test_other_bins_are_another_field() -> None:
    """Panes counted with other edges are passed over, and so is what the reference knows of these."""
    data = fields(14)
    taken = panes(data)
    other = [
        Kept(pane.stream, pane.index, pane.fields, ["else", *pane.ids[1:]], pane.bins, pane.presence) for pane in taken
    ]
    tree = learned(lesson(MONDAY + 14, *NAMES), other)
    known = {name for name, limit in limits(tree).items() if name.startswith("a/") and np.isfinite(limit)}
    assert known == {"a/missing"}, "whether it is there has nothing to do with its bins"
    told = lesson(MONDAY + 14, *NAMES)
    told["reference"][STREAM]["bins"][0] = "else"
    assert {name for name in limits(learned(told, taken)) if name.startswith("a/")} == {"a/missing"}


def test_panes_of_nobody_are_passed_over() -> None:
    """A stream that is not watched any more has panes in the topic."""
    taken = panes(fields(9))
    foreign = [
        Kept("gone.features", pane.index, pane.fields, pane.ids, pane.bins + 5, pane.presence + 5) for pane in taken
    ]
    told = lesson(MONDAY + 9, *NAMES)
    assert same(learned(told, [*foreign, *taken]), learned(told, taken))


TAKEN = panes(fields(9))
TREE = learned(lesson(MONDAY + 9, *NAMES), TAKEN)


@pytest.mark.parametrize("seed", range(6))
def test_order_and_repetition_of_panes_do_not_matter(seed: int) -> None:
    """After a crash some come twice, and several hosts may have written them: the reference is the same to the bit."""
    rng = np.random.default_rng(seed)
    again = rng.integers(0, len(TAKEN), 50 * seed)
    order = rng.permutation([*range(len(TAKEN)), *again.tolist()])
    assert same(learned(lesson(MONDAY + 9, *NAMES), [TAKEN[number] for number in order]), TREE)


def test_a_frame_that_was_written_is_the_same_to_the_learner() -> None:
    """What the judge writes of a coarse pane, through the topic and back."""
    written = []
    own = section(*NAMES)
    for pane in TAKEN:
        bins, presence = pane.bins.astype(np.int64), pane.presence.astype(np.int64)
        coarse = CoarsePane(STREAM, pane.index, own, bins, presence)
        written.append(Kept.of(*unpack(coarse.frame(HOUR))))
    assert same(learned(lesson(MONDAY + 9, *NAMES), written), TREE)


@pytest.mark.parametrize(("day", "hours_of_it"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25)])
def test_a_day_on_which_the_clock_is_changed_is_a_day(day: date, hours_of_it: int) -> None:
    """Days are local ones, whole weeks stay whole, and an hour that comes twice stands twice in the same half-hour."""
    zone = "Europe/Berlin"
    first = day.toordinal() - 20
    data = panes(fields(46), first - 1)
    told = lesson(first + 42, *NAMES, timezone=zone)
    gathered = {STREAM: Gathered.of(section(*NAMES), reference(*NAMES))}
    for pane in data:
        if first <= place(pane.index * HOUR, zone)[0] < first + 42:
            gathered[STREAM].add(place(pane.index * HOUR, zone)[0], pane)
    grid = side_by_side(gathered, HOUR, zone, frozenset(), first + 42)
    assert grid is not None
    per_day = Counter(grid.series.days.tolist())
    assert sorted(per_day) == list(range(first, first + 42))
    assert per_day[day.toordinal()] == hours_of_it
    assert set(per_day.values()) == {24, hours_of_it}
    assert place(grid.first * HOUR, zone)[::2] == (first, 0)
    own = gathered[STREAM]
    assert np.array_equal(grid.series.x, [own.x[index] for index in range(grid.first, grid.first + len(grid.series.x))])
    assert np.array_equal(grid.series.n, [own.n[index] for index in range(grid.first, grid.first + len(grid.series.x))])
    expected = [place(int(start), zone) for start in grid.starts]
    assert [
        tuple(item) for item in zip(grid.series.days, grid.series.groups, grid.series.slots, strict=True)
    ] == expected
    tree = learned(told, data)
    assert (tree["budget"]["days"], tree["budget"]["status"]) == (43, "calibrated"), (
        "an hour of the day before is missing"
    )
    assert np.isfinite(list(limits(tree).values())).all()


def test_a_holiday_is_a_sunday() -> None:
    """It teaches Sundays, and weekdays nothing."""
    holiday = date.fromordinal(MONDAY + 9)
    data = fields(35)
    data["b"][24 * 9 : 24 * 10] = hours(35, "b", 1.0)[24 * 9 : 24 * 10]
    plain = learned(lesson(MONDAY + 35, *NAMES), panes(data))
    told = learned(lesson(MONDAY + 35, *NAMES, holidays=[holiday.isoformat()]), panes(data))
    at = plain[STREAM]["normal"]["series"].index("b/location")
    mean = {
        name: tree[STREAM]["normal"]["mean"][:, 0::2, at].mean(axis=1) for name, tree in (("p", plain), ("h", told))
    }
    assert mean["h"][2] > mean["p"][2] + 0.1
    assert mean["h"][0] < mean["p"][0] - 0.03
    assert (holiday - timedelta(MONDAY - 1 + 9)).toordinal() == 1, "a Wednesday"


def test_a_field_that_was_always_there_is_not_wild_when_one_value_is_missing() -> None:
    """Its limit is finite, and so is what one missing value of 200 counts: its spread is never taken to be nothing."""
    data = fields(63, "a")
    tree = learned(lesson(MONDAY + 63, "a"), panes(data))
    normal = tree[STREAM]["normal"]
    at = normal["series"].index("a/missing")
    x = 0.005 / np.sqrt(0.001 * 0.999)
    assert np.isfinite(normal["limit"][at])
    assert x / np.sqrt(normal["between"][at] + normal["sampling"][at] / 200) < 1


def test_a_rare_gap_is_no_reason_to_alarm_at_the_next_one() -> None:
    """Three values of 300,000 were missing: that has next to no variance, and is floored by what so few values can tell."""
    data = fields(63, "a")
    gone = {"a": np.zeros(63 * 24, np.int64)}
    gone["a"][[100, 700, 1100]] = 1
    normal = learned(lesson(MONDAY + 63, "a"), panes(data, gone=gone))[STREAM]["normal"]
    at = normal["series"].index("a/missing")
    x = 0.0002 / np.sqrt(0.001 * 0.999)
    baseline = normal_of(normal, normal["series"])[0]
    assert baseline is not None
    assert x / np.sqrt(baseline.variance(np.full(len(normal["series"]), 5000.0), 0)[at]) < 3, "one of 5,000"


def test_a_newcomer_has_a_limit_from_its_second_day_on_beside_older_ones() -> None:
    """The others are 24 days old and not calibrated yet: their embargo is not that of the newcomer."""
    data = fields(24, "a", "b", "new")
    for age in (1, 2, 5):
        late = {**data, "new": np.r_[np.zeros((24 * (24 - age), 36), np.int64), data["new"][24 * (24 - age) :]]}
        found = limits(learned(lesson(MONDAY + 24, *late), panes(late)))
        assert np.isfinite(found["new/location"]), age
        alone = limits(learned(lesson(MONDAY + 24, "new"), panes({"new": late["new"]})))
        assert found["new/location"] == alone["new/location"], "days on which it was not there were not quiet ones"


def test_a_week_without_any_pane_is_no_clean_week() -> None:
    """Of six weeks before the embargo two hold nothing: four are what the limits rest on, and five are too few for the date."""
    data = fields(49)
    for name in data:
        data[name][24 * 7 : 24 * 21] = 0
    tree = learned(lesson(MONDAY + 49, *NAMES), panes(data))
    assert (tree["budget"]["status"], tree["budget"]["weeks"]) == ("calibrated", 4)
    for name in data:
        data[name][24 * 21 : 24 * 28] = 0
    tree = learned(lesson(MONDAY + 49, *NAMES), panes(data))
    assert (tree["budget"]["status"], tree["budget"]["weeks"]) == ("provisional", 0)
    assert tree["budget"]["until"] == (date.fromordinal(MONDAY + 49 + 7)).isoformat(), "one more week is needed"
