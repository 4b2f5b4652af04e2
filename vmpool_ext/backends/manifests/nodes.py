"""YAML's nodes by PyYAML: each with its place and with what it looks like to kubectl, nothing made of it yet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from yaml import MarkedYAMLError
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from yaml import Node

_DEEPEST = 64

_TAG = "tag:yaml.org,2002:"
NULL, BOOL, INT, FLOAT, TEXT = (_TAG + name for name in ("null", "bool", "int", "float", "str"))
OBJECT, LIST, MERGE = (_TAG + name for name in ("map", "seq", "merge"))

LOOKS = {
    NULL: r"(~|null|Null|NULL|)",
    BOOL: r"(yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)",
    INT: r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)",
    FLOAT: r"([-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))",
    MERGE: r"<<",
}
"""What is not in quotes; no times, which are texts to kubectl."""


class _Nodes(Reader, Scanner, Parser, Composer, BaseResolver):
    """Composes nodes that are not too deep."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)
        self._depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose, one deeper."""
        if self._depth == _DEEPEST:
            problem = f"more than {_DEEPEST} levels are inside one another"
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


for _tag, _look in LOOKS.items():
    _Nodes.add_implicit_resolver(_tag, re.compile(_look + r"\Z"), None)


def nodes(text: str) -> Iterator[Node]:
    """Give the root of each document, or raise PyYAML's errors."""
    loader = _Nodes(text)
    try:
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node
    finally:
        loader.dispose()
