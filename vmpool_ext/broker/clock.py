"""The clock of this machine; made by roots only, so that everybody else takes one that tests can move."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

# A sleeping timer does not see that the wall clock was set: look again now and then.
_LONGEST_NAP = timedelta(minutes=1)


class SystemClock:
    """Implements the port `Clock`."""

    def now(self) -> datetime:
        """Tell the time, in UTC."""
        return datetime.now(UTC)  # noqa: TID251  # this is the clock

    async def sleep_until(self, moment: datetime) -> None:
        """Return when the wall clock shows this moment."""
        while (left := moment - self.now()) > timedelta(0):  # noqa: ASYNC110  # nobody tells of time
            await asyncio.sleep(min(left, _LONGEST_NAP).total_seconds())
