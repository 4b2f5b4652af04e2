"""What a YAML node says, as far as JSON can say it, and the line of each of its parts.

Not PyYAML's own construction: that makes objects of times and tags, and of a key that is there twice it loses one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from yaml import MappingNode, ScalarNode, SequenceNode

from vmpool_ext.backends.manifests.nodes import BOOL, FLOAT, INT, LIST, MERGE, NULL, OBJECT, TEXT
from vmpool_ext.backends.manifests.violations import Violation, field_name, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from yaml import Node

    from vmpool_ext.backends.manifests.violations import Path

_MOST_VALUES = 100_000
_MOST_VIOLATIONS = 1000
_MOST_DIGITS = 70
_LARGEST = 2**63

_TRUE = {"yes", "true", "on"}
_BASES = {"0b": 2, "0x": 16, "0o": 8}


class Values:
    """Reads one document."""

    def __init__(self, source: str, first_line: int) -> None:
        self._source = source
        self._first_line = first_line
        self._inside: list[Node] = []
        self._read = 0
        self.lines: dict[Path, int] = {}
        self.violations: list[Violation] = []

    def of(self, node: Node, path: Path = ()) -> Any:
        """Give the value of a node; what is wrong with it is among the violations, and None here."""
        self.lines.setdefault(path, self._line(node))
        self._read += 1
        if self._read > _MOST_VALUES:
            self._refuse(node, path, "There are too many values in this document: make several of it.")
        elif node in self._inside:
            self._refuse(node, path, "This is inside itself: write it out.")
        else:
            self._inside.append(node)
            value = self._value(node, path)
            self._inside.pop()
            return value
        return None

    def _value(self, node: Node, path: Path) -> Any:
        if isinstance(node, MappingNode) and node.tag == OBJECT:
            return self._object(node, path)
        if isinstance(node, SequenceNode) and node.tag == LIST:
            return [self.of(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _SCALARS:
            return self._scalar(node, path, _SCALARS[node.tag])
        self._refuse(node, path, f"{shown(node.tag)} is no tag for a resource: remove it.")
        return None

    def _object(self, node: MappingNode, path: Path) -> dict[str, Any]:
        own: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if key.tag == MERGE:
                merged = {**self._merged(value, path), **merged}
            elif not isinstance(key, ScalarNode):
                self._refuse(key, path, "A key is a text: put it in quotes.")
            elif (name := self._scalar(key, path, _text)) in own:
                self._refuse(key, (*path, name), "The field is there twice: remove one.")
            else:
                self.lines[*path, name] = self._line(key)
                own[name] = self.of(value, (*path, name))
        return {**merged, **own}

    def _merged(self, node: Node, path: Path) -> dict[str, Any]:
        """Give what is to be merged; of several the first says it."""
        merged: dict[str, Any] = {}
        for source in node.value if isinstance(node, SequenceNode) else [node]:
            if isinstance(source, MappingNode):
                merged = {**(self.of(source, path) or {}), **merged}
            else:
                self._refuse(source, path, "Only objects can be merged: give one to <<.")
        return merged

    def _scalar(self, node: ScalarNode, path: Path, read: Callable[[str], Any]) -> Any:
        try:
            return read(node.value)
        except ValueError:
            self._refuse(node, path, f"{shown(node.value)} is nothing that can be kept: write it otherwise.")
            return None

    def _refuse(self, node: Node, path: Path, message: str) -> None:
        violation = Violation(self._source, self._line(node), field_name(path), message)
        # An alias is read as often as it is used; once is enough.
        if len(self.violations) < _MOST_VIOLATIONS and violation not in self.violations:
            self.violations.append(violation)

    def _line(self, node: Node) -> int:
        return self._first_line + int(node.start_mark.line)


def _text(text: str) -> str:
    # JSON writes what is beyond 16 bits as two halves; half of one is no character.
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _integer(text: str) -> int:
    sign, digits = text[:1], text.lstrip("+-").replace("_", "").lower()
    base = _BASES.get(digits[:2]) or (8 if digits[:1] == "0" else 10)
    value = int(digits[:_MOST_DIGITS], base) * (-1 if sign == "-" else 1)
    if -_LARGEST <= value < _LARGEST:
        return value
    raise ValueError(text)


def _number(text: str) -> float:
    value = float(text)
    if math.isfinite(value):
        return value
    raise ValueError(text)


_SCALARS: dict[str, Callable[[str], Any]] = {
    TEXT: _text,
    BOOL: lambda text: text.lower() in _TRUE,
    NULL: lambda _: None,
    INT: _integer,
    FLOAT: _number,
}
