"""Fuzzing of the way from bytes to counts: ``python -m tests.hostile.fuzz SECONDS [SEED]``.

Records are written by Hypothesis and then damaged as wires, disks and programs damage them. Whatever comes: nothing raises, a
good neighbour is counted, a record is read alike alone and among others, fast and slow, whatever the decoder learned before.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import hypothesis
from hypothesis import strategies as st

from stream.codec import digest
from stream.reading.decoders import JsonDecoder
from stream.reading.records import REASONS, decode_json
from tests.hostile.monitor import Monitor, plan
from tests.records.test_decoders import EVERY, plain, same

EXAMPLES = 100
"""Examples of one round; between rounds the clock is looked at."""

TOKENS = (
    *(
        b"NaN",
        b"-Infinity",
        b"1e400",
        b"-0",
        b"1e-400",
        b"9" * 400,
        b"9223372036854775808",
        b"18446744073709551617",
        b"0x1",
    ),
    *(
        b"null",
        b"true",
        b"nul",
        b'""',
        b'"\\ud800"',
        b'"\\u0000"',
        b'"\\u00"',
        b"\xff",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
    ),
    *(
        b"\x00",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b"\\",
        b"{}",
        b"[]",
        b'{"a":',
        b"[[[[",
        b" ",
        b"\n",
        b"//",
        b"'",
    ),
    *(
        b'"a":1,',
        b'"a":{"b":2},',
        b'"\\u0061":3,',
        b'"":4,',
        b'"v":"1",',
        b'"key":5,',
        b"1.",
        b".5",
        b"+1",
        b"1_0",
        b"--1",
    ),
    b"[" * 100,
)
names = st.sampled_from(["a", "b", "c", "v", "a.b", "", "key", "x\n", 'q"', "é", "\ud800"]) | st.text(max_size=3)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
)
usual = st.fixed_dictionaries(
    {"a": st.floats(0, 9)}, optional={"b": st.fixed_dictionaries({"c": st.integers(0, 3)}), "v": st.just("1")}
)
valid = (usual | st.dictionaries(names, values, max_size=5)).map(lambda row: json.dumps(row).encode())
place = st.floats(0, 1)
damage = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "flip", "insert", "token", "twice", "swap"]),
        place,
        place,
        st.binary(max_size=3),
    ).flatmap(lambda item: st.tuples(st.just(item), st.sampled_from(TOKENS))),
    min_size=1,
    max_size=4,
)


def damaged(value: bytes, steps: list[Any]) -> bytes:
    """Return a record after some accidents."""
    for (kind, first, second, more), token in steps:
        low, high = sorted((int(first * len(value)), int(second * len(value))))
        match kind:
            case "cut":
                value = value[:low]
            case "drop":
                value = value[:low] + value[high:]
            case "flip" if low < len(value):
                value = value[:low] + bytes([value[low] ^ (1 << high % 8)]) + value[low + 1 :]
            case "insert":
                value = value[:low] + more + value[low:]
            case "token":
                value = value[:low] + token + value[low:]
            case "twice":
                value = value[:high] + value[low:]
            case "swap":
                value = value[low:] + value[:low]
    return value[:100_000]


token = st.sampled_from(TOKENS)
odd = st.builds(
    lambda a, c, v: b'{"a":%b,"b":{"c":%b},"v":%b}' % (a, c, v), token, token | st.just(b"1"), token | st.just(b'"1"')
)
"""The usual keys with a token where a value belongs: what the fast way must not take for usual."""

records = st.one_of(
    valid, odd, st.builds(damaged, valid, damage), st.builds(damaged, valid, damage), st.binary(max_size=40)
)
chunks = st.lists(records | st.none(), max_size=8)


def check(before: list[list[bytes | None]], now: list[bytes | None], exact: bool) -> None:
    """Read a chunk after others, in every way there is."""
    decode = JsonDecoder(EVERY if exact else frozenset())
    for chunk in before:
        decode(list(chunk))
    slow = decode_json(list(now))
    assert repr(slow) == repr([decode_json([value])[0] for value in now]), "neighbours matter to the slow way"
    for fast in (decode(list(now)), [decode([value])[0] for value in now]):
        assert len(fast) == len(now)
        for one, other in zip(fast, slow, strict=True):
            assert same(plain(one), other, exact)
            assert not isinstance(one, str) or one in REASONS

    good = b'{"a": 2.5, "b": {"c": 1}}'
    whole, single = (Monitor(plan("a", "b.c", version="v", producer="a")) for _ in range(2))
    for chunk in (*before, [good, *now, good]):
        whole.feed(chunk)
        for value in chunk:
            single.feed([value])
            single.cut()
    assert whole.counted() == single.counted()
    assert counts(whole) == counts(single), "counts depend on how the records came"
    assert sum(whole.classes.values()) == sum(map(len, before)) + len(now) + 2
    assert whole.classes["applied"] >= 2 + sum(type(row) is dict for row in slow)


def counts(monitor: Monitor) -> str:
    return digest([[index, pane.to_dict()] for index, pane in sorted(monitor.panes.items())])


def fuzz(seconds: float, seed: float = 0) -> int:
    """Fuzz for so long; return how many chunks were read. A failure is shrunk and raised by Hypothesis."""
    deadline, examples = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:

        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
        )
        @hypothesis.given(st.lists(chunks, max_size=2), chunks, st.booleans())
        def round_of(before: list[list[bytes | None]], now: list[bytes | None], exact: bool) -> None:
            check(before, now, exact)

        round_of()
        seed, examples = seed + 1, examples + EXAMPLES
    return examples


if __name__ == "__main__":
    print(f"{fuzz(*map(float, sys.argv[1:]))} chunks read, nothing found")
