"""Every line "Bad records" of the fault table and every input trap of orjson: what a tap counts of it. The names say which.

What a decoder answers for each of them stands in ``tests/records/test_records.py``; here it is counted, beside good neighbours.
Kafka's own (batches, bombs, headers) is in ``tests/transport/test_fetch.py`` and, on a broker, in ``test_broker.py``.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream.codec import pack, unpack
from stream.counts import TYPES
from stream.reading.records import MAX_BYTES, MAX_KEYS
from stream.serving.exposition import MAX_LABEL_BYTES, Registry
from stream.serving.metrics import FEATURE_STATE
from tests.hostile.monitor import BEGIN, Monitor, plan

GOOD = b'{"a": 1.5}'
FIELD = "values"
"""Counter of values of the field ``a`` by JSON type, instead of a class of records."""

REJECTED: dict[str, tuple[bytes, str]] = {
    "bad JSON": (b'{"a": oops}', "not_json"),
    "single quotes": (b"{'a': 1}", "not_json"),
    "empty": (b"", "empty"),
    "blank": (b" \t\r\n", "empty"),
    "BOM": (b'\xef\xbb\xbf{"a": 1}', "bom"),
    "not UTF-8": (b'{"a": "\xff"}', "not_utf8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not_utf8"),
    "NUL in a text": (b'{"a": "\x00"}', "not_json"),
    "NUL behind": (b'{"a": 1}\x00', "not_json"),
    "truncated": (b'{"a": 1', "not_json"),
    "truncated in a character": ('{"a": "é'.encode()[:-1], "not_utf8"),
    "trailing text": (b'{"a": 1} {"a": 2}', "not_json"),
    "NaN beside broken JSON": (b'{"a": NaN, "b": }', "not_json"),
    "a lone surrogate as bytes": (b'{"a": "\xed\xa0\x80"}', "not_utf8"),
    "an array": (b"[1]", "not_an_object"),
    "a number": (b"1", "not_an_object"),
    "null": (b"null", "not_an_object"),
    "Avro of a schema registry": (b"\x00\x00\x00\x00\x2a\x02\x06foo", "unsupported_encoding"),
    "Protobuf of a schema registry": (b"\x00\x00\x00\x00\x2a\x00\x0a\x03foo", "unsupported_encoding"),
    "JSON of a schema registry": (b"\x00\x00\x00\x00\x2a" + GOOD, "unsupported_encoding"),
    "100,000 keys": (orjson.dumps({f"k{i}": i for i in range(100_000)}), "too_large"),
    "one key too many": (orjson.dumps({f"k{i}": i for i in range(MAX_KEYS + 1)}), "too_many_keys"),
    "too many keys below": (orjson.dumps({"a": [{f"k{i}": i} for i in range(MAX_KEYS + 1)]}), "too_many_keys"),
    "100,000 arrays deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    "1,025 arrays deep": (b'{"a":' + b"[" * 1_025 + b"]" * 1_025 + b"}", "too_deep"),
    "100,000 objects deep": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
    "deep beside NaN": (b'{"n": NaN, "a":' + b"[" * 90_000 + b"]" * 90_000 + b"}", "too_deep"),
    "deep and never closed": (b'{"a":' + b"[" * 500_000, "too_deep"),
    "50 MB": (b'{"a": "' + b"x" * 50_000_000 + b'"}', "too_large"),
    "a byte too many": (b'{"a": "' + b"x" * (MAX_BYTES - 8) + b'"}', "too_large"),
}

COUNTED: dict[str, tuple[bytes, str]] = {
    "NaN": (b'{"a": NaN}', "nonfinite"),
    "Infinity": (b'{"a": Infinity}', "nonfinite"),
    "-Infinity": (b'{"a": -Infinity}', "nonfinite"),
    "1e400": (b'{"a": 1e400}', "nonfinite"),
    "-0": (b'{"a": -0}', "number"),
    "-0.0": (b'{"a": -0.0}', "number"),
    "an integer of 5,000 digits": (b'{"a": ' + b"9" * 5_000 + b"}", "nonfinite"),
    "an integer of 300 digits": (b'{"a": ' + b"9" * 300 + b"}", "number"),
    "2^63": (b'{"a": 9223372036854775808}', "number"),
    "2^64 + 1": (b'{"a": 18446744073709551617}', "number"),
    "-2^63 - 1": (b'{"a": -9223372036854775809}', "number"),
    "a number as text": (b'{"a": "12.5"}', "string"),
    "NaN as text": (b'{"a": "NaN"}', "string"),
    "a boolean": (b'{"a": true}', "bool"),
    "null": (b'{"a": null}', "null"),
    "a missing field": (b"{}", "absent"),
    "an object": (b'{"a": {"b": 1}}', "nested"),
    "an array": (b'{"a": [1, 2]}', "nested"),
    "an array of objects": (b'{"a": [{"b": 1}]}', "nested"),
    "duplicate keys, the last a text": (b'{"a": 1, "a": "x"}', "string"),
    "duplicate keys, the last a NaN": (b'{"a": 1, "a": NaN}', "nonfinite"),
    "duplicate keys, the last one escaped": (b'{"a": "x", "\\u0061": 1}', "number"),
    "a lone surrogate, escaped": (b'{"a": "\\ud800"}', "string"),
    "a NUL, escaped": (b'{"a": "\\u0000"}', "string"),
    "a megabyte of text": (b'{"a": "' + b"x" * (MAX_BYTES - 100) + b'"}', "string"),
    "an array of 100,000": (b'{"a": [' + b"1," * 99_999 + b"1]}", "nested"),
    "a Debezium envelope": (b'{"before": null, "after": {"a": 1}, "op": "c"}', "absent"),
}
"""A Debezium envelope is JSON: its fields are read where the configuration says (``path: after.a``), ``a`` itself is absent."""


def fed(*values: bytes | None, learned: bool) -> Monitor:
    """Return a monitor that read them between good records; if ``learned``, its decoder knows the usual shape before."""
    monitor = Monitor(plan("a"))
    if learned:
        monitor.feed([GOOD] * 10)
    monitor.feed([GOOD, *values, GOOD])
    return monitor


@pytest.mark.parametrize("learned", [False, True], ids=["", "learned"])
@pytest.mark.parametrize("trap", REJECTED)
def test_it_is_rejected_for_its_reason_and_its_neighbours_are_applied(trap: str, learned: bool) -> None:
    value, reason = REJECTED[trap]
    monitor = fed(value, learned=learned)
    good = 12 if learned else 2
    assert monitor.counted() == {"applied": good, reason: 1}
    assert monitor.fields().types[0].tolist() == [good * (name == "number") for name in TYPES]
    assert monitor.outputs["dead-letter"] == learned, "before the first frontier there is no pane to refer from"


@pytest.mark.parametrize("learned", [False, True], ids=["", "learned"])
@pytest.mark.parametrize("trap", COUNTED)
def test_the_event_is_kept_and_its_field_counted_by_type(trap: str, learned: bool) -> None:
    value, kind = COUNTED[trap]
    monitor = fed(value, learned=learned)
    good = 12 if learned else 2
    assert monitor.counted() == {"applied": good + 1}
    types = dict(zip(TYPES, monitor.fields().types[0].tolist(), strict=True))
    assert types.pop(kind) == 1 + good * (kind == "number")
    assert sum(types.values()) == good * (kind != "number")


def test_a_type_that_flips_costs_no_record() -> None:
    """Per field, never the whole event."""
    flips = [b'{"a": 1}', b'{"a": "1"}', b'{"a": true}', b'{"a": null}', b'{"a": [1]}', b"{}", b'{"a": NaN}'] * 100
    monitor = fed(*flips, learned=True)
    assert monitor.counted() == {"applied": 712}
    assert dict(zip(TYPES, monitor.fields().types[0].tolist(), strict=True)) == {
        **dict.fromkeys(TYPES, 100),
        "number": 112,
    }


def test_tombstones_with_and_without_a_key() -> None:
    monitor = Monitor(plan("a"))
    monitor.feed([None, None, GOOD, GOOD], keys=[None, b"k", None, b"k"])
    assert monitor.counted() == {"tombstones": 2, "applied": 2}


def test_ten_thousand_bad_records_in_a_row_then_a_good_one() -> None:
    """On a broker: ``test_broker.py``."""
    monitor = fed(learned=True)
    for _ in range(10):
        monitor.feed([b"{oops"] * 1000)
    monitor.feed([GOOD])
    assert monitor.counted() == {"applied": 13, "not_json": 10_000}


def test_state_keeps_non_finite_numbers() -> None:
    """``orjson.dumps(NaN)`` is null; frames of ours keep floats as raw bytes."""
    import numpy as np

    from stream.codec import pack, unpack

    odd = np.array([np.nan, np.inf, -np.inf, -0.0])
    assert unpack(pack({}, {"x": odd}))[1]["x"].tobytes() == odd.tobytes()


EVIL = [
    '"} 1\n',
    "<script>alert(1)</script>",
    "x" * 10_000,
    "\ud800",
    "\u202egnp.exe",
    "__proto__",
    "jane.doe@example.com",
    'a{b="c"} 1 # HELP',
    "\x00",
    "",
    " ",
    "$a",
    "*",
    "key",
    "header:x",
    "a.b.c",
]


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_a_field_of_an_evil_name_is_counted_under_a_name_that_can_be_shown(name: str) -> None:
    """The census holds printable names of 64 characters at most; those that are none are counted together."""
    monitor = Monitor(plan("a", unlisted="watch"))
    value = json.dumps({"a": 1, name: 2}).encode()
    monitor.feed([value] * 40)
    monitor.tick(120_000)
    names = next(iter(monitor.panes.values())).unlisted
    assert sum(names.values()) == 40
    for shown in names:
        assert shown.isprintable()
        assert 0 < len(shown) <= 64
    assert all(field.isprintable() for field in monitor.layout.sections["m.features"].names)


def test_labels_of_evil_names_leave_the_page_readable() -> None:
    """One label with a lone surrogate makes prometheus_client lose the whole page; ours is cleaned at the door."""
    registry = Registry()
    for name in EVIL:
        registry.set(FEATURE_STATE, ("m", "m.features", name), 1)

    async def page() -> bytes:
        return b"".join([piece async for piece in registry.render()])

    families = {found.name: found for found in text_string_to_metric_families(asyncio.run(page()).decode())}
    labels = [sample.labels["feature"] for sample in families["streamgauge_feature_state"].samples]
    assert len(set(labels)) == len(EVIL), "two names are two series"
    assert max(len(label.encode()) for label in labels) <= MAX_LABEL_BYTES


@pytest.mark.parametrize("name", EVIL, ids=range(len(EVIL)))
def test_versions_and_producers_of_evil_names_are_shown_as_text(name: str) -> None:
    monitor = Monitor(plan("a", version="v", producer="p"))
    value = json.dumps({"a": 1, "v": name, "p": [name]}).encode()
    monitor.feed([value] * 40)
    assert monitor.counted() == {"applied": 40}
    (pane,) = monitor.panes.values()
    for shown in pane.versions:
        assert re.fullmatch(r".{0,64}", shown)
        assert shown.isprintable()
    assert pane.producers == {}, "an array is no name"


def test_keys_and_headers_that_are_no_text_are_absent() -> None:
    monitor = Monitor(plan("a", version="header:v", producer="key"))
    odd: list[Any] = [(("v", b"\xff"),), (("v", None),), (("v", b""),), (("v", b"1" * 1000),)]
    monitor.feed([GOOD] * 4, keys=[b"\xff", None, b"", b"k" * 1000], headers=odd)
    assert monitor.counted() == {"applied": 4}
    (pane,) = monitor.panes.values()
    assert pane.versions == {"": 1, "1" * 64: 1}
    assert pane.producers == {"": 1, "k" * 64: 1}


def test_the_wall_clock_of_the_test_is_that_of_its_records() -> None:
    """Otherwise everything above would be rejected for its time."""
    monitor = fed(learned=False)
    monitor.cut()
    assert list(monitor.panes) == [BEGIN // 60_000]


def test_a_stream_of_which_nothing_is_known_is_stored_like_any_other() -> None:
    """No field is listed, and no record came yet: the judge ended over the state that it has to store."""
    monitor = Monitor(plan())
    assert unpack(pack({}, monitor.judge.state()))[1]
    monitor.feed([b"oops"] * 40)
    assert unpack(pack({}, monitor.judge.state()))[1]
