"""A changed type: the page names the type there was and the one there is."""

from pathlib import Path

from tests.judge.test_attacks import few, told


def test_a_changed_type_is_told_with_the_type_it_had(tmp_path: Path) -> None:
    lines = few(3600)
    for line in lines[2400:]:
        line["value"] = {"x": str(line["value"]["x"])}
    first = told(tmp_path, lines)["schema"]["annotations"]["summary"]
    assert "x changed its type in " in first
    assert " instead of number), since " in first
