"""Makes one VM's machine follow what is wanted of it."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from vmpool_ext.backends.qemu.attendant import Attendant
from vmpool_ext.backends.qemu.command_line import DEFAULT_POWERDOWN_TIMEOUT, powerdown_timeout, size_of
from vmpool_ext.backends.qemu.launcher import StartFailed
from vmpool_ext.backends.resources import (
    DISK,
    DISK_TO_DISCARD,
    VM_KIND,
    annotations_of,
    is_being_deleted,
    requested_state,
    vm_from_resource,
)
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable, InvalidDefinition
from vmpool_ext.domain.machine import CRASHED, START_FAILED, RequestedState

if TYPE_CHECKING:
    from vmpool_ext.backends.qemu.chronicle import Chronicle
    from vmpool_ext.backends.qemu.command_line import Size
    from vmpool_ext.backends.qemu.launcher import Launcher, Settings
    from vmpool_ext.backends.qemu.ledger import Ledger
    from vmpool_ext.backends.qemu.machine import Machine
    from vmpool_ext.backends.qemu.store import Stored
    from vmpool_ext.backends.resources import Resource
    from vmpool_ext.domain.machine import VirtualMachine

_log = logging.getLogger(__name__)
_RETRY_EVERY = 1
_LAST_NEWS_WITHIN = 5
_OBEYS_WITHIN = 30
"""Seconds from the power button to the end of a guest that obeys, however long others are given."""

_RESTART_WITHIN = 30
"""Seconds that a guest has to shut down for the next user: whose session it was has given it back, or stayed away."""

_START_AGAIN = "Press Start to start the VM again."
_WORDS_OF_AN_ORDERLY_END = {
    "guest-shutdown": "The guest shut itself down.",
    "host-qmp-quit": "QEMU was told to quit.",
    "host-signal": "QEMU was told to end by a signal.",
}


class Follower:
    """One VM's; does one thing after the other, so a start and a stop never meet."""

    def __init__(self, vm: str, ledger: Ledger, launcher: Launcher, chronicle: Chronicle, settings: Settings) -> None:
        self._vm = vm
        self._ledger = ledger
        self._launcher = launcher
        self._chronicle = chronicle
        self._settings = settings
        self._wake = asyncio.Event()
        self._attending: asyncio.Task[None] | None = None
        self._powerdown_timeout: float = DEFAULT_POWERDOWN_TIMEOUT
        self.machine: Machine | None = None

    def wake(self) -> None:
        """Look again at what is wanted."""
        self._wake.set()

    async def follow(self) -> None:
        """Go on until the VM's definition is gone, and its machine with it."""
        await self._find_again()
        while True:
            self._wake.clear()
            try:
                stored = await self._ledger.get(VM_KIND, self._vm)
            except BackendUnavailable as error:
                _log.warning("vm %s: what is wanted of it cannot be read: %s", self._vm, error)
                await asyncio.sleep(_RETRY_EVERY)
                continue
            if stored is None or stored.resource is None:
                await self._switch_off()
                # Defined anew in the meantime, it is looked at again.
                if not self._wake.is_set():
                    return
                continue
            await self._step(stored, stored.resource)

    async def let_go(self) -> None:
        """Stop following; the machine stays as it is."""
        await self._stop_attending()
        if self.machine:
            await self.machine.let_go()
            self.machine = None

    async def shut_down(self, within: float, message: str) -> None:
        """Switch the machine off because its server ends: it is not wanted until somebody starts it."""
        # One that was just being started is not held yet.
        self.machine = self.machine or await self._launcher.find(self._vm, within)
        if self.machine:
            await self.machine.shut_down(min(within, self._powerdown_timeout))
            await self._forget()
        elif not await self._is_wanted():
            return
        # A store that cannot be written must not keep the server from ending.
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_NEWS_WITHIN):
                await self._chronicle.stopped_by_itself(message)

    async def _is_wanted(self) -> bool:
        """Whether the VM would be started next, as one whose start ended before QEMU was spawned."""
        stored = await self._ledger.get(VM_KIND, self._vm)
        return bool(stored and stored.resource and _is_to_run(stored.resource))

    async def give_up(self, message: str) -> None:
        """Switch off a machine that cannot be followed, and say so."""
        await self._switch_off()
        await self._chronicle.stopped_by_itself(message, CRASHED)

    async def _step(self, stored: Stored, vm: Resource) -> None:
        """Do what comes next, or wait until there is something to do."""
        self._powerdown_timeout = powerdown_timeout(vm)
        wanted = _is_to_run(vm)
        if self.machine and self.machine.is_off:
            await self._note_end(self.machine)
        elif self.machine and not wanted:
            await self._stop_unless_wanted(self.machine)
        elif self.machine and vm_from_resource(vm, 0).restarting:
            await self._stop(self.machine, min(self._powerdown_timeout, _RESTART_WITHIN))
        elif not self.machine and annotations_of(vm).get(DISK) == DISK_TO_DISCARD:
            await self._discard()
        elif wanted and not self.machine:
            await self._start(vm)
        elif is_being_deleted(vm):
            await self._remove(stored.version)
        else:
            self._raise_what_attending_met()
            await self._wake.wait()

    async def _discard(self) -> None:
        """Throw away what was written to the disk; the next start makes a fresh one."""
        try:
            await self._launcher.discard(self._vm)
        except BackendUnavailable as error:
            _log.warning("vm %s: its disk cannot be discarded yet: %s", self._vm, error)
            await asyncio.sleep(_RETRY_EVERY)
        else:
            await self._chronicle.disk_discarded()
            _log.info("vm %s: its disk was discarded", self._vm)

    async def _note_disk(self) -> None:
        if await self._launcher.has_overlay(self._vm):
            await self._chronicle.disk_used()

    async def _start(self, vm: Resource) -> None:
        await self._chronicle.starting(_size(vm))
        try:
            machine = await self._launcher.launch(vm)
        except StartFailed as error:
            await self._note_disk()
            _log.warning("vm %s: start failed: %s", self._vm, error)
            await self._chronicle.stopped_by_itself(str(error), START_FAILED)
            return
        await self._take(machine, booted=False)
        _log.info("vm %s: started", self._vm)

    async def _stop(self, machine: Machine, within: float) -> None:
        await self._chronicle.terminating()
        await machine.shut_down(within)
        await self._note_stopped()

    async def _stop_unless_wanted(self, machine: Machine) -> None:
        """Stop it; one that is wanted again before its guest has obeyed goes on, unless another run is wanted."""
        await self._chronicle.terminating()
        wanted = await self._shut_down_unless_wanted(machine)
        begins_anew = bool(wanted and wanted.restarting)
        if not begins_anew:
            # The button cannot be released: a guest that has begun to shut down does not stop halfway.
            await asyncio.wait({machine.process.exited}, timeout=_OBEYS_WITHIN)
        if machine.is_off:
            await self._note_stopped()
        elif not begins_anew:
            await self._chronicle.running(machine.monitor.version)
            _log.info("vm %s: wanted again, and goes on", self._vm)

    async def _shut_down_unless_wanted(self, machine: Machine) -> VirtualMachine | None:
        """Shut the machine down until it is off or wanted; give the VM as it was when it was wanted."""
        shutting_down = asyncio.create_task(machine.shut_down(self._powerdown_timeout), name=f"vmpool stop {self._vm}")
        wanted = asyncio.create_task(self._until_wanted(), name=f"vmpool start {self._vm}")
        try:
            await asyncio.wait({shutting_down, wanted}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            shutting_down.cancel()
            wanted.cancel()
            await asyncio.wait({shutting_down, wanted})
        if not shutting_down.cancelled():
            shutting_down.result()
        return None if wanted.cancelled() else wanted.result()

    async def _until_wanted(self) -> VirtualMachine:
        while True:
            self._wake.clear()
            with suppress(BackendUnavailable):
                stored = await self._ledger.get(VM_KIND, self._vm)
                if stored and stored.resource and _is_to_run(stored.resource):
                    return vm_from_resource(stored.resource, stored.version)
            await self._wake.wait()

    async def _note_stopped(self) -> None:
        await self._forget()
        await self._chronicle.stopped()
        _log.info("vm %s: stopped", self._vm)

    async def _find_again(self) -> None:
        """Take over the machine that an earlier server left on, or note that it is gone."""
        try:
            stored = await self._ledger.get(VM_KIND, self._vm)
        except BackendUnavailable:
            stored = None  # Seen again, and told, when it is followed.
        machine = await self._launcher.find(self._vm)
        seen = vm_from_resource(stored.resource, 0) if stored and stored.resource else None
        if machine:
            await self._take(machine, booted=bool(seen and seen.booted))
            _log.info("vm %s: found running", self._vm)
        elif seen and seen.running:
            await self._note_gone(seen.requested)

    async def _note_gone(self, requested: RequestedState) -> None:
        if requested is RequestedState.STOPPED:
            await self._chronicle.stopped()
            return
        words = await self._launcher.last_words(self._vm)
        said = f" Its last words: {words}" if words else ""
        message = f"QEMU ended while no server was looking. {_START_AGAIN}{said}"
        await self._chronicle.stopped_by_itself(message, CRASHED)

    async def _take(self, machine: Machine, *, booted: bool) -> None:
        self.machine = machine
        await self._note_disk()
        await self._chronicle.running(machine.monitor.version)
        attendant = Attendant(machine, self._chronicle, self._settings, booted=booted)
        self._attending = asyncio.create_task(attendant.attend(), name=f"vmpool attend {self._vm}")
        self._attending.add_done_callback(lambda _: self.wake())
        machine.process.exited.add_done_callback(lambda _: self.wake())

    async def _note_end(self, machine: Machine) -> None:
        """The machine went off though it was not told to."""
        if self._attending:
            # What QEMU said last is still being read.
            await asyncio.wait({self._attending}, timeout=_LAST_NEWS_WITHIN)
        if machine.has_obeyed(self._powerdown_timeout):
            await self._note_stopped()
            return
        reason, message = await self._why(machine)
        await self._forget()
        _log.warning("vm %s: ended by itself: %s", self._vm, message)
        await self._chronicle.stopped_by_itself(message, reason)

    async def _why(self, machine: Machine) -> tuple[str, str]:
        words = _WORDS_OF_AN_ORDERLY_END.get(machine.why_shut_down or "")
        if words and not machine.why_given_up:
            return "VmStopped", words
        how = machine.why_given_up or f"{machine.process.exited.result()} unexpectedly."
        said = await self._launcher.last_words(self._vm)
        return CRASHED, f"{how} {_START_AGAIN}" + (f" Its last words: {said}" if said else "")

    async def _remove(self, version: int) -> None:
        try:
            await self._launcher.remove_disk(self._vm)
            await self._ledger.delete(VM_KIND, self._vm, version)
        except AssignmentConflict:
            _log.info("vm %s: changed while it was being deleted: looked at again", self._vm)
        except BackendUnavailable as error:
            _log.warning("vm %s: cannot be deleted yet: %s", self._vm, error)
            await asyncio.sleep(_RETRY_EVERY)

    async def _switch_off(self) -> None:
        if self.machine:
            await self.machine.switch_off()
            await self._forget()

    async def _forget(self) -> None:
        """Let go of a machine that is off."""
        await self.let_go()
        await self._launcher.forget(self._vm)

    async def _stop_attending(self) -> None:
        if self._attending:
            self._attending.cancel()
            await asyncio.wait({self._attending})
            self._attending = None

    def _raise_what_attending_met(self) -> None:
        if self._attending and self._attending.done():
            self._attending.result()


def _is_to_run(vm: Resource) -> bool:
    return requested_state(vm) is RequestedState.RUNNING and not is_being_deleted(vm)


def _size(vm: Resource) -> Size | None:
    with suppress(InvalidDefinition):
        return size_of(vm)
    return None
