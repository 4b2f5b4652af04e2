"""Between a console tab's socket and a VM's display. No framework."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from vmpool_ext.domain.errors import InvalidTicket, NotRunning, Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmpool_ext.broker.consoles import OpenConsole
    from vmpool_ext.broker.ports import Display

log = logging.getLogger(__name__)

TICKET_NOT_GOOD = 4401
NOT_YOURS = 4403
DISPLAY_ENDED = 4409

_REASON_FOLLOWS_WITHIN = 2
"""Seconds: who is disconnected because the VM is not theirs any more sees the display end a moment before."""


class Socket(Protocol):
    """The browser's end."""

    async def send(self, data: bytes) -> None:
        """Send; return when more may be sent."""
        ...

    def leave(self, code: int) -> None:
        """Close, with the reason as a number."""
        ...


class Relay:
    """Carries bytes both ways until one end closes or the VM is not the user's any more."""

    def __init__(self, connect: Callable[[], Awaitable[OpenConsole]], socket: Socket) -> None:
        self._connect = connect
        self._socket = socket
        self._display: asyncio.Future[Display | None] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Connect, carry, and close both ends."""
        try:
            console = await self._connect()
        except (Refused, Unavailable) as error:
            log.info("console refused: %s", error.code)
            self._socket.leave(_code_of(error))
        else:
            await self._run(console)
        finally:
            if not self._display.done():
                self._display.set_result(None)

    async def receive(self, data: bytes) -> None:
        """Hand on what the browser sent; what it sends before the display is connected waits."""
        if display := await self._display:
            await display.write(data)

    async def _run(self, console: OpenConsole) -> None:
        self._display.set_result(console.display)
        try:
            self._socket.leave(await self._carry(console))
        finally:
            await console.display.close()

    async def _carry(self, console: OpenConsole) -> int:
        """Carry until the end, and tell why it is one."""
        saying = asyncio.create_task(self._hand_on_what_is_said(console.display), name="display to socket")
        ending = asyncio.create_task(_wait(console.ended), name="end of the console")
        try:
            await asyncio.wait({saying, ending}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({ending}, timeout=_REASON_FOLLOWS_WITHIN)
            return _code_of(ending.result()) if ending.done() else DISPLAY_ENDED
        finally:
            saying.cancel()
            ending.cancel()
            await asyncio.gather(saying, ending, return_exceptions=True)

    async def _hand_on_what_is_said(self, display: Display) -> None:
        while data := await display.read():
            await self._socket.send(data)


async def _wait(ended: Callable[[], Awaitable[Refused]]) -> Refused:
    return await ended()


def _code_of(error: Refused | Unavailable) -> int:
    if isinstance(error, InvalidTicket):
        return TICKET_NOT_GOOD
    return DISPLAY_ENDED if isinstance(error, (NotRunning, Unavailable)) else NOT_YOURS
