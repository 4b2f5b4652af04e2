"""Ends what somebody does at its n-th await: there where it stands, whatever it waits for."""

import asyncio
import types
from contextvars import ContextVar


class Cut:
    """Counts awaits, and cuts at one of them."""

    def __init__(self, fatal):
        self.awaits = 0
        self.happened = asyncio.Event()
        self._fatal = fatal

    async def through(self, coro):
        """Do it, but for what comes after the cut."""
        return await self._driven(coro)

    @types.coroutine
    def _driven(self, coro):
        step, told = coro.send, None
        while True:
            try:
                awaited = step(told)
            except StopIteration as done:
                return done.value
            self.awaits += 1
            if self.awaits == self._fatal:
                self.happened.set()
                asyncio.current_task().cancel()
            try:
                step, told = coro.send, (yield awaited)
            except BaseException as error:  # noqa: BLE001  # it is the driven one's own matter
                step, told = coro.throw, error


to_cut: ContextVar[Cut | None] = ContextVar("to_cut", default=None)
"""What cuts the tasks that are begun from here, where they are of the kind that is cut."""


def cutting(kind):
    """Give a factory of tasks by which those of this kind are driven by what is to cut them."""

    def made(loop, coro, **options):
        cut = to_cut.get()
        if cut and coro.__qualname__ == kind:
            coro = cut.through(coro)
        return asyncio.Task(coro, loop=loop, **options)

    return made
