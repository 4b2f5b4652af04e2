"""The followers of all VMs: one task each, begun and ended here."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.chronicle import Chronicle
from vmpool_ext.backends.qemu.follower import Follower
from vmpool_ext.backends.qemu.launcher import Launcher
from vmpool_ext.backends.qemu.store import Everything, Stored
from vmpool_ext.backends.resources import VM_KIND
from vmpool_ext.domain.errors import BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmpool_ext.backends.qemu.launcher import Settings
    from vmpool_ext.backends.qemu.ledger import Ledger
    from vmpool_ext.backends.qemu.machine import Machine
    from vmpool_ext.backends.qemu.watcher import Unwritten
    from vmpool_ext.broker.ports import Clock

_log = logging.getLogger(__name__)
_RETRY_EVERY = 1
_GIVEN_UP = "An error in the server ended the VM; its log has more. Press Start to try again."
_LAST_CALL = 10
"""Seconds that a guest has to shut down when its server ends."""


class Fleet:
    """Every VM has its follower, as long as it is defined."""

    def __init__(self, ledger: Ledger, clock: Clock, settings: Settings) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._launcher = Launcher(settings, ledger.get)
        self._followers: dict[str, Follower] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._watching: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow."""
        self._watching = asyncio.create_task(self._watch(), name="vmpool fleet")

    async def stop(self, *, vms: bool) -> None:
        """End every task, and the machines too if wanted."""
        await _end(self._watching, *self._tasks.values())
        followers = list(self._followers.values())
        message = "The server that ran the VM was ended."
        last = [follower.shut_down(_LAST_CALL, message) for follower in followers] if vms else []
        _log_errors(await asyncio.gather(*last, return_exceptions=True))
        _log_errors(await asyncio.gather(*(follower.let_go() for follower in followers), return_exceptions=True))
        self._followers.clear()

    def machine(self, vm: str) -> Machine | None:
        """Give the VM's machine if it is on."""
        follower = self._followers.get(vm)
        machine = follower.machine if follower else None
        return None if machine is None or machine.is_off else machine

    async def _watch(self) -> None:
        while True:
            try:
                async with aclosing(self._ledger.watch()) as changes:
                    async for change in changes:
                        self._look_at(change)
            except BackendUnavailable as error:
                _log.warning("The VMs cannot be watched: %s", error)
                await asyncio.sleep(_RETRY_EVERY)

    def _look_at(self, change: Everything | Stored | Unwritten) -> None:
        match change:
            case Everything(resources):
                for stored in resources:
                    self._look_at_one(stored)
            case Stored():
                self._look_at_one(change)

    def _look_at_one(self, stored: Stored) -> None:
        name = stored.name
        if stored.kind != VM_KIND or (stored.resource is None and name not in self._followers):
            return
        if name not in self._followers:
            chronicle = Chronicle(name, self._ledger, self._clock)
            follower = Follower(name, self._ledger, self._launcher, chronicle, self._settings)
            self._followers[name] = follower
            self._tasks[name] = asyncio.create_task(self._keep(name, follower), name=f"vmpool vm {name}")
        self._followers[name].wake()

    async def _keep(self, name: str, follower: Follower) -> None:
        broken = False
        while True:
            try:
                if broken:
                    await follower.give_up(_GIVEN_UP)
                await follower.follow()
            except Exception:  # noqa: BLE001  # whatever it is, the VM shows it, and the others go on
                _log.exception("vm %s: cannot be followed", name)
                broken = True
                await asyncio.sleep(_RETRY_EVERY)
            else:
                break
        # Defined anew in the meantime, it gets a new one: nothing waits between here and there.
        del self._followers[name], self._tasks[name]


def _log_errors(results: Iterable[BaseException | None]) -> None:
    for error in results:
        if error is not None:
            _log.error("A VM cannot be let go of", exc_info=error)


async def _end(*tasks: asyncio.Task[None] | None) -> None:
    running = [task for task in tasks if task]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
