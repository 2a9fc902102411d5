"""`streamgauge check` against a broker: what people see of their records, and what is doubted."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from stream.demo.broker import EmbeddedBroker
from tests.brokers.admin import Row, create_topic, produce
from tests.brokers.kafka import Kafka
from tests.cli.conftest import Command, Configuration, Configure

SECRET = "tok_4242"


def feature(now_ms: int, i: int, amount: str = "12.5", more: str = "") -> Row:
    value = f'{{"ts": {now_ms + i}, "type": "payment", "tx": {{"amount": {amount}}}, "country": "DE"{more}}}'
    return Row(value.encode(), headers=(("mv", b"v3"),), partition=i % 2, timestamp=now_ms + i + 200)


def prediction(now_ms: int, i: int) -> Row:
    return Row(f'{{"request_id": "{SECRET}", "score": 0.{i}}}'.encode(), partition=0, timestamp=now_ms + i)


@pytest.fixture
def live(broker: Kafka | EmbeddedBroker, configure: Configure) -> Configuration:
    """Topics of one model with some records each."""
    configuration = configure(broker.address)
    now_ms = int(time.time() * 1000) - 5_000

    async def fill() -> None:
        await create_topic(broker.address, configuration.features, 2)
        await create_topic(broker.address, configuration.predictions, 1)
        rows = [
            Row(b'{"ts": %d, "type": "refund", "tx": {"amount": 1}}' % now_ms, partition=0, timestamp=now_ms - 900),
            *(feature(now_ms, i) for i in range(6)),
            feature(now_ms, 6, "null", ', "vip": true'),
            Row(b"oops", partition=0, timestamp=now_ms + 300),
        ]
        await produce(broker.address, configuration.features, rows)
        await produce(broker.address, configuration.predictions, [prediction(now_ms, i) for i in range(1, 6)])

    asyncio.run(fill())
    return configuration


def part(out: str, stream: str) -> str:
    """Return what was printed of one stream."""
    return next(text for text in re.split(r"\n\n", out) if text.startswith(stream))


def test_three_records_of_each_stream_are_shown(streamgauge: Command, live: Configuration) -> None:
    """Each as it was understood: value and type of each field, event time, id, version, and why one was rejected."""
    ended = streamgauge("check", live.file)
    assert (ended.code, ended.err) == (0, "")
    features, predictions = part(ended.out, "fraud.features"), part(ended.out, "fraud.predictions")
    assert "2 partitions, 9 records kept, 9 in the last hour" in features
    assert "of the newest 9 records: 7 counted, 1 filtered, 1 not_json" in features
    assert re.findall(r"record (\d:\d)  (.*)", features) == [
        ("1:2", "counted"),
        ("0:4", "counted"),
        ("0:5", "rejected: not_json"),
    ]
    assert re.search(
        r"time +\d{4}-\d\d-\d\d .* UTC, \S+ s ago, 0\.2 s before the record's timestamp \(ts in ms\)", features
    )
    assert re.search(r"version +v3\n", features)
    assert re.search(r"amount \(tx\.amount\) +number  12\.5\n", features)
    assert re.search(r"amount \(tx\.amount\) +null\n", features)
    assert re.search(r'country +string  "DE"\n', features)
    assert "not listed (their names are counted): vip" in features
    assert len(re.findall(r"  record 0:\d  counted", predictions)) == 3
    assert f'id (request_id)  string  "{SECRET}"' in predictions
    assert "(the record's timestamp)" in predictions


def test_values_can_be_left_out(streamgauge: Command, live: Configuration) -> None:
    """With --no-values types, times and names remain."""
    out = streamgauge("check", live.file, "--no-values").out
    assert SECRET not in out
    assert '"DE"' not in out
    assert re.search(r"country +string\n", out)


def test_it_says_what_is_armed_and_when_drift_will_be(streamgauge: Command, live: Configuration) -> None:
    """Nothing has been learned yet. Nine records within a second are no rate, so no figure is made of them."""
    out = streamgauge("check", live.file).out
    assert "armed from the first pane (1m) on: missing, schema, ranges, freshness, rejected, late, lost, version" in out
    assert "volume (stopped): after 5m of silence" in out
    said = "drift: it cannot be said when: only 9 records of it could be looked at (needed: 10,000 records for the bins"
    assert said in part(out, "fraud.features")


def test_drift_is_estimated_from_what_the_partitions_show(
    broker: Kafka | EmbeddedBroker, configure: Configure, streamgauge: Command
) -> None:
    """Two partitions, one with a record in 6 s, one with a record in 3 s, for ten minutes: 1,800 records an hour."""
    configuration = configure(broker.address)
    now_ms = int(time.time() * 1000)

    async def fill() -> None:
        await create_topic(broker.address, configuration.features, 2)
        await create_topic(broker.address, configuration.predictions, 1)
        ages = [(0, i * 6_000) for i in range(100)] + [(1, i * 3_000) for i in range(200)]
        value = b'{"ts": %d, "type": "payment"}'
        rows = [
            Row(value % (now_ms - age), partition=partition, timestamp=now_ms - age) for partition, age in ages[::-1]
        ]
        await produce(broker.address, configuration.features, rows)

    asyncio.run(fill())
    out = streamgauge("check", configuration.file).out
    found = re.search(r"drift: about (\d+) h after the start, at ([\d,]+) records an hour", out)
    assert found is not None, out
    # 10,000 records for the bins, and then a day.
    assert int(found[1]) in (29, 30)
    assert 1_500 < int(found[2].replace(",", "")) < 1_850
    assert "in the future" not in out


def test_doubts_name_the_key_and_what_was_meant(streamgauge: Command, live: Configuration) -> None:
    """A path that occurs nowhere, a unit that gives absurd times, our topics missing, no hash key."""
    live.edit("tx.amount", "tx.amuont")
    live.edit("unit: ms", "unit: s")
    ended = streamgauge("check", live.file)
    assert ended.code == 0
    warnings = ended.out.partition(" warnings\n")[2]
    assert "! hash_key: not stated" in warnings
    assert f"! our topics {live.app}.ledger, {live.app}.panes" in warnings
    at = "models.fraud.features"
    assert f"! {at}: 8 of 9 records are rejected (future 7, not_json 1)" in warnings
    assert f"! {at}.fields.amount: 'tx.amuont' occurs in none of 7 records; did you mean 'tx.amount'?" in warnings
    assert re.search(rf"! {at}\.time: event times are \d+ days away from .*; did you mean unit: ms\?", warnings)


def test_an_empty_topic_is_doubted(broker: Kafka | EmbeddedBroker, streamgauge: Command, configure: Configure) -> None:
    """A topic without a record is read all the same, and said to be empty."""
    configuration = configure(broker.address)
    for topic in (configuration.features, configuration.predictions):
        asyncio.run(create_topic(broker.address, topic))
    ended = streamgauge("check", configuration.file)
    assert ended.code == 0
    assert f"! topic {configuration.features}: it is empty" in ended.out
    assert "drift: it cannot be said when: the topic is empty" in ended.out


def test_panes_that_are_not_kept_for_nine_weeks_are_doubted(
    broker: Kafka | EmbeddedBroker, streamgauge: Command, live: Configuration
) -> None:
    """By name, with what was found and what is needed; the other topics need not exist yet."""
    panes = f"{live.app}.panes"
    asyncio.run(create_topic(broker.address, panes, cleanup_policy="delete", retention_ms=str(14 * 86_400_000)))
    ended = streamgauge("check", live.file)
    assert ended.code == 0
    assert (
        f"! our topic {panes}: it keeps 14d (retention.ms), and needs 63d: every night limits are learned" in ended.out
    )
    assert "stays provisional for ever; `streamgauge topics` prints the command that mends it" in ended.out


def test_topics_as_we_create_them_are_not_doubted(streamgauge: Command, live: Configuration) -> None:
    assert streamgauge("topics", live.file, "--create").code == 0
    assert "! our topic" not in streamgauge("check", live.file).out


def test_a_missing_topic_is_one_line(live: Configuration, streamgauge: Command) -> None:
    """66, and the topic's name."""
    live.edit(f"topic: {live.predictions}", "topic: nowhere")
    ended = streamgauge("check", live.file)
    assert ended.code == 66
    assert re.fullmatch(r"streamgauge check: topic nowhere: does not exist on \S+\n", ended.err)


