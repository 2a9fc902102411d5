"""The shipped JSON Schema: as the code makes it, and of the same opinion about files."""

import json
from pathlib import Path

import jsonschema
import pytest

from stream.config.json_schema import FILE, json_schema, render
from stream.config.yaml_tree import read_yaml

HERE = Path(__file__).parent
GOOD = [*(HERE / "good").glob("*.yaml"), *(HERE.parents[1] / "docs").glob("*.yaml")]
VALIDATOR = jsonschema.Draft202012Validator(json_schema())

SHAPES = (
    "brokers",
    "detectors",
    "durations",
    "empty_values",
    "fields",
    "missing",
    "names",
    "not_built",
    "plain_secret",
    "segments_shape",
    "unknown_key",
    "weights",
)
"""Wrong files whose mistake is one of shape; rules between keys are beyond a schema."""


def test_the_shipped_file_is_what_the_code_makes():
    """Otherwise run: python -m stream.config.json_schema."""
    assert FILE.read_text() == render()


def test_it_is_a_json_schema():
    jsonschema.Draft202012Validator.check_schema(json.loads(FILE.read_text()))


@pytest.mark.parametrize("file", sorted(GOOD), ids=lambda file: file.stem)
def test_good_files_are_valid(file):
    assert list(VALIDATOR.iter_errors(read_yaml(file.read_bytes()).tree)) == []


@pytest.mark.parametrize("name", SHAPES)
def test_an_editor_marks_wrong_shapes(name):
    tree = read_yaml((HERE / "wrong" / f"{name}.yaml").read_bytes()).tree
    assert list(VALIDATOR.iter_errors(tree)) != []
