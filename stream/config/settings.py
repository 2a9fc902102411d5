"""The configuration file: read, checked as a whole, and refused with everything that is wrong with it.

`load` is all that the commands call. The steps are `stream.config.yaml_tree` (text), `stream.config.models` (shape),
`stream.config.checks` (rules between keys), `stream.config.hash_key` (the secret); `stream.config.compile` makes the plan of the
result.
"""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stream.config.checks import check
from stream.config.errors import Problem, SettingsError, did_you_mean, located, shown, spelled, spoken, suggestion
from stream.config.hash_key import HashKey, key_of_app, read_key
from stream.config.models import Block, Settings
from stream.config.yaml_tree import MAX_BYTES, Document, Path, YamlError, read_yaml

__all__ = ["Settings", "SettingsError", "load"]


def load(path: str | File, environ: Mapping[str, str] | None = None) -> Settings:
    """Read a configuration file.

    Args:
        path: the file; relative paths of secrets begin in its folder.
        environ: where ``{env: NAME}`` is looked up; the process's environment by default.

    Raises:
        SettingsError: the file cannot be read or used; it holds every problem found.
    """
    # The work is done in functions that return problems, so no frame of the traceback holds the text or a secret.
    result = _load(File(path), os.environ if environ is None else environ)
    if isinstance(result, Settings):
        return result
    raise SettingsError(spoken(path), result)


def _load(path: File, environ: Mapping[str, str]) -> Settings | list[Problem]:
    try:
        with path.open("rb") as stream:
            document = read_yaml(stream.read(MAX_BYTES + 1))
    except OSError as error:
        return [Problem((), f"cannot be read: {(error.strerror or 'unknown reason').lower()}")]
    except YamlError as error:
        return [Problem((), error.message, hint=error.hint or "", line=error.line, column=error.column)]
    try:
        settings = Settings.model_validate(document.tree)
    except ValidationError as error:
        return _refused(error, document)
    problems = list(check(settings))
    key = _key(settings, path.parent, environ)
    if isinstance(key, HashKey) and not problems:
        return settings.with_key(key)
    return located(problems if isinstance(key, HashKey) else [*problems, key], document)


def _key(settings: Settings, folder: File, environ: Mapping[str, str]) -> HashKey | Problem:
    if settings.hash_key is None:
        return key_of_app(settings.app)
    return read_key(settings.hash_key.env, settings.hash_key.file, folder, environ)


def _refused(error: ValidationError, document: Document) -> list[Problem]:
    """Return pydantic's errors as problems. A key is not also reported as missing when it was only mistyped."""
    details = error.errors(include_url=False)
    unknown = (detail["loc"] for detail in details if detail["type"] == "extra_forbidden")
    meant = {(*path[:-1], did_you_mean(str(path[-1]), _block(path[:-1]).model_fields)) for path in unknown}
    kept = (detail for detail in details if detail["type"] != "missing" or detail["loc"] not in meant)
    return located(map(_problem, kept), document)


_EXPECTED = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a mapping (key: value)",
}
"""What pydantic's errors of type mean to a person."""


def _problem(detail: ErrorDetails) -> Problem:
    path: Path = tuple(part for part in detail["loc"] if part != "[key]")
    kind, found, context = detail["type"], shown(detail["input"]), detail.get("ctx", {})
    if path[:1] == ("hash_key",):
        hint = "keep the secret itself out of this file"
        return Problem(path[:1], "not a valid value", "a value (not shown)", "{env: NAME} or {file: PATH}", hint)
    if kind == "extra_forbidden":
        return _unknown(path)
    if detail["input"] is None:
        return Problem(path, "has no value", "", "", "write the value, or delete the line")
    if kind == "missing":
        return Problem(path, "is missing", "", _block(path[:-1]).model_fields[str(path[-1])].description or "")
    if kind == "setting":
        return Problem(path, context["message"], context["found"] or found, context["expected"], context["hint"])
    if kind == "literal_error":
        choices = context["expected"].replace("'", "").replace(" or ", ", ")
        return Problem(
            path, "not a valid value", found, f"one of {choices}", suggestion(str(detail["input"]), choices.split(", "))
        )
    if kind == "model_type":
        return Problem(path, "not a valid value", found, f"a mapping of {', '.join(_block(path).model_fields)}")
    if kind in _EXPECTED:
        return Problem(path, "not a valid value", found, _EXPECTED[kind])
    if kind in ("too_short", "too_long"):
        limit = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return Problem(path, "not a valid value", found, limit)
    return Problem(path, "not a valid value", found, detail["msg"].removeprefix("Input should be "))


def _unknown(path: Path) -> Problem:
    """Return the problem of a key that its mapping does not have: one of a later release, or one of none."""
    block, key = _block(path[:-1]), str(path[-1])
    found, expected = spelled(key), f"one of {', '.join(block.model_fields)}"
    if key in block.not_built:
        return Problem(
            path, "is not built yet in this release", found, expected, f"leave it out: {block.not_built[key]}"
        )
    return Problem(path, "unknown key", found, expected, suggestion(key, block.model_fields))


def _block(path: Path) -> type[Block]:
    """Return the class of the mapping at a path."""
    place: Any = Settings
    for part in path:
        inside = (
            place.model_fields[str(part)].annotation
            if isinstance(place, type) and issubclass(place, Block)
            else typing.get_args(place)[1]
        )
        optional = type(None) in typing.get_args(inside)
        place = typing.get_args(inside)[0] if optional else inside
    return typing.cast(type[Block], place)