def test_a_mistyped_topic_is_one_line_with_a_hint(live: Configuration, streamgauge: Command) -> None:
    """The cluster knows what was meant."""
    live.edit(f"topic: {live.features}", f"topic: {live.features.replace('features', 'featurs')}")
    ended = streamgauge("check", live.file)
    assert ended.code == 66
    assert re.fullmatch(
        rf"streamgauge check: topic \S+-featurs: does not exist on \S+; did you mean {live.features}\?\n", ended.err
    )


def test_offline_asks_no_broker(configure: Configure, streamgauge: Command) -> None:
    """The file alone is validated."""
    ended = streamgauge("check", "--offline", configure("127.0.0.1:9").file)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("the file is right: 1 model, 2 streams, 2 topics; configuration ")


def test_a_weight_is_shown_where_one_was_stated(configure: Configure, streamgauge: Command) -> None:
    """And from when on it counts; nothing is said of equal ones."""
    configuration = configure("127.0.0.1:9")
    assert "weight" not in streamgauge("check", "--offline", configuration.file).out
    configuration.edit("    owner: payments-ml\n", "    owner: payments-ml\n    weight: 4\n")
    ended = streamgauge("check", "--offline", configuration.file)
    assert (ended.code, ended.err) == (0, "")
    assert "weight in the false-alarm budget, from the next night on: fraud 4\n" in ended.out
