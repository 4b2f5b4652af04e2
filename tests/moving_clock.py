"""A clock that a test moves."""

import asyncio
from datetime import timedelta

from tests.builders import NOON


class MovingClock:
    """Implements the port `Clock`; time passes only by `advance`."""

    def __init__(self, now=NOON):
        self._now = now
        self._moved = asyncio.Condition()
        self._trusted = True
        self._passed = timedelta(0)

    def now(self):
        return self._now

    async def advance(self, **by):
        self._passed += timedelta(**by)
        await self._set(**by)

    def is_trusted(self):
        return self._trusted

    async def jump(self, **by):
        """Be set by somebody."""
        self._trusted = False
        await self._set(**by)

    async def be_believed(self, **by):
        """Be set right, or have gone on for long enough from where it was set to."""
        self._trusted = True
        await self._set(**by)

    async def sleep_until(self, moment):
        passed = self._passed + (moment - self._now)
        async with self._moved:
            await self._moved.wait_for(lambda: self._now >= moment or self._passed >= passed)

    async def _set(self, **by):
        self._now += timedelta(**by)
        async with self._moved:
            self._moved.notify_all()
