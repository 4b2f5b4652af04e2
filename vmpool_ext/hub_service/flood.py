"""How much one user may ask for, so that nobody waits for another's script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.web.errors import TooManyActs

if TYPE_CHECKING:
    from collections.abc import Callable


class Allowance:
    """So many acts at once, and then so many a second: a token bucket for each user."""

    def __init__(self, at_once: int, per_second: float, time: Callable[[], float]) -> None:
        self._at_once = at_once
        self._per_second = per_second
        self._time = time
        self._used: dict[str, float] = {}
        """Until when a user's bucket is not full again, as if every act took a while."""

    def spend(self, user: str) -> None:
        """Count an act; `TooManyActs` where the user has none left."""
        now, each = self._time(), 1 / self._per_second
        until = max(now, self._used.get(user, now)) + each
        if until - now > self._at_once * each + each / 2:
            raise TooManyActs
        self._forget_the_idle(now)
        self._used[user] = until

    def _forget_the_idle(self, now: float) -> None:
        for user in [user for user, until in self._used.items() if until <= now]:
            del self._used[user]
