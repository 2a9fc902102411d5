"""`streamgauge replay` over a small file with a known fault."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

import jsonschema
import pytest

from stream.config.compile import compile_plan
from stream.config.settings import load
from stream.jsonl import MAX_LINE, read_lines
from stream.replay import Replay
from tests.cli.conftest import Command, Configuration, Configure

SCHEMA = json.loads((Path(__file__).parents[2] / "stream/schema/alert.schema.json").read_text())
START_MS = 1_356_998_400_000  # 2013-01-01T00:00:00Z
PER_PANE = 40
PANES = 30
BROKEN = range(20, 25)


def records() -> list[dict[str, object]]:
    """Half an hour, 40 records a minute; amount is missing from the 20th to the 24th minute."""
    rng = random.Random(7)
    rows = []
    for i in range(PANES * PER_PANE):
        time_ms = START_MS + i * 60_000 // PER_PANE
        amount = None if i // PER_PANE in BROKEN else round(rng.gauss(50, 9), 2)
        value = {"ts": time_ms, "type": "payment", "tx": {"amount": amount}, "country": rng.choice(["DE", "FR"])}
        rows.append({"key": str(i), "timestamp": time_ms + 200, "headers": {"mv": "v3"}, "value": value})
    return rows


@pytest.fixture
def configuration(configure: Configure) -> Configuration:
    return configure("127.0.0.1:9")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    file = tmp_path / "features.jsonl"
    lines = [json.dumps(row) for row in records()]
    lines.insert(100, "oops")
    lines.insert(200, json.dumps({**records()[200], "value": None}))
    file.write_text("\n".join(lines) + "\n")
    return file


def test_every_event_is_a_line_of_the_schema(
    configuration: Configuration, features: Path, streamgauge: Command, tmp_path: Path
) -> None:
    """The fault opens one page at its first pane, and it is over three clean panes after its last."""
    alerts = tmp_path / "alerts.jsonl"
    ended = streamgauge(
        "replay", "-c", configuration.file, "--input", f"{configuration.features}={features}", "--alerts", alerts
    )
    assert ended.code == 0
    events = [json.loads(line) for line in alerts.read_text().splitlines()]
    for event in events:
        jsonschema.validate({name: item for name, item in event.items() if name != "ce"}, SCHEMA)
        assert event["ce"]["id"] == f"{event['incident']}-{event['seq']}"
        assert event["ce"]["type"] == f"io.streamgauge.alert.{event['status']}.v1"
    told = [
        (e["status"], e["severity"], e["check"], e["labels"]["subject"], e["startsAt"], e["endsAt"]) for e in events
    ]
    since, until = "2013-01-01T00:20:00.000Z", "2013-01-01T00:28:00.000Z"
    assert told == [
        ("firing", "page", "missing", "amount", since, None),
        ("resolved", "page", "missing", "amount", since, until),
    ]


def test_it_ends_with_what_would_have_been_sent(
    configuration: Configuration, features: Path, streamgauge: Command
) -> None:
    """The incidents, the account of every record, what was learned; progress apart, on standard error."""
    ended = streamgauge("replay", configuration.file, "--input", f"{configuration.features}={features}")
    assert ended.code == 0
    assert "What would have been sent: 1 page, 0 tickets, 0 infos; 2 events\n" in ended.out
    assert "  page    fraud  missing/amount\n" in ended.out
    said = (
        "          since 2013-01-01 00:20:00 UTC, resolved after 8 min\n"
        "          amount has no usable value in any of 40 records (null 40)\n"
    )
    assert said in ended.out
    head, row = (
        line.split() for line in ended.out.splitlines() if line.startswith(("  stream ", "  fraud.features  1"))
    )
    account = dict(zip(head, [*row[:8], "1", row[-1]], strict=True))
    assert account == {
        "stream": "fraud.features", "records": "1202", "applied": "1200", "late": "0", "tombstones": "1",
        "filtered": "0", "gaps": "0", "lost": "0", "rejected": "1", "difference": "0",
    }  # fmt: skip
    assert "1 (not_json 1)" in ended.out
    assert "fraud.features  29 panes closed  2 fields, 0 with bins, no reference: drift was not watched\n" in ended.out
    (drift,) = (line for line in ended.out.splitlines() if line.startswith("drift of fraud.features: "))
    assert " of 10,000 records are seen from which the bins are learned; then come 200 panes" in drift
    assert " to go at " in drift
    assert "not replayed, no file was given: fraud.predictions\n" in ended.out
    assert ended.err.splitlines()[-1] == "replaying: 100 %"


def test_two_runs_give_the_same_bytes(
    configuration: Configuration, features: Path, streamgauge: Command, tmp_path: Path
) -> None:
    """Nothing in an event depends on when or where it was computed."""
    written = []
    for name in ("a", "b"):
        file = tmp_path / name
        streamgauge("replay", configuration.file, "--input", f"{configuration.features}={features}", "--alerts", file)
        written.append(file.read_bytes())
    assert written[0] == written[1]
    assert len(written[0].splitlines()) == 2


def test_events_can_go_to_standard_output(
    configuration: Configuration, features: Path, streamgauge: Command, tmp_path: Path
) -> None:
    """`--alerts -` gives lines and nothing else there, so that a program can read them; --quiet silences the rest."""
    file = tmp_path / "alerts.jsonl"
    given = ("replay", configuration.file, "--input", f"{configuration.features}={features}", "--alerts")
    streamgauge(*given, file)
    ended = streamgauge(*given, "-")
    assert ended.out == file.read_text()
    assert "What would have been sent" in ended.err
    quiet = streamgauge(*given, "-", "--quiet")
    assert (quiet.out, quiet.err) == (ended.out, "")


@pytest.mark.parametrize(("level", "code"), [("page", 1), ("ticket", 1), (None, 0)])
def test_a_pipeline_can_fail_on_an_alert(
    configuration: Configuration, features: Path, streamgauge: Command, level: str | None, code: int
) -> None:
    """1 when an alert at least that severe would have been sent, and one line that says so, --quiet or not."""
    given = ("replay", configuration.file, "--input", f"{configuration.features}={features}", "--quiet")
    ended = streamgauge(*given, *(("--fail-on", level) if level else ()))
    said = f"streamgauge replay: 1 page would have been sent (--fail-on {level})\n" if level else ""
    assert (ended.code, ended.out, ended.err) == (code, "", said)


def test_a_ticket_does_not_fail_a_pipeline_that_asks_about_pages(
    configuration: Configuration, features: Path, streamgauge: Command
) -> None:
    """`amount` is not required here, so its fault is a ticket."""
    configuration.edit(", required: true", "")
    given = ("replay", configuration.file, "--input", f"{configuration.features}={features}", "--fail-on")
    assert streamgauge(*given, "page").code == 0
    ended = streamgauge(*given, "ticket")
    assert ended.code == 1
    assert ended.err.endswith("streamgauge replay: 1 ticket would have been sent (--fail-on ticket)\n")


def test_a_gate_never_passes_over_nothing(configuration: Configuration, streamgauge: Command, tmp_path: Path) -> None:
    """A file that cannot be judged is 65, whatever the gate."""
    file = tmp_path / "binary.jsonl"
    file.write_bytes(bytes(range(256)) * 40)
    given = (
        "replay",
        configuration.file,
        "--input",
        f"{configuration.features}={file}",
        "--fail-on",
        "page",
        "--quiet",
    )
    ended = streamgauge(*given)
    assert ended.code == 65
    said = r"streamgauge replay: nothing was judged: \d+ records read and none counted: all rejected \(not_\w+.*\)\n"
    assert re.fullmatch(said, ended.err)


def test_a_file_that_cannot_be_written_is_one_line(
    configuration: Configuration, features: Path, streamgauge: Command, tmp_path: Path
) -> None:
    """Before anything is replayed."""
    given = ("replay", configuration.file, "--input", f"{configuration.features}={features}", "--alerts", tmp_path)
    ended = streamgauge(*given)
    assert (ended.code, ended.err) == (73, f"streamgauge replay: {tmp_path}: cannot be written: is a directory\n")


def test_an_input_is_never_overwritten(configuration: Configuration, features: Path, streamgauge: Command) -> None:
    """The same file as input and as --alerts is a slip of the hand."""
    before = features.read_bytes()
    given = ("replay", configuration.file, "--input", f"{configuration.features}={features}", "--alerts", features)
    ended = streamgauge(*given)
    assert (ended.code, features.read_bytes()) == (64, before)
    assert "it is an input, and would be overwritten" in ended.err


def test_a_nan_inside_an_envelope_is_a_value(tmp_path: Path) -> None:
    """Python writes such tokens; the envelope around them is one all the same."""
    file = tmp_path / "nan.jsonl"
    file.write_text('{"timestamp": 7, "key": "k", "value": {"x": NaN, "y": -Infinity}}\n{"x": NaN}\n')
    first, second = read_lines(file, ())
    assert (first.timestamp, first.key, first.value) == (7, b"k", b'{"x": NaN, "y": -Infinity}')
    assert second.value == b'{"x": NaN}'


def test_two_files_are_merged_by_time(
    configuration: Configuration, features: Path, streamgauge: Command, tmp_path: Path
) -> None:
    """One file is one partition of its topic; both streams are accounted for."""
    predictions = tmp_path / "predictions.jsonl"
    rows = (
        {"timestamp": START_MS + i * 900, "value": {"request_id": str(i), "score": i % 10 / 10}} for i in range(1500)
    )
    predictions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    inputs = (f"{configuration.features}={features}", f"{configuration.predictions}={predictions}")
    ended = streamgauge("replay", configuration.file, "--input", inputs[0], "--input", inputs[1])
    assert ended.code == 0
    assert "fraud.predictions  1500     1500" in ended.out
    assert "not replayed" not in ended.out


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("{features}", 64, "--input {features}: expected TOPIC=FILE"),
        ("{features}x={file}", 64, "is not in the configuration; did you mean '{features}'?"),
        ("{features}=none.jsonl", 66, "none.jsonl: cannot be read: no such file or directory"),
        ("{features}={empty}", 65, "{empty}: no record"),
    ],
)
def test_a_wrong_input_is_one_line(
    configuration: Configuration,
    features: Path,
    streamgauge: Command,
    tmp_path: Path,
    given: str,
    code: int,
    said: str,
) -> None:
    """What was given, what was expected, and a code."""
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    names = {"features": configuration.features, "file": str(features), "empty": str(empty)}
    ended = streamgauge("replay", configuration.file, "--input", given.format_map(names))
    assert (ended.code, ended.out) == (code, "")
    assert said.format_map(names) in ended.err
    assert len(ended.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"timestamp": "noon", "value": {}}', "'timestamp' of an envelope must be milliseconds since 1970"),
        ('{"timestamp": true, "value": {}}', "'timestamp' of an envelope must be milliseconds since 1970"),
        ('{"key": 7, "value": {}}', "'key' of an envelope must be a text or null"),
        ('{"headers": ["mv"], "value": {}}', "'headers' of an envelope must be a mapping of texts"),
        ('{"key": "7", "timestamp": 7, "headers": {}}', "an envelope without 'value'"),
        ('{"topic": "t", "partition": 0, "offset": 7, "ts": 7, "payload": "{}"}', "this is what kcat -J prints"),
        ("7" * (MAX_LINE + 1), "longer than 16 MB"),
    ],
)
def test_an_envelope_that_is_none_names_its_line(
    configuration: Configuration, streamgauge: Command, tmp_path: Path, line: str, said: str
) -> None:
    """A broken envelope is no record of the topic: there is nothing to count, and guessing would hide it."""
    file = tmp_path / "bad.jsonl"
    file.write_text(json.dumps(records()[0]) + "\n\n" + line + "\n")
    ended = streamgauge("replay", configuration.file, "--input", f"{configuration.features}={file}", "--quiet")
    assert ended.code == 65
    assert ended.err.startswith(f"streamgauge replay: {file}:3: {said}")


def test_one_topic_takes_one_file(configuration: Configuration, features: Path, streamgauge: Command) -> None:
    """A second file would be a second partition, which this command does not promise."""
    given = f"{configuration.features}={features}"
    ended = streamgauge("replay", configuration.file, "--input", given, "--input", given)
    assert ended.code == 64
    assert "one file is one partition" in ended.err


def test_years_without_a_record_cost_little(configuration: Configuration, tmp_path: Path) -> None:
    """One record, and another ten years later: ticks at pane ends for eight days, then one for the rest."""
    file = tmp_path / "gap.jsonl"
    rows = records()[:2]
    rows[1]["timestamp"] = START_MS + 10 * 365 * 86_400_000
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = load(configuration.file)
    replay = Replay(compile_plan(settings), {configuration.features: file}, settings.key.secret, lambda _: None)
    replay.run()
    assert replay.judge.fold.tick == 8 * 24 * 60 + 2  # the first minute is not a whole one
    assert replay.judge.fold.time_ms == 10 * 365 * 86_400_000 - 200
