"""YAML as people mean it: the core schema of YAML 1.2, bounded, with positions."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config.yaml_tree import MAX_BYTES, YamlError, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("1e6", 1_000_000.0),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("~", None),
        ("", None),
        ("'12'", "12"),
        ("!!str 12", "12"),
    ],
)
def test_a_plain_value_means_what_yaml_1_2_says(text, value):
    found = read_yaml(f"a: {text}\n".encode()).tree["a"]
    assert (type(found), found) == (type(value), value)


def test_a_key_is_the_text_that_was_written():
    assert read_yaml(b"{no: 1, 1: 2, true: 3, 'null': 4}").tree == {"no": 1, "1": 2, "true": 3, "null": 4}


def test_positions_are_those_of_keys_and_items():
    document = read_yaml(b"a:\n  b: [x, y]\n")
    assert document.mark(("a", "b")) == (2, 3)
    assert document.mark(("a", "b", 1)) == (2, 10)
    assert document.mark(("a", "b", 1, "unknown")) == (2, 10)
    assert document.mark(("z",)) is None


def test_aliases_are_followed():
    assert read_yaml(b"{a: &x [1, 2], b: *x}").tree == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b" " * (MAX_BYTES + 1), "the file has more than the 1,000,000 bytes that are read"),
        (b"a: \xff", "byte 3 is not UTF-8"),
        (b"a: \x07", "character 3 is not allowed in YAML"),
        (b"# nothing\n", "the file is empty"),
        (b"a: 1\n---\nb: 2\n", "not one YAML document: an unknown or repeated anchor, or a second document"),
        (b"a: *b\n", "not one YAML document: an unknown or repeated anchor, or a second document"),
        (b"[" * 5000, "nested more than 32 levels deep"),
        (b"[" * 40 + b"]" * 40, "nested more than 32 levels deep"),
        (b"{[1]: 2}", "a key must be a text"),
        (b"a: !!binary aGk=", "a tag (!...) that is not allowed"),
        (b"a: !!set {x}", "a tag (!...) that is not allowed"),
        (b'a: "\\ud800"', "half a character (a lone surrogate)"),
        (b'{"\\ud800": 1}', "half a character (a lone surrogate)"),
        (b"a: !!int x", "a number that cannot be read"),
        (b"a: 99999999999999999999", "a number that cannot be read"),
        (b"a: " + b"9" * 5000, "a number that cannot be read"),
    ],
)
def test_what_is_not_read_is_said(data, message):
    with pytest.raises(YamlError) as caught:
        read_yaml(data)
    assert caught.value.message == message


@given(st.binary(max_size=200) | st.text(alphabet="{}[]:,&*!|>'\"#- \nab1.", max_size=60).map(str.encode))
def test_any_bytes_give_a_tree_or_a_yaml_error(data):
    with contextlib.suppress(YamlError):
        assert read_yaml(data) is not None
