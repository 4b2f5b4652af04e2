"""Whether a service and an extension of two versions go together (https://semver.org)."""

from __future__ import annotations

VERSION = "Vmpool-Version"
"""The header in which a service says its own; what has none is none."""


def go_together(one: str, other: str) -> bool:
    """Whether both mean the same by the same words.

    >>> go_together("1.2.0", "1.3.1"), go_together("0.1.0", "0.1.9")
    (True, True)
    >>> go_together("1.2.0", "2.0.0"), go_together("0.1.0", "0.2.0")
    (False, False)
    """
    return _line(one) == _line(other)


def _line(version: str) -> list[str]:
    major, minor, *_ = f"{version}.".split(".")
    return [major, minor] if major == "0" else [major]
