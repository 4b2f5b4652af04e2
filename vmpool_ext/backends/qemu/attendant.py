"""Listens to a machine that is on, and has written down what it hears."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.qemu.agent import GREETING, Caller
from vmpool_ext.backends.qemu.qmp import MonitorError

if TYPE_CHECKING:
    from qemu.qmp import Message

    from vmpool_ext.backends.qemu.chronicle import Chronicle
    from vmpool_ext.backends.qemu.launcher import Settings
    from vmpool_ext.backends.qemu.machine import Machine

_END_FOLLOWS_WITHIN = 2
"""Seconds between the end of the monitor and that of the process."""


class Attendant:
    """One machine's, from its start, or from its being found again, to its end."""

    def __init__(self, machine: Machine, chronicle: Chronicle, settings: Settings, *, booted: bool) -> None:
        self._machine = machine
        self._chronicle = chronicle
        self._settings = settings
        self._viewers: set[str] = set()
        self._greeted = asyncio.Event()
        self._boots_again = asyncio.Event()
        if booted:
            self._greeted.set()

    async def attend(self) -> None:
        """Listen until the machine is off."""
        async with asyncio.TaskGroup() as group:
            caller = Caller(self._machine, self._greeted, self._hear_agent)
            helpers = [group.create_task(caller.call()), group.create_task(self._time_boot())]
            await self._hear_monitor()
            for helper in helpers:
                helper.cancel()

    async def _hear_monitor(self) -> None:
        while not self._machine.is_off:
            with suppress(MonitorError):
                self._viewers = await self._machine.viewers()
            await self._chronicle.console(connected=bool(self._viewers))
            async with aclosing(self._machine.monitor.events()) as events:
                async for event in events:
                    await self._hear(event)
            await self._end_or_reconnect()

    async def _hear(self, event: Message) -> None:
        data: Any = event.get("data") or {}
        match event["event"]:
            case "SHUTDOWN":
                self._machine.why_shut_down = data.get("reason", "")
            case "RESET":
                await self._note_reset()
            case "STOP":
                await self._note_pause()
            case "VNC_INITIALIZED":
                await self._note_viewers(self._viewers | {data["client"]["service"]})
            case "VNC_DISCONNECTED":
                # Whoever did not know the password was never among them.
                await self._note_viewers(self._viewers - {data["client"]["service"]})

    async def _note_viewers(self, viewers: set[str]) -> None:
        self._viewers = viewers
        await self._chronicle.console(connected=bool(viewers))

    async def _note_reset(self) -> None:
        # One that resets itself over and over and never comes up still has only the time it was given at first.
        if self._greeted.is_set():
            self._greeted.clear()
            self._boots_again.set()
        await self._chronicle.reset()

    async def _note_pause(self) -> None:
        with suppress(MonitorError):
            if await self._machine.has_internal_error():
                self._machine.give_up(
                    "The accelerator could not go on with the guest. Set QemuBackend.accelerator to tcg."
                )

    async def _end_or_reconnect(self) -> None:
        await asyncio.wait({self._machine.process.exited}, timeout=_END_FOLLOWS_WITHIN)
        if self._machine.is_off:
            return
        try:
            await self._machine.reconnect(self._settings.start_timeout)
        except MonitorError:
            self._machine.give_up("QEMU did not answer any more and was ended.")
            await asyncio.shield(self._machine.process.exited)

    async def _hear_agent(self, code: int) -> None:
        if code == GREETING:
            self._greeted.set()
            await self._chronicle.booted()

    async def _time_boot(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._settings.boot_timeout):
                    await self._greeted.wait()
            except TimeoutError:
                await self._chronicle.not_booted(self._why_not_booted())
            await self._boots_again.wait()
            self._boots_again.clear()

    def _why_not_booted(self) -> str:
        waited = f"The guest has not said that it is up for {self._settings.boot_timeout:g} seconds."
        return f"{waited} Look at its display, or at {self._machine.places.serial}."
