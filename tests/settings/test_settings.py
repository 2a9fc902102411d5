"""The configuration file: what is accepted, what it means, and that a secret never leaves."""

import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import get_args

import pytest

from detectors import GUARDED
from stream.config.compile import compile_plan
from stream.config.hash_key import NO_KEY, key_of_app, key_of_secret
from stream.config.models import DetectorName
from stream.config.settings import Settings, SettingsError, load
from stream.plan import Field, Plan

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECRET = "canary-7f3a9b-canary-7f3a9b"
HEAD = 'app: sg-fraud\nkafka: {brokers: "kafka:9092"}\n'
MODEL = "models:\n  fraud:\n    owner: payments-ml\n    decision: hold a payment\n    when_wrong: rules decide\n"


def good(name: str) -> Settings:
    return load(HERE / "good" / f"{name}.yaml", {"SG_HASH": SECRET})


def written(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    file = folder / "sg.yaml"
    file.write_text(text)
    return load(file, environ or {})


def refused(folder: Path, text: str) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        written(folder, text)
    return caught.value


def our_locals(error: SettingsError) -> str:
    """Return what a traceback with local variables shows of the program (the test's own frames hold the secret)."""
    assert (error.__cause__, error.__context__) == (None, None)
    stack = traceback.TracebackException.from_exception(error, capture_locals=True).stack
    ours = [frame for frame in stack if "stream" in Path(frame.filename).parts]
    assert ours
    return repr([frame.locals for frame in ours])


def test_the_minimal_file_is_complete():
    """Every default of the minimal form is stated here."""
    settings = good("minimal")
    plan = compile_plan(settings)
    features, predictions, outcomes = plan.streams

    assert settings.kafka.brokers == ["kafka:9092"]
    assert (settings.start, settings.web.host, settings.web.port) == ("end", "127.0.0.1", 6066)
    assert (plan.app, plan.pane_ms, plan.max_future_ms, plan.timezone) == ("sg-fraud", 60_000, 3_600_000, "UTC")
    assert [stream.name for stream in plan.streams] == ["fraud.features", "fraud.predictions", "fraud.outcomes"]
    assert (features.topic, features.unlisted, features.fields) == ("fraud.features", "watch", ())
    assert (features.time, features.time_unit, features.lateness_ms, features.silence_ms) == (None, "ms", 10_000, None)
    assert (predictions.unlisted, predictions.id, predictions.positive_at) == ("ignore", "request_id", 0.8)
    assert predictions.fields == (
        Field("id", "request_id", kind="id"),
        Field("score", "score", kind="number", required=True, range=(0.0, 1.0)),
    )
    assert (outcomes.unlisted, outcomes.id) == ("ignore", "request_id")
    assert outcomes.fields == (Field("id", "request_id", kind="id"), Field("label", "is_fraud"))
    assert plan.model("fraud").cost == {"false_positive": 4.0, "false_negative": 120.0, "currency": "EUR"}


def test_the_fuller_file_says_what_it_says():
    """Shorthands are written out, durations are milliseconds, values to match keep their types."""
    settings = good("fuller")
    plan = compile_plan(settings)
    features = plan.stream("fraud.features")

    assert settings.kafka.brokers == ["k1:9092", "k2:9092"]
    assert settings.start == "earliest"
    assert (plan.max_future_ms, plan.timezone) == (7_200_000, "Europe/Berlin")
    assert features.where == (("live", True), ("region", "NO"), ("schema", 3), ("type", "payment"))
    assert (features.time, features.time_unit, features.version, features.producer) == (
        "ts",
        "ms",
        "header:mv",
        "header:app",
    )
    assert (features.silence_ms, features.lateness_ms, features.unlisted) == (300_000, 60_000, "count")
    assert features.detectors == ("adwin", "page_hinkley")
    assert features.fields == (
        Field("age", "age"),
        Field(
            "amount",
            "tx.amount",
            required=True,
            range=(0.0, 1e6),
            as_of="tx.asof",
            max_age_ms=600_000,
            severity="page",
        ),
        Field("country", "country", kind="category", show=True),
        Field("merchant", "tx.merchant.id"),
    )
    assert plan.model("fraud").runbook == "https://wiki.example.org/fraud"
    assert [(model.name, model.weight) for model in plan.models] == [("credit", 1.0), ("fraud", 4.0)]


def test_a_key_beside_stream_replaces_that_of_the_named_stream():
    """`credit` reads the topic of `fraud` with a `where` of its own; the rest is the named stream's."""
    credit = compile_plan(good("fuller")).stream("credit.features")

    assert credit.topic == "fraud.features"
    assert credit.where == (("type", "credit"),)
    assert (credit.time, credit.silence_ms, credit.lateness_ms) == ("ts", 300_000, 10_000)


def test_features_and_prediction_may_stand_in_one_record():
    """The same topic named twice gives two streams of one topic; brokers may be one comma-separated text."""
    settings = good("request_log")
    plan = compile_plan(settings)

    assert settings.kafka.brokers == ["k1:9092", "k2:9092"]
    assert plan.topics == ("credit.log",)
    assert [stream.name for stream in plan.of_topic("credit.log")] == ["credit.features", "credit.predictions"]
    assert plan.stream("credit.predictions").fields[1].range == (300.0, 850.0)
    assert plan.stream("credit.predictions").id == "header:request-id"


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        ("score: p", None),
        ("score: p, kind: regression", None),
        ("score: p, kind: binary", (0.0, 1.0)),
        ("score: p, positive_at: 0.5", (0.0, 1.0)),
        ("score: {path: p, range: [-5, 5]}, kind: binary, positive_at: 0", (-5.0, 5.0)),
    ],
)
def test_the_score_of_a_binary_model_is_a_probability_unless_its_range_is_stated(tmp_path, score, expected):
    text = f"{HEAD}{MODEL}    predictions: {{topic: p, {score}}}\n"
    plan = compile_plan(written(tmp_path, text))
    assert plan.stream("fraud.predictions").fields == (
        Field("score", "p", kind="number", required=True, range=expected),
    )


