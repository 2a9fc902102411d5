"""The JSON Schema of the configuration file, for editors. It is made from `stream.config.models` and shipped beside the code:

    python -m stream.config.json_schema

writes ``stream/schema/settings.schema.json``. A file names it in its first line,
``# yaml-language-server: $schema=settings.schema.json``. The schema knows shapes and patterns; rules between keys
(`stream.config.checks`) are only known to `streamgauge check`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stream.config.models import Settings

FILE = Path(__file__).parent.parent / "schema" / "settings.schema.json"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    tree = Settings.model_json_schema()
    definitions = tree["$defs"]
    field = definitions["FieldSettings"]
    definitions["FieldSettings"] = {
        "anyOf": [{"type": "string"}, {"type": "null"}, field],
        "title": "One watched field",
    }
    brokers = definitions["Kafka"]["properties"]["brokers"]
    definitions["Kafka"]["properties"]["brokers"] = {
        "anyOf": [{"type": "string"}, {key: brokers.pop(key) for key in ("type", "items", "minItems", "maxItems")}],
        **brokers,
    }
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Streamgauge configuration"}
    return {**head, **_filled(tree), "title": head["title"]}


def render() -> str:
    """Return the text of the shipped file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _filled(node: Any) -> Any:
    """Return a schema without the null that pydantic adds to what may be left out: a key is given a value or not written.

    Defaults are dropped with it: pydantic writes durations as the milliseconds they become, which no file may hold.
    """
    if isinstance(node, list):
        return [_filled(item) for item in node]
    if not isinstance(node, dict):
        return node
    tree = {key: _filled(item) for key, item in node.items() if key != "default"}
    if len(choices := tree.get("anyOf", [])) == 2 and choices[1] == {"type": "null"}:
        return {**choices[0], **{key: item for key, item in tree.items() if key != "anyOf"}}
    return tree


if __name__ == "__main__":
    FILE.write_text(render())
