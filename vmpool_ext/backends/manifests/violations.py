"""What is wrong with a file, and where: told all at once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmpool_ext.domain.errors import InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable

Path = tuple[str | int, ...]

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, order=True)
class Violation:
    """One thing that is wrong, where it stands, and what to do about it."""

    source: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """Write it as compilers do, so that editors find the place."""
        parts = [f"{self.source}:{self.line}", self.field, self.message]
        return printable(": ".join(part for part in parts if part))


class InvalidManifests(InvalidDefinition):
    """Files that cannot be applied: every violation of all of them."""

    code = "invalid-manifests"

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = sorted(violations)
        super().__init__("\n".join(str(violation) for violation in self.violations))

    def __str__(self) -> str:
        """Give all of them, a line each: nothing in them is a place for a word to be put in."""
        return "\n".join(str(violation) for violation in self.violations)


def field_name(path: Path) -> str:
    """Name a field as kubectl does.

    >>> field_name(("spec", "permissions", 1, "may"))
    'spec.permissions[1].may'
    >>> field_name(("metadata", "annotations", "example.org/colour"))
    "metadata.annotations['example.org/colour']"
    """
    return "".join(_step(part) for part in path).removeprefix(".")


def shown(value: Any) -> str:
    """Give the beginning of a value as it could stand in a file.

    >>> shown("4 hours"), shown(True), shown(["a"]), shown("x" * 99)[-3:]
    ("'4 hours'", 'true', 'a list', 'xx…')
    """
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value) if isinstance(value, bool) or value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def printable(text: str) -> str:
    r"""Write what a terminal might obey as what it is.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


_LONGEST = 64


def _step(part: str | int) -> str:
    return f".{part}" if isinstance(part, str) and _PLAIN.fullmatch(part) else f"[{part!r:.66}]"
