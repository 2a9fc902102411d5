"""What a reference says, how two of them differ, whether one fits, and how it looks; names may be hostile."""

from __future__ import annotations

import dataclasses
import math
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from stream.baseline_diff import difference
from stream.baseline_fit import alike, armed, held, with_bins
from stream.baselines import bins_of, is_reference, summary
from stream.commands.baseline_draw import along, mix
from stream.commands.baseline_page import page
from stream.commands.baseline_text import changes, detail, overview
from stream.layout import BINS, Bins, Layout, Section
from stream.learn import basis, numeric_edges
from stream.plan import Field, ModelPlan, Plan, StreamPlan

HOSTILE = '</title><script>alert("x")</script>\x1b[2J\u202e' + "long" * 40
STREAM = "fraud.features"
NAMES = ("amount", "country", "online", HOSTILE, "young")
NONE = np.empty(0, np.int64)


def numeric(values: np.ndarray) -> tuple[Bins, np.ndarray]:
    edges = numeric_edges(*np.unique(values, return_counts=True))
    return Bins("number", edges, NONE, NONE), np.bincount(np.searchsorted(edges, values, "right"), minlength=BINS)


def made(seed: int = 1, names: tuple[str, ...] = NAMES, show: bool = False) -> tuple[Layout, dict[str, Any]]:
    """Return a layout and a reference for it."""
    rng = np.random.default_rng(seed)
    amount, amounts = numeric(np.round(np.random.default_rng(1).lognormal(3, 1, 20_000), 2))
    shown = ("DE", "<b>FR</b>\x1b[31m") if show else ("", "")
    country = Bins("category", np.empty(0), np.arange(30), np.r_[:24, 24:30], (*shown, *[""] * 34))
    online = Bins("bool", np.empty(0), NONE, NONE)
    counts = np.array([amounts, rng.integers(50, 900, BINS), [700, 300, *[0] * 34], amounts, [0] * BINS])
    by_name = dict(zip(NAMES, (amount, country, online, amount, None), strict=True))
    fields = tuple(Field(name, name, declared=False) for name in names)
    bins = tuple(by_name[name] for name in names)
    plan = Plan("app", (StreamPlan(STREAM, "fraud", "features", "t"),), (ModelPlan("fraud", "o", "d", "w"),))
    shares = basis(counts)[[NAMES.index(name) for name in names]]
    shares[[name == "young" for name in names]] = np.nan
    course = np.sin(np.arange(48) / 48 * 2 * math.pi)
    series = [
        f"{name}/{contrast}" for name in names if name in (NAMES[0], HOSTILE) for contrast in ("location", "scale")
    ]
    normal = {
        "series": series,
        "mean": np.tile(course[None, :, None], (3, 1, len(series))),
        "limit": np.full(len(series), 9.0),
    }
    told = {
        "day": 738_838,
        "status": "calibrated",
        "until": "",
        "false_alarms": 1.0,
        "days": 35,
        "weeks": 4,
        "left_out": [],
    }
    tree = {
        "fields": list(names),
        "bins": [item and item.id for item in bins],
        "values": counts.sum(axis=1)[: len(names)],
        "shares": shares,
        "normal": normal,
        "status": "calibrated",
        "until": "",
    }
    section = Section(STREAM, fields, bins, True, (), (), 1)
    return Layout(plan, {STREAM: section}), {"budget": told, STREAM: tree}


def told(layout: Layout, reference: dict[str, Any]) -> Any:
    return summary(reference, bins_of([layout]))


def test_a_summary_knows_days_fields_and_limits() -> None:
    found = told(*made())
    (stream,) = found.streams
    assert (found.day, found.status, stream.status) == ("2023-11-14", "calibrated", "calibrated")
    assert [field.name for field in stream.fields] == list(NAMES)
    assert [len(field.limits) for field in stream.fields] == [2, 0, 0, 2, 0]
    assert stream.fields[4].shares is None
    assert stream.fields[0].location.name == "location"


def test_a_first_reference_has_no_budget_and_no_limits() -> None:
    layout, reference = made()
    first = {name: reference[STREAM][name] for name in ("fields", "bins", "values", "shares")}
    found = told(layout, {STREAM: first})
    assert (found.status, found.day, found.streams[0].fields[0].location) == ("learning", "", None)
    assert "only gross changes are looked for" in "\n".join(overview("t", found, 2.0))


def test_a_layout_is_no_reference() -> None:
    layout, reference = made()
    assert is_reference(reference)
    assert not any(map(is_reference, (layout.to_dict(), {}, {"budget": {}}, None, [])))


def test_the_same_baseline_differs_in_nothing() -> None:
    assert difference(told(*made()), told(*made())).none
    assert list(changes(difference(told(*made()), told(*made())))) == ["They are the same."]


def test_a_difference_names_fields_shares_limits_and_promises() -> None:
    """The bin named is the one that changed most; a limit counts from a fifth of it on."""
    old, new = made(names=NAMES[:3]), made(names=NAMES[:2] + NAMES[3:])
    tree = new[1][STREAM]
    tree["shares"] = tree["shares"].copy()
    tree["shares"][0, [3, 20]] += 0.4, 0.1
    tree["normal"]["limit"][:2] = 10.7, 10.9
    new[1]["budget"] |= {"status": "provisional", "until": "2026-12-20"}
    found = difference(told(*old), told(*new))
    assert found.added == (f"{STREAM}/{HOSTILE}", f"{STREAM}/young")
    assert found.removed == (f"{STREAM}/online",)
    (moved,) = found.moved
    assert (moved.subject, moved.bin) == (f"{STREAM}/amount", label_of(old[0], 3))
    assert moved.before < moved.after - 0.2
    limits = {item.subject: (item.before, item.after) for item in found.limits}
    assert limits[f"{STREAM}/amount/scale"] == ("9", "10.9")
    assert f"{STREAM}/amount/location" not in limits
    assert ("status", "calibrated", "provisional") in [dataclasses.astuple(item) for item in found.told]


