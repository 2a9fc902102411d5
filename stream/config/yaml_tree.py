"""YAML text to a plain tree, with the line and column of every key, read by the core schema of YAML 1.2.

PyYAML follows YAML 1.1, where the country code ``NO`` is false, ``1e6`` is a text, ``12:30`` is the number 750 and
``2024-01-01`` is a date. In a file that states ranges and values to match, each of these would be a quiet mistake, so
the implicit types are those of YAML 1.2 (null, true/false, numbers, text) and a key is always the text that was
written.

The file is somebody's text and may be hostile: size, depth and the number of nodes *after* aliases are bounded, tags
that would build objects are refused, and so is a key that stands twice. An error never quotes the text, which may hold
a secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 32

Path = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the root."""

_CORE = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """The text is not YAML that we read.

    Attributes:
        message: what is wrong, in one line. hint: what to do about it, or None.
        line, column: where, counted from 1; None when unknown.
    """

    def __init__(
        self, message: str, line: int | None = None, column: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.hint = message, line, column, hint


@dataclass
class Document:
    """A tree of dicts with text keys, lists, text, numbers, booleans and None.

    Attributes:
        tree: the value at the root.
        marks: (line, column) of each key or list item, counted from 1.
    """

    tree: Any = None
    marks: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def mark(self, path: Path) -> tuple[int, int] | None:
        """Return the position of a path, or of the nearest place above it that exists."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.marks:
                return self.marks[path[:length]]
        return None


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 (PyYAML's own class attribute)


_IMPLICIT = (
    ("null", r"^(~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^([-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", list("-+0123456789")),
    (
        "float",
        r"^([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$",
        list("-+.0123456789"),
    ),
)
for _name, _pattern, _first in _IMPLICIT:
    _Loader.add_implicit_resolver(_CORE + _name, re.compile(_pattern), _first)


def read_yaml(data: bytes) -> Document:
    """Read one YAML document.

    Raises:
        YamlError: too large, not UTF-8, not YAML, or one of the things named above.
    """
    if len(data) > MAX_BYTES:
        raise YamlError(f"the file has more than the {MAX_BYTES:,} bytes that are read")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise YamlError(f"byte {error.start} is not UTF-8") from None
    node = _compose(text)
    if node is None:
        raise YamlError("the file is empty")
    reader = _Reader()
    reader.document.tree = reader.read(node, ())
    return reader.document


def _compose(text: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _Loader(text)
        node: yaml.Node | None = loader.get_single_node()
        return node
    except yaml.composer.ComposerError as error:
        # PyYAML quotes the name of the alias here, and an unquoted secret may begin with "*" or "&".
        raise _at(
            error.problem_mark, "not one YAML document: an unknown or repeated anchor, or a second document"
        ) from None
    except yaml.MarkedYAMLError as error:
        raise _unread(text, error) from None
    except yaml.reader.ReaderError as error:
        raise YamlError(f"character {error.position} is not allowed in YAML") from None
    except RecursionError:
        raise YamlError(f"nested more than {MAX_DEPTH} levels deep") from None
    finally:
        if loader is not None:
            loader.dispose()


def _unread(text: str, error: yaml.MarkedYAMLError) -> YamlError:
    """Return what is wrong with a text that is not YAML. A tab that indents is often noticed by PyYAML only further on."""
    mark, problem = error.problem_mark, error.problem or ""
    lines = text.splitlines()
    if mark is not None and mark.line < len(lines):
        line = lines[mark.line]
        tab = line[: len(line) - len(line.lstrip())].find("\t")
        tab = mark.column if tab < 0 and line[mark.column :].startswith("\t") else tab
        if tab >= 0:
            return YamlError("not YAML: a tab where only spaces may stand", mark.line + 1, tab + 1, "use spaces")
    hint = next((hint for words, hint in _HINTS if words in problem), None)
    if hint == _OPEN and error.context_mark is not None:
        hint = f"{hint} It may be the one in line {error.context_mark.line + 1}"
    return _at(mark, f"not YAML: {_unquoted(problem)}", hint)


_OPEN = "is a bracket, a brace or a quote not closed?"
_HINTS = (
    ("mapping values are not allowed", "is a text with ': ' in it missing its quotes, or a line indented too far?"),
    ("<block end>", "is this line indented like the ones beside it?"),
    ("could not find expected ':'", "is a ':' missing behind the key, here or in the line above?"),
    ("stream", _OPEN),
    ("',' or", "is a comma, a bracket or a brace missing?"),
    ("cannot start any token", "a text that begins with this character needs quotes"),
)
"""Words of PyYAML, and what they mean to somebody who does not know its grammar."""


def _unquoted(message: str) -> str:
    """Return PyYAML's message without longer pieces of the file; single characters and ``<...>`` are its own words."""
    return re.sub(r"'([^']*)'", lambda quoted: quoted[0] if re.fullmatch(".|<.*>", quoted[1]) else "...", message)


def _at(mark: yaml.Mark | None, message: str, hint: str | None = None) -> YamlError:
    return YamlError(message, None if mark is None else mark.line + 1, None if mark is None else mark.column + 1, hint)


class _Reader:
    """Turns nodes into plain values. Aliases are followed, so `nodes` counts what a bomb would expand to."""

    def __init__(self) -> None:
        self.document = Document()
        self.nodes = 0

    def read(self, node: yaml.Node, path: Path) -> Any:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise _at(node.start_mark, f"more than {MAX_NODES:,} values, counted with every alias written out")
        if len(path) > MAX_DEPTH:
            raise _at(node.start_mark, f"nested more than {MAX_DEPTH} levels deep")
        if isinstance(node, yaml.MappingNode) and node.tag == _CORE + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _CORE + "seq":
            return [self.read(item, self._place(item, (*path, index))) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        raise _tag(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _at(key.start_mark, "a key must be a text", "is a value in braces missing its quotes?")
            name = _text(key)
            if name in tree:
                first = self.document.marks[(*path, name)][0]
                raise _at(key.start_mark, f"the key {name!r} stands twice", f"it stands first in line {first}")
            if name == "<<":
                raise _at(
                    key.start_mark, "merge keys (<<) are not read", "write the keys out, or use a name under 'streams'"
                )
            tree[name] = self.read(value, self._place(key, (*path, name)))
        return tree

    def _place(self, node: yaml.Node, path: Path) -> Path:
        self.document.marks[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
        return path


def _text(node: yaml.ScalarNode) -> str:
    text: str = node.value
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise _at(node.start_mark, "half a character (a lone surrogate)")
    return text


def _scalar(node: yaml.ScalarNode) -> Any:
    text = _text(node)
    try:
        match node.tag.removeprefix(_CORE):
            case "str":
                return text
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return _integer(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    except ValueError:
        raise _at(node.start_mark, "a number that cannot be read") from None
    raise _tag(node)


def _integer(text: str) -> int:
    value = int(text, 0) if text.startswith(("0o", "0x")) else int(text)
    if abs(value) >= 1 << 63:
        raise ValueError
    return value


def _tag(node: yaml.Node) -> YamlError:
    return _at(
        node.start_mark,
        "a tag (!...) that is not allowed",
        "only plain text, numbers, true, false, lists and mappings are read",
    )
