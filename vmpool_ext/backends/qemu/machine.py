"""A machine that is on: its process, its monitor, and how it is switched off."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.command_line import AGENT
from vmpool_ext.backends.qemu.conversation import Conversation
from vmpool_ext.backends.qemu.qmp import MonitorError, Qmp

if TYPE_CHECKING:
    from vmpool_ext.backends.qemu.places import Places
    from vmpool_ext.backends.qemu.process import Process

_PRESS_AGAIN_AFTER = 1
_PRESS_AT_LEAST_EVERY = 30
"""Seconds: a guest that is still booting does not see the button the first time; one that is busy needs no more."""

_QUIT_WITHIN = 5
"""Seconds that QEMU itself is given to end."""

_LAST_WORDS_WITHIN = 1
"""Seconds between the end of the process and that of its lines."""

_PASSWORD_LASTS = 10
"""Seconds."""


class Machine:
    """One QEMU process under control."""

    def __init__(self, process: Process, monitor: Qmp, places: Places, hearing: asyncio.Task[None]) -> None:
        self.process = process
        self.monitor = monitor
        self.places = places
        self.agent = Conversation()
        self._hearing = hearing
        self.why_shut_down: str | None = None
        """QEMU's word for why it ends, once it has said it."""
        self.why_given_up: str | None = None
        """Our own words, if it was we who had to end it."""
        self._told_at = -math.inf

    @property
    def is_off(self) -> bool:
        """Whether the process has ended."""
        return self.process.exited.done()

    async def shut_down(self, within: float) -> None:
        """Press the power button and wait; a guest that does not obey in time is switched off."""
        self._told_at = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(within):
                await self._press_power_button_until_off()
        except TimeoutError:
            await self.switch_off()

    def has_obeyed(self, within: float) -> bool:
        """Whether the guest shut down as it was told to not longer ago than that; its power button stays pressed."""
        is_fresh = asyncio.get_running_loop().time() - self._told_at <= within
        return is_fresh and self.why_shut_down == "guest-shutdown"

    async def switch_off(self) -> None:
        """Have QEMU quit, else end it by force."""
        try:
            async with asyncio.timeout(_QUIT_WITHIN):
                with suppress(MonitorError):
                    await self.monitor.execute("quit")
                await asyncio.shield(self.process.exited)
        except TimeoutError:
            self.process.kill()
            await asyncio.shield(self.process.exited)

    def give_up(self, why: str) -> None:
        """End by force what cannot be served any more."""
        self.why_given_up = why
        self.process.kill()

    async def reset(self) -> None:
        """Press the reset button."""
        await self.monitor.execute("system_reset")

    async def take_password(self, password: str) -> None:
        """Let the display take connections with this password for some seconds."""
        # Whatever fails on the way, no password is left that is good for ever, nor one of before that is good again.
        await self.expire_password()
        await self.monitor.execute("set_password", protocol="vnc", password=password)
        await self.monitor.execute("expire_password", protocol="vnc", time=f"+{_PASSWORD_LASTS}")

    async def expire_password(self) -> None:
        """Let no password open the display any more."""
        await self.monitor.execute("expire_password", protocol="vnc", time="now")

    async def viewers(self) -> set[str]:
        """Tell who is connected to the display, by the names of their sockets."""
        told = await self.monitor.execute("query-vnc")
        return {client["service"] for client in told.get("clients", [])}

    async def has_agent(self) -> bool:
        """Whether somebody in the guest holds the other end of the agent's line."""
        told = await self.monitor.execute("query-chardev")
        return any(line["frontend-open"] for line in told if line["label"] == AGENT)

    async def has_internal_error(self) -> bool:
        """Whether the accelerator gave the guest up."""
        told = await self.monitor.execute("query-status")
        return bool(told.get("status") == "internal-error")

    async def reconnect(self, within: float) -> None:
        """Connect to the monitor anew, or raise `MonitorError`."""
        await self.monitor.close()
        self.monitor = await Qmp.connect(self.places.qmp, within)

    async def let_go(self) -> None:
        """Disconnect; the machine stays as it is."""
        await self.monitor.close()
        if self.is_off:
            # What the guest said last is still being heard.
            await asyncio.wait({self._hearing}, timeout=_LAST_WORDS_WITHIN)
        self._hearing.cancel()
        await asyncio.wait({self._hearing})
        self.process.close()

    async def _press_power_button_until_off(self) -> None:
        pause = _PRESS_AGAIN_AFTER
        while not self.is_off:
            with suppress(MonitorError):
                await self.monitor.execute("system_powerdown")
            await asyncio.wait({self.process.exited}, timeout=pause)
            pause = min(2 * pause, _PRESS_AT_LEAST_EVERY)
