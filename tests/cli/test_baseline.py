"""`streamgauge baseline`: what it refuses, and what it does with files alone."""

from __future__ import annotations

import json
import random
import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from stream.arguments import parse
from stream.codec import pack, unpack
from stream.commands.baseline_file import Saved, read, write
from stream.commands.baseline_stored import Stored
from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.exits import NO_INPUT, USAGE, Refusal
from stream.gathering import Kept
from stream.judge import Judge
from stream.layout import Layout
from stream.publishing import Message
from stream.replay import Replay
from tests.cli.conftest import Command, Configuration, Configure
from tests.cli.test_cli import NOBODY
from tests.judge.test_baselines import HOSTILE, made


@pytest.fixture
def configuration(configure: Configure) -> Configuration:
    return configure(NOBODY)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    file = tmp_path / "made.sgb"
    write(file, Saved(*made()))
    return file


def test_help_fits_and_its_example_is_accepted(streamgauge: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = streamgauge("baseline", "--help").out
    example = out.partition("example:\n  streamgauge ")[2]
    assert parse(shlex.split(example)).config == "fraud.yaml"
    for action in ("show", "list", "diff", "adopt", "build"):
        text = streamgauge("baseline", action, "--help").out
        assert "configuration file (default: streamgauge.yaml)" in " ".join(text.split())
        assert max(map(len, (out + text).splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "the following arguments are required: ACTION"),
        (["shwo"], "invalid choice: 'shwo'"),
        (["adopt", "abcdef"], "the following arguments are required: --why"),
        (["adopt", "abcdef", "--why", ""], "--why: expected 1 to 400 printable characters, got 0"),
        (["adopt", "abcdef", "--why", "a\nb"], "--why: expected 1 to 400 printable characters"),
        (["diff"], "the following arguments are required: NAME"),
        (["build", "--input", "x"], "--input x: expected TOPIC=FILE"),
        (["build", "--input", "x=y"], "topic x is not in the configuration"),
    ],
)
def test_a_wrong_command_line_is_refused_before_any_broker_is_asked(
    streamgauge: Command, configuration: Configuration, arguments: list[str], said: str
) -> None:
    config = ["-c", configuration.file] if arguments and arguments[0] != "shwo" else []
    ended = streamgauge("baseline", *arguments, *config)
    assert (ended.code, ended.out, said in ended.err) == (64, "", True), ended.err


def test_the_configuration_may_stand_behind_the_action(
    streamgauge: Command, configuration: Configuration, saved: Path
) -> None:
    """As with the other commands; and what can be no address is refused before a broker is asked."""
    ended = streamgauge("baseline", "show", configuration.file, saved)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out == streamgauge("baseline", "show", saved, "-c", configuration.file).out
    ended = streamgauge("baseline", "show", configuration.file, "-c", configuration.file)
    assert (ended.code, "two configuration files" in ended.err) == (64, True), ended.err
    for action in (["show", "nofile"], ["diff", "nofile"], ["adopt", "nofile", "--why", "x"]):
        ended = streamgauge("baseline", *action, "-c", configuration.file)
        assert (ended.code, "nofile: no such file, and no address" in ended.err) == (66, True), ended.err


def test_without_a_broker_what_is_stored_cannot_be_read(streamgauge: Command, configuration: Configuration) -> None:
    for action in (["show"], ["list"], ["diff", "abcdef"], ["adopt", "abcdef", "--why", "x"], ["build"]):
        ended = streamgauge("baseline", *action, "-c", configuration.file)
        assert (ended.code, ended.out, len(ended.err.splitlines())) == (69, "", 1), ended.err


def test_a_file_is_shown_and_drawn_without_a_broker(
    streamgauge: Command, configuration: Configuration, saved: Path, tmp_path: Path
) -> None:
    target = tmp_path / "page.html"
    ended = streamgauge("baseline", "show", saved, "--html", target, "-c", configuration.file)
    assert (ended.code, ended.err) == (0, "")
    assert "calibrated for at most 1 false alarm a week, over 4 weeks" in ended.out
    assert target.read_text().startswith("<!doctype html>")
    one = streamgauge("baseline", "show", saved, "--field", "fraud.features/online", "-c", configuration.file)
    assert one.out.splitlines()[0] == "fraud.features/online: bool, 1,000 values, calibrated"
    assert HOSTILE not in ended.out


def test_what_cannot_be_shown_is_one_line(
    streamgauge: Command, configuration: Configuration, saved: Path, tmp_path: Path
) -> None:
    def said(*arguments: object) -> tuple[int, str]:
        ended = streamgauge("baseline", "show", *arguments, "-c", configuration.file)
        assert len(ended.err.splitlines()) == 1, ended.err
        return ended.code, ended.err

    assert said(saved, "--field", "amuont") == (
        64,
        "streamgauge baseline: --field amuont: no such field in this baseline; did you mean 'amount'?\n",
    )
    code, text = said(saved, "--html", tmp_path / "none" / "page.html")
    assert (code, "cannot be written: no such file or directory" in text) == (73, True)
    layout, reference = made()
    other = tmp_path / "other.sgb"
    short = {"fraud.features": reference["fraud.features"] | {"values": np.zeros(2, np.int64)}}
    for frame in (
        b"",
        b"text",
        saved.read_bytes()[:-1],
        pack({"kind": "lesson"}, {}),
        pack({"kind": "baseline"}),
        pack({"kind": "baseline"}, {"layout": {}, "reference": reference}),
        pack({"kind": "baseline"}, {"layout": layout.to_dict(), "reference": {"fraud.features": 1}}),
        pack({"kind": "baseline"}, {"layout": layout.to_dict(), "reference": short}),
    ):
        other.write_bytes(frame)
        code, text = said(other)
        assert (code, "is no baseline" in text, "expected what `streamgauge baseline build` wrote" in text) == (
            65,
            True,
            True,
        )


