"""How far a start has come: told to whoever wants to know, drawn where there is a notebook to draw in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

_DONE = {"starting": 0.2, "being prepared": 0.2, "starting up": 0.5, "logging you in": 0.8, "ready": 1.0, "off": 1.0}
"""How much of the way lies behind each phase."""


@dataclass(frozen=True, slots=True, repr=False)
class Progress:
    """How far the waiting for a VM has come: a phase in words, and the seconds that it took so far."""

    vm: str
    phase: str
    seconds: float
    ended: bool = False

    def __repr__(self) -> str:
        """Give a line."""
        return f"{self.vm}: {self.phase} ({self.seconds:.0f} s)"

    def _repr_html_(self) -> str:
        bar = "" if self.ended else f'<progress max="1" value="{_DONE.get(self.phase, 0.1)}"></progress> '
        return f'<div role="status">{bar}{escape(str(self))}</div>'


Watch: TypeAlias = Callable[[Progress], None]


def watching(progress: Watch | None) -> Watch:
    """Give who is told: whom the caller names, else the notebook that it is called in, else nobody."""
    if progress is not None:
        return progress
    return _Drawing().draw if _in_notebook() else _ignore


class _Drawing:
    """One line below the cell, drawn anew."""

    def __init__(self) -> None:
        self._handle: Any = None

    def draw(self, progress: Progress) -> None:
        from IPython.display import display  # noqa: PLC0415  # is there, or nobody would draw

        if self._handle is None:
            self._handle = display(progress, display_id=True)  # type: ignore[no-untyped-call]  # IPython's
        else:
            self._handle.update(progress)


def _in_notebook() -> bool:
    """Whether this runs in a kernel: a terminal cannot draw a line anew by the same means."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def _ignore(_: Progress) -> None:
    pass
