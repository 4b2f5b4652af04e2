"""How long to wait before asking again."""

from __future__ import annotations

import random

FIRST = 0.3
LONGEST = 30.0


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
        return random.uniform(bound / 2, bound)  # noqa: S311  # to spread is all that it is for
