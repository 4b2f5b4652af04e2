"""The clock of this machine; made by roots only, so that everybody else takes one that tests can move."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

TOLERANCE = 30.0
"""Seconds by which a clock may be set at once and still be trusted."""

BELIEVED_AFTER = 3600.0
"""Seconds: a clock that went on from where it was set to for so long is right; it was the time before that was wrong."""

# A sleeping timer does not see that the wall clock was set: look again now and then.
_LONGEST_NAP = 60.0


def _since_boot() -> float:
    # Goes on while the machine sleeps, where there is such a clock: to sleep is no jump.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class SystemClock:
    """Implements the port `Clock`.

    Beside the wall clock it reads a steady one, which nobody sets: where the two disagree about how much time has
    passed, somebody has set the wall clock.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,  # noqa: TID251  # this is the clock
        steady: Callable[[], float] = _since_boot,
    ) -> None:
        self._wall = wall
        self._steady = steady
        self._trusted = self._offset()
        self._set_to = self._trusted
        self._set_at = steady()

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.fromtimestamp(self._wall(), UTC)

    async def sleep_until(self, moment: datetime) -> None:
        """Return when the wall clock shows this moment, or should by the steady one."""
        end = self._steady() + (moment - self.now()).total_seconds()
        while (left := min((moment - self.now()).total_seconds(), end - self._steady())) > 0:  # noqa: ASYNC110  # nobody tells of time
            await asyncio.sleep(min(left, _LONGEST_NAP))

    def is_trusted(self) -> bool:
        """Whether the wall clock goes as the steady one does, or has done so for an hour since it was set."""
        offset, now = self._offset(), self._steady()
        if not _near(offset, self._trusted):
            if not _near(offset, self._set_to):
                self._set_to, self._set_at = offset, now
            if now - self._set_at < BELIEVED_AFTER:
                return False
        # What is set right slowly may come a long way in the end.
        self._trusted = self._set_to = offset
        return True

    def _offset(self) -> float:
        return self._wall() - self._steady()


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= TOLERANCE
