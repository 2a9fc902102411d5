"""Wrong files and the exact text that a person reads; both stand in `wrong/`, side by side."""

from pathlib import Path

import pytest

from stream.config.models import Block
from stream.config.settings import SettingsError, load

WRONG = Path(__file__).parent / "wrong"


@pytest.mark.parametrize("name", sorted(file.stem for file in WRONG.glob("*.yaml")))
def test_a_wrong_file_is_refused_with_this_text(monkeypatch, name):
    monkeypatch.chdir(WRONG)
    with pytest.raises(SettingsError) as caught:
        load(f"{name}.yaml", {"SG_SHORT": "hunter2", "SG_HASH": "a secret that is long enough"})
    assert str(caught.value) + "\n" == (WRONG / f"{name}.txt").read_text()
    assert "hunter2" not in str(caught.value)


def blocks(of: type[Block] = Block) -> list[type[Block]]:
    below = of.__subclasses__()
    return below + [block for each in below for block in blocks(each)]


def test_every_key_of_a_later_release_is_shown_being_refused():
    """So that none is forgotten when it is built."""
    said = (WRONG / "not_built.txt").read_text()
    keys = {key for block in blocks() for key in block.not_built}
    assert len(keys) == 12
    assert [key for key in sorted(keys) if f"{key}: is not built yet in this release" not in said] == []


@pytest.mark.parametrize("block", blocks(), ids=lambda block: block.__name__)
def test_no_key_is_both_built_and_not_built(block):
    assert set(block.not_built) & set(block.model_fields) == set()