def test_two_files_are_compared_without_a_broker(
    streamgauge: Command, configuration: Configuration, saved: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.sgb"
    write(other, Saved(*made(2)))
    ended = streamgauge("baseline", "diff", saved, other, "-c", configuration.file)
    assert ended.code == 0
    assert "Shares: deviance of a value" in ended.out
    assert "fraud.features/country" in ended.out
    assert streamgauge("baseline", "diff", saved, saved, "-c", configuration.file).out.endswith("They are the same.\n")


def test_a_name_is_an_address_or_its_beginning() -> None:
    known = Stored(None, {"abcdef01": {"a": 1}, "abcdef02": {}, "fedcba00": {}})
    assert known.find("abcdef01") == ("abcdef01", {"a": 1}, None)
    assert known.find("fedcba")[0] == "fedcba00"
    for name, code, said in (
        ("abcdef", USAGE, "2 addresses begin like this: abcdef01, abcdef02"),
        ("abc", USAGE, "expected current, a file of `baseline build`, or 6 characters or more of an address"),
        ("nofile", NO_INPUT, "no such file, and no address; expected current"),
        ("ffffff", NO_INPUT, "no such file, and no stored reference; the newest are abcdef01, abcdef02, fedcba00"),
        ("current", NO_INPUT, "no reference is in force yet"),
    ):
        with pytest.raises(Refusal, match=said) as refused:
            known.find(name)
        assert refused.value.code == code
    with pytest.raises(Refusal, match="no stored reference; none is stored yet"):
        Stored(None, {}).find("ffffff")


def test_a_file_holds_what_was_written(saved: Path) -> None:
    layout, reference = made()
    found = read(saved)
    assert found.layout.id == layout.id
    assert isinstance(found.layout, Layout)
    assert found.reference["budget"] == reference["budget"]
    assert [item.name for item in saved.parent.iterdir() if item.name.endswith(".new")] == []


def test_a_baseline_is_built_from_a_file_of_records(
    streamgauge: Command, configuration: Configuration, tmp_path: Path
) -> None:
    """Records enough for bins and a first reference; too few of them are refused, and write nothing."""
    configuration.edit("models:", "pane: 1s\nwarm_up: 200s\nmodels:")
    rng = random.Random(1)
    lines = []
    for i in range(28_000):
        at = 1_767_571_200_000 + i * 15
        value = {
            "ts": at,
            "type": "payment",
            "tx": {"amount": round(rng.gauss(50, 9), 2)},
            "country": rng.choice("abc"),
        }
        lines.append(json.dumps({"timestamp": at, "value": value}))
    source, target = tmp_path / "day.jsonl", tmp_path / "out.sgb"

    def build(count: int) -> tuple[int, str, str]:
        source.write_text("\n".join(lines[:count]))
        call = ("--input", f"{configuration.features}={source}", "--output", target, "-c", configuration.file)
        ended = streamgauge("baseline", "build", *call)
        return ended.code, ended.out, ended.err

    code, out, err = build(500)
    assert (code, out, "500 records are too few to learn what is normal" in err, target.exists()) == (
        65,
        "",
        True,
        False,
    )
    code, out, err = build(len(lines))
    assert (code, "replaying: 100 %" in err) == (0, True), err
    assert "fraud.features: learning" in out
    assert "  country  category, " in out
    assert out.endswith(
        f'\nto bring it into force: streamgauge baseline adopt -c {configuration.file} {target} --why "..."\n'
    )
    found = read(target)
    assert sorted(found.reference) == ["budget", "fraud.features"]
    assert found.layout.sections["fraud.features"].learned


def test_a_baseline_is_built_from_the_kept_panes(
    streamgauge: Command, configuration: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the next night will learn it: from the panes of whole days, by the bins that are in force."""
    settings = load(configuration.file)
    rng, lines, kept = random.Random(1), [], []
    for i in range(4 * 288 * 40):
        at = 1_767_571_200_000 + i * 300_000 // 40
        value = {
            "ts": at,
            "type": "payment",
            "tx": {"amount": round(rng.gauss(50, 9), 2)},
            "country": rng.choice("abc"),
        }
        lines.append(json.dumps({"timestamp": at, "value": value}))
    source, target = tmp_path / "days.jsonl", tmp_path / "kept.sgb"
    source.write_text("\n".join(lines))

    def emit(message: Message) -> None:
        if b"/coarse/" in message.key and message.value is not None:
            kept.append(Kept.of(*unpack(message.value)))

    replay = Replay(compile_plan(settings), {configuration.features: source}, settings.key.secret, emit)
    replay.run()

    async def standing(*_: str) -> Judge:
        return replay.judge

    async def panes(*_: object) -> AsyncIterator[Kept]:
        for pane in kept:
            yield pane

    async def there(*_: str) -> None:
        return

    monkeypatch.setattr("stream.commands.standing.judge", standing)
    monkeypatch.setattr("stream.commands.baseline_build.kept_panes", panes)
    monkeypatch.setattr("stream.commands.baseline_build.require_ours", there)
    ended = streamgauge("baseline", "build", "--output", target, "-c", configuration.file)
    assert (ended.code, "reading the kept panes: 100 %" in ended.err) == (0, True), ended.err
    assert "3 whole days taught; left out: no day" in ended.out
    assert "fraud.features: provisional until 2026-02-" in ended.out
    assert read(target).layout.id == replay.judge.layout.id  # type: ignore[union-attr]
    (course,) = [
        item
        for item in streamgauge("baseline", "show", target, "-c", configuration.file).out.splitlines()
        if item.endswith(" sd")
    ]
    assert course.startswith("    day ")
