"""Durations: a whole number and a unit, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.config.durations import UNITS, format_duration, parse_duration


@given(st.integers(0, 99_999_999), st.sampled_from(sorted(UNITS)))
def test_a_duration_is_its_number_times_its_unit(number, unit):
    assert parse_duration(f"{number}{unit}") == number * UNITS[unit]


@given(st.integers(0, 999_999_999))
def test_what_is_written_can_be_read(milliseconds):
    assert parse_duration(format_duration(milliseconds)) == milliseconds


@given(st.integers(1, 999), st.sampled_from(sorted(UNITS)))
def test_the_shortest_form_is_never_longer(number, unit):
    assert len(format_duration(number * UNITS[unit])) <= len(f"{number}{unit}")


@pytest.mark.parametrize(
    "text", ["", "10", "s", "1.5h", "-5s", "+5s", "5 s", "5S", "1h30m", "٣s", "5s\n", "01s", "9999999999s"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a duration"):
        parse_duration(text)
