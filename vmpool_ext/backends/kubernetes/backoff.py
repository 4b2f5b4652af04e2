"""How long to wait before asking again."""

from __future__ import annotations

import secrets

FIRST = 0.3
LONGEST = 30.0

SPREAD = secrets.SystemRandom()
"""What keeps many from doing the same at the same moment; nobody else's numbers change by it."""


class Backoff:
    """Longer each time; and not the same for all, or they would all come back at once."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._bound = first

    def reset(self) -> None:
        """Begin with short waits again, since it has gone well."""
        self._bound = self._first

    def next(self) -> float:
        """Give the seconds to wait: anything from half the bound to the bound."""
        bound, self._bound = self._bound, min(2 * self._bound, self._longest)
        return SPREAD.uniform(bound / 2, bound)