def label_of(layout: Layout, bin: int) -> str:
    edges = layout.sections[STREAM].bins[0].edges  # type: ignore[union-attr]
    return f"[{edges[bin - 1]:.4g}, {edges[bin]:.4g})"


def test_a_limit_that_is_new_counts_and_other_bins_are_not_compared() -> None:
    old, new = made(names=NAMES[:3]), made(names=NAMES[:3])
    old[1][STREAM]["normal"]["limit"] = np.array([np.inf, 9.0])
    new[1][STREAM]["bins"][0] = "other"
    found = difference(told(*old), told(*new))
    assert (found.rebinned, found.moved) == ((f"{STREAM}/amount",), ())
    assert [(item.before, item.after) for item in found.limits] == [("none", "9")]


def test_what_fits_is_watched_and_what_has_other_bins_is_named() -> None:
    layout, reference = made()
    reference[STREAM]["bins"][1] = "other"
    ready, other = armed(reference, layout.sections)
    assert (len(ready), other) == (3, [f"{STREAM}/country"])
    assert armed({}, layout.sections) == ([], [])


def test_an_older_reference_is_dated_for_today_and_keeps_what_it_does_not_have() -> None:
    """By its own date the next recalibration would be due at once; what it was learned for is still told."""
    _, old = made()
    beside = {"budget": {"day": 738_900}, "other.features": {"fields": [], "shares": []}, STREAM: {}}
    tree = held(old, beside, 738_850)
    assert tree[STREAM] is old[STREAM]
    assert "other.features" in tree
    assert (tree["budget"]["day"], summary({"budget": tree["budget"]}, {}).day) == (738_900, "2023-11-14")
    assert summary({"budget": held(tree, {}, 738_999)["budget"]}, {}).day == "2023-11-14"


def test_bins_move_in_where_there_are_none_and_nowhere_else() -> None:
    source, _ = made(names=NAMES[:3])
    section = source.sections[STREAM]
    fresh = section.replace(
        fields=(Field("found", "found", declared=False), *section.fields[:1]), bins=(None, None), learned=False
    )
    merged = with_bins(source.with_section(fresh), source).sections[STREAM]
    assert merged.names == ("found", "amount", "country", "online")
    assert [bins is not None for bins in merged.bins] == [False, True, True, True]
    assert not merged.learned
    learned = source.with_section(fresh.replace(learned=True))
    assert with_bins(learned, source) is learned
    plan = dataclasses.replace(source.plan, streams=(StreamPlan(STREAM, "fraud", "features", "t", time="ts"),))
    other = Layout(plan, source.sections)
    assert not alike(other, source, STREAM)
    assert with_bins(other.with_section(fresh), source).sections[STREAM] is fresh


def test_values_stand_along_their_own_axis() -> None:
    """Bins of equal mass draw a hill, not a plain; from two powers of ten on the axis is logarithmic."""
    bins, counts = numeric(np.random.default_rng(1).normal(10, 1, 100_000).round(3))
    values = along(bins, basis(counts[None])[0], 40)
    assert (values.log, values.shares.argmax() in range(17, 23)) == (False, True)
    assert values.shares[20] > 5 * values.shares[2]
    assert values.shares.sum() + values.outside == pytest.approx(1)
    assert along(*logs(), 40).log


def logs() -> tuple[Bins, np.ndarray]:
    bins, counts = numeric(np.random.default_rng(1).lognormal(3, 1, 20_000))
    return bins, basis(counts[None])[0]


@pytest.mark.parametrize("values", [np.full(100, 7.0), np.full(100, 0.0), np.r_[np.full(50, -1.0), np.full(50, 1.0)]])
def test_a_field_with_one_or_two_values_can_be_drawn(values: np.ndarray) -> None:
    bins, counts = numeric(values)
    drawn = along(bins, basis(counts[None])[0], 48)
    assert np.isfinite(drawn.shares).all()


def test_categories_are_numbers_unless_they_are_shown() -> None:
    layout, reference = made()
    bins, shares = layout.sections[STREAM].bins[1], reference[STREAM]["shares"][1]
    assert bins is not None
    names = [name for name, _ in mix(bins, shares)]
    assert len(names) == 25
    assert all(name.startswith("category ") for name in names[:-1])
    assert names[-1] == "all others"
    (shown,) = [
        item for item in made(show=True)[0].sections[STREAM].bins if item is not None and item.kind == "category"
    ]
    assert "DE" in [name for name, _ in mix(shown, shares)]


def test_no_line_leaves_its_terminal_and_no_name_steers_it() -> None:
    found = told(*made(show=True))
    lines = list(overview(HOSTILE, found, 1.0))
    for stream, field in found.fields():
        lines += detail(stream, field)
    lines += changes(difference(told(*made(2, names=NAMES[:2])), found))
    assert max(map(cell_len, lines)) <= 80
    assert all(line.isprintable() for line in lines)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in ("meta", "rect", "line", "polyline"):
            self.open.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_stands_alone_and_escapes_every_name() -> None:
    text = page(HOSTILE, told(*made(show=True)), 1.0)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert not tags.seen & {"script", "b", "img", "link", "iframe"}
    assert {"svg", "style"} <= tags.seen
    assert "\x1b" not in text
    assert "&lt;script&gt;" in text
