"""YAML and JSON read as kubectl reads them: several documents, lists of resources, and where each field stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from yaml.reader import ReaderError

from vmpool_ext.backends.manifests.nodes import nodes
from vmpool_ext.backends.manifests.values import Values
from vmpool_ext.backends.manifests.violations import InvalidManifests, Path, Violation, field_name, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DOCUMENT = re.compile(r"^---(?=\s|$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Manifest:
    """One resource as it stands in a file."""

    source: str
    value: Any
    lines: Mapping[Path, int] = field(default_factory=dict)
    root: Path = ()

    def violation(self, path: Path, message: str) -> Violation:
        """Tell what is wrong with a field; of one that is missing, where it would stand."""
        full = place = (*self.root, *path)
        while place not in self.lines and place:
            place = place[:-1]
        return Violation(self.source, self.lines.get(place, 1), field_name(full), message)


def read(text: str, source: str) -> tuple[list[Manifest], list[Violation]]:
    """Give the resources in a text, and what else is in it that is none."""
    manifests: list[Manifest] = []
    violations: list[Violation] = []
    for document, first_line in _documents(_without_tabs(text)):
        try:
            for manifest in _read_document(document, first_line, source):
                manifests.extend(_resources(manifest))
        except InvalidManifests as error:
            violations.extend(error.violations)
    return manifests, violations


def _documents(text: str) -> Iterator[tuple[str, int]]:
    """Cut at the marks, so that what is wrong with one document does not hide another; each with its first line."""
    begin, line = 0, 1
    for mark in [*_DOCUMENT.finditer(text), None]:
        end = mark.start() if mark else len(text)
        yield text[begin:end], line
        line += text.count("\n", begin, end)
        begin = end


def _without_tabs(text: str) -> str:
    """Let JSON be indented by tabs, which YAML does not: there are none in its strings."""
    if text.lstrip().startswith(("{", "[")) and "\t" in text:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return text
        return text.replace("\t", " ")
    return text


def _read_document(text: str, first_line: int, source: str) -> Iterator[Manifest]:
    try:
        for node in nodes(text):
            values = Values(source, first_line)
            value = values.of(node)
            if values.violations:
                raise InvalidManifests(values.violations)
            if value is not None:
                yield Manifest(source, value, values.lines)
    except ReaderError as error:
        line = first_line + text.count("\n", 0, error.position)
        message = f"The character {shown(chr(error.character))} cannot stand in YAML: remove it."
        raise InvalidManifests([Violation(source, line, "", message)]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        line = first_line + (mark.line if mark else 0)
        raise InvalidManifests([Violation(source, line, "", f"This is not YAML: {words}. Mend it.")]) from error
    except (ValueError, OverflowError) as error:
        # PyYAML takes numbers of characters and versions for what they say.
        message = "A number in an escape or a directive is too large: write a smaller one."
        raise InvalidManifests([Violation(source, first_line, "", message)]) from error


def _resources(manifest: Manifest) -> Iterator[Manifest]:
    """Give the items of a list, or the resource itself."""
    value = manifest.value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not (isinstance(kind, str) and kind.endswith("List") and isinstance(value.get("items"), list)):
        yield manifest
        return
    for index, item in enumerate(value["items"]):
        yield from _resources(Manifest(manifest.source, item, manifest.lines, (*manifest.root, "items", index)))
