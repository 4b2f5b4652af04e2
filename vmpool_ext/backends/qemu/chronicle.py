"""Writes down what happens to a VM's machine, as VM-Operator's runner does."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu import happenings
from vmpool_ext.backends.resources import DISK, VM_KIND, with_annotation, with_disk_used

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vmpool_ext.backends.qemu.command_line import Size
    from vmpool_ext.backends.qemu.ledger import Ledger
    from vmpool_ext.backends.resources import Resource
    from vmpool_ext.broker.ports import Clock

    Happening = Callable[[Resource, datetime], Resource]


class Chronicle:
    """One VM's."""

    def __init__(self, vm: str, ledger: Ledger, clock: Clock) -> None:
        self._vm = vm
        self._ledger = ledger
        self._clock = clock

    async def starting(self, size: Size | None) -> None:
        """QEMU is about to be started."""
        await self._note(lambda vm, now: happenings.starting(vm, now, size))

    async def running(self, version: str) -> None:
        """QEMU runs; a machine that was found again goes on as it was."""
        await self._note(lambda vm, now: happenings.running(vm, now, f"qemu {version}"))

    async def disk_used(self) -> None:
        """Something may have been written to the VM's disk."""
        await self._note(lambda vm, _: with_disk_used(vm))

    async def disk_discarded(self) -> None:
        """What was written to the VM's disk is gone."""
        await self._note(lambda vm, _: with_annotation(vm, DISK, None))

    async def booted(self) -> None:
        """The guest's agent has greeted."""
        await self._note(happenings.booted)

    async def reset(self) -> None:
        """The guest begins anew."""
        await self._note(happenings.reset)

    async def not_booted(self, message: str) -> None:
        """No greeting came in time."""
        await self._note(lambda vm, now: happenings.not_booted(vm, now, message))

    async def console(self, *, connected: bool) -> None:
        """Somebody looks at the display, or nobody does any more."""
        await self._note(lambda vm, now: happenings.console(vm, now, connected=connected))

    async def terminating(self) -> None:
        """The machine is being switched off."""
        await self._note(happenings.terminating)

    async def stopped(self, message: str = "") -> None:
        """The machine is off, as it was wanted."""
        await self._note(lambda vm, now: happenings.off(vm, now, happenings.VM_STOPPED, message))

    async def stopped_by_itself(self, message: str, reason: str = happenings.VM_STOPPED) -> None:
        """The machine is off though it was wanted: it is not wanted any more, until somebody starts it again."""
        await self._note(lambda vm, now: happenings.not_wanted(happenings.off(vm, now, reason, message)))

    async def _note(self, happening: Happening) -> None:
        """Return when it is written, as of now: however long that takes."""
        await self._ledger.write_down(VM_KIND, self._vm, partial(_apply, happening, self._clock.now()))


def _apply(happening: Happening, now: datetime, vm: Resource) -> Resource:
    return happening(vm, now)