@pytest.mark.parametrize("file", sorted((ROOT / "docs").glob("*.yaml")), ids=lambda file: file.stem)
def test_the_examples_of_the_documents_are_accepted(file: Path):
    assert compile_plan(load(file, {})).models


def test_the_first_file_of_the_readme_is_accepted(tmp_path: Path):
    text = (ROOT / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    streams = compile_plan(written(tmp_path, text)).streams
    assert [stream.role for stream in streams] == ["features", "predictions", "outcomes"]


@pytest.mark.parametrize("name", ["minimal", "fuller", "request_log"])
def test_a_plan_survives_json(name):
    plan = compile_plan(good(name))
    assert Plan.from_dict(json.loads(json.dumps(plan.to_dict()))) == plan


def test_the_detectors_of_a_file_are_those_that_take_a_whitened_value():
    assert get_args(DetectorName) == tuple(sorted(GUARDED))


def test_comments_and_order_do_not_change_the_hash(tmp_path):
    fields = ["a: x.a", "b: {range: [0, 1]}"]
    plans = [
        compile_plan(
            written(tmp_path, f"# {order}\n{HEAD}{MODEL}    features: {{topic: t, fields: {{{', '.join(order)}}}}}\n")
        )
        for order in (fields, fields[::-1])
    ]
    assert plans[0].config_hash == plans[1].config_hash


def test_every_accepted_key_that_decides_something_changes_the_hash(tmp_path):
    text = (HERE / "good" / "fuller.yaml").read_text()
    before = compile_plan(written(tmp_path, text, {"SG_HASH": SECRET})).config_hash
    for old, new in (
        ("positive_at: 0.8", "positive_at: 0.7"),
        ("max_age: 10m", "max_age: 11m"),
        ("severity: page", "severity: ticket"),
        ("region: NO", "region: SE"),
        ("pane: 60s", "pane: 61s"),
        ("silence: 5m", "silence: 6m"),
        ("false_negative: 120", "false_negative: 121"),
        ("unlisted: count", "unlisted: watch"),
        ("unit: ms", "unit: s"),
        ("detectors: [page_hinkley, adwin]", "detectors: [adwin]"),
        ("weight: 4", "weight: 3"),
    ):
        assert old in text
        assert compile_plan(written(tmp_path, text.replace(old, new), {"SG_HASH": SECRET})).config_hash != before, old


def test_segments_change_no_count_so_not_the_hash(tmp_path):
    """`streamgauge explain` reads them from the file; nothing has to be adopted."""
    text = (HERE / "good" / "fuller.yaml").read_text()
    before = written(tmp_path, text, {"SG_HASH": SECRET})
    assert before.models["fraud"].features.segments == ["country", "merchant"]
    other = written(tmp_path, text.replace("[country, merchant]", "[country]"), {"SG_HASH": SECRET})
    assert compile_plan(other).config_hash == compile_plan(before).config_hash


def test_more_than_200_fields_are_refused(tmp_path):
    fields = ", ".join(f"f{number}: a" for number in range(201))
    text = str(refused(tmp_path, f"{HEAD}{MODEL}    features: {{topic: t, fields: {{{fields}}}}}\n"))
    assert text.endswith(
        "fields: not a valid value\n    found:    a mapping with f0, f1, f2, f3, f4 and 196 more\n    expected: at most 200"
    )


def test_a_missing_file_is_said_in_one_line(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path / 'none.yaml'}: cannot be read: no such file or directory"


def test_an_open_web_page_needs_a_word(tmp_path):
    settings = written(tmp_path, f"{HEAD}web: {{host: 0.0.0.0, insecure: true}}\n{MODEL}    features: {{topic: t}}\n")
    assert settings.web.host == "0.0.0.0"


def test_without_a_stated_key_the_id_says_so():
    settings = good("minimal")
    assert settings.key == key_of_app("sg-fraud")
    assert compile_plan(settings).hash_key_id == NO_KEY


def test_a_stated_key_is_named_by_its_id_wherever_it_was_read(tmp_path):
    """Environment and file give the same key; a trailing newline is not part of it; another secret has another id."""
    text = HEAD + "hash_key: {%s}\n" + MODEL + "    features: {topic: t}\n"
    (tmp_path / "secret").write_text(SECRET + "\n")
    of_env = written(tmp_path, text % "env: SG", {"SG": SECRET}).key
    of_file = written(tmp_path, text % "file: secret").key

    assert of_env == of_file == key_of_secret(SECRET.encode())
    assert len(of_env.id) == 8
    assert int(of_env.id, 16) >= 0
    assert key_of_secret(b"another secret of that length").id != of_env.id
    assert of_env.secret != key_of_app("sg-fraud").secret


def test_the_secret_appears_nowhere(caplog):
    """Neither the secret nor the key made from it is in what anybody may print, log or store."""
    settings = good("fuller")
    plan = compile_plan(settings)
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("test").info("%s %r %s", settings, settings.key, plan)
    outputs = [
        str(settings),
        repr(settings),
        repr(settings.key),
        settings.model_dump_json(),
        repr(settings.model_dump()),
        json.dumps(plan.to_dict()),
        repr(plan),
        plan.config_hash,
        caplog.text,
    ]
    for output in outputs:
        assert SECRET not in output
        assert settings.key.secret.hex() not in output
        assert repr(settings.key.secret)[2:-1] not in output


@pytest.mark.parametrize(
    "line",
    [
        f"hash_key: {SECRET}",
        f"hash_key: [{SECRET}]",
        f"hash_key: {{{SECRET}}}",
        f"hash_key: {{{SECRET}: x}}",
        f"hash_key: {{env: '{SECRET}'}}",
        f"hash_key: {{value: {SECRET}}}",
        f"hash_key: {{env: [{SECRET}]}}",
        f"hash_key: *{SECRET}",
        f"hash_key: !{SECRET} x",
        f"hash_key: '{SECRET}",
        f"kafka: {{brokers: 'sg:{SECRET}@kafka:9092'}}",
        f"kafka: {{brokers: 'kafka://sg:{SECRET}@kafka:9092'}}",
        f"kafka: {{brokers: 'kafka:9092', sasl: {{password: {SECRET}}}}}",
        f"kafka: {{brokers: 'kafka:9092', password: {SECRET}}}",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_printed(tmp_path, line):
    """Not in the message, not in the error, and not in a traceback that shows local variables."""
    error = refused(tmp_path, f"{line}\n{MODEL}    features: {{topic: t}}\n")
    assert SECRET not in str(error) + repr(error) + repr(pickle.dumps(error)) + our_locals(error)


@pytest.mark.parametrize("secret", ["short-canary", "canary" * 1000])
def test_a_secret_of_the_wrong_length_is_not_printed(tmp_path, secret):
    (tmp_path / "secret").write_text(secret)
    error = refused(tmp_path, f"{HEAD}hash_key: {{file: secret}}\n{MODEL}    features: {{topic: t}}\n")
    assert "hash_key.file: the secret has the wrong length" in str(error)
    assert "canary" not in str(error) + repr(error) + our_locals(error)


def test_keys_from_the_file_do_not_reach_the_terminal_raw(tmp_path):
    text = str(refused(tmp_path, f'{HEAD}"\\e[31m{"x" * 100}": 1\n{MODEL}    features: {{topic: t}}\n'))
    assert text.startswith(f"{tmp_path / 'sg.yaml'}:3:1: \\x1b[31m{'x' * 52}: unknown key\n")
    assert text.replace("\n", "").isprintable()
