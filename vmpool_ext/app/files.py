"""The files that a command is given by ``-f``: what is in all of them, and all that is wrong with any."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vmpool_ext.backends.manifests.reading import read
from vmpool_ext.backends.manifests.violations import InvalidManifests, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vmpool_ext.backends.manifests.reading import Manifest

STDIN = "-"
_SUFFIXES = (".yaml", ".yml", ".json")


def read_files(names: Iterable[str]) -> tuple[list[Manifest], list[Violation]]:
    """Read them; `InvalidManifests` if there is nothing in them, and nothing wrong."""
    manifests: list[Manifest] = []
    violations: list[Violation] = []
    for name in names:
        for source in _sources(name):
            found, wrong = _read(source)
            manifests.extend(found)
            violations.extend(wrong)
    if not manifests and not violations:
        raise InvalidManifests([Violation(", ".join(names), 1, "", "There is no resource in it: write one.")])
    return manifests, violations


def _sources(name: str) -> Iterator[str]:
    """Give the files of a folder, and any other name as it is."""
    folder = Path(name)
    if name == STDIN or not folder.is_dir():
        yield name
    else:
        yield from sorted(str(each) for each in folder.iterdir() if each.suffix in _SUFFIXES)


def _read(source: str) -> tuple[list[Manifest], list[Violation]]:
    shown = "<stdin>" if source == STDIN else source
    try:
        data = sys.stdin.buffer.read() if source == STDIN else Path(source).read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        return [], [Violation(shown, 1, "", f"This cannot be read: {error.strerror}.")]
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return [], [Violation(shown, line, "", "This is not UTF-8: save it as that.")]
    return read(text, shown)
