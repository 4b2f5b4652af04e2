"""What an operation needs of its connection. Operations are written once, against this.

Over a link that waits in an event loop they are what they look like. Over one that blocks they never suspend, and so run
from beginning to end without a loop: that is the other face of the same code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask the server; no request has a body."""

    method: str
    path: str
    """Relative to ``vmpool/api/v1/``, its names encoded."""


class Link(Protocol):
    """A connection that lives as long as one operation."""

    @property
    def elapsed(self) -> float:
        """The seconds since the operation began."""
        ...

    async def ask(self, request: Request) -> Any:
        """Give the body of the answer; raise `VmPoolError` where it is a refusal, or there is none."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let time pass."""
        ...
