"""Every check and every reason that a detector may give has a first action; the words hold with odd names, too."""

import pytest

from stream.judging import describe
from stream.judging.advice import first_action, short
from stream.judging.findings import CHECKS


@pytest.mark.parametrize("check", CHECKS)
def test_every_check_has_a_first_action_also_for_an_unknown_reason(check: str) -> None:
    assert first_action(check, "a_reason_of_a_later_release", "f.features", "amount").endswith(".")


@pytest.mark.parametrize("reason", sorted(describe.REASONS))
def test_every_reason_gives_a_sentence_without_gaps(reason: str) -> None:
    text = first_action("drift", reason, "f.features", "amount")
    assert text[0].isupper()
    assert text.endswith(".")
    assert "{" not in text


def test_a_field_name_with_braces_is_only_text() -> None:
    assert "{stream}" in first_action("missing", "all_missing", "f.features", "{stream}")


def test_long_names_are_cut() -> None:
    assert len(short("x" * 10_000)) == 400
