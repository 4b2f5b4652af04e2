"""What has to be written when something has happened to a VM, by whichever broker sees it first.

The end of a restart: a VM that was stopped only to be started again is started. And the last use: when the console of a VM is
opened or closed by whom the VM is assigned to, that moment is the assignment's last use. VM-Operator's manager means to write
that too, and does for others only (its test of the user is the wrong way round); it never takes a later time back, so the two
do not fight.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from vmpool_ext.backends import resources
from vmpool_ext.backends.kubernetes import notes
from vmpool_ext.broker.ports import Listed, VmChanged
from vmpool_ext.domain.assignment import later_use
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import RequestedState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmpool_ext.backends.kubernetes.writes import Writes
    from vmpool_ext.broker.ports import Event
    from vmpool_ext.domain.machine import VirtualMachine

    Write = Callable[[], Awaitable[VirtualMachine]]

log = logging.getLogger(__name__)


class Upkeep:
    """Writes to one VM at a time; what is refused was seen to by somebody else, or is seen again."""

    def __init__(self, writes: Writes) -> None:
        self._writes = writes
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._missed: dict[str, VirtualMachine] = {}
        """What was told of VMs while something was written to them."""

    def see(self, event: Event) -> None:
        """Look at what an event tells, and begin what it calls for."""
        match event:
            case Listed(vms=vms):
                for vm in vms:
                    self._look_at(vm)
            case VmChanged(vm):
                self._look_at(vm)

    async def close(self) -> None:
        """Leave what is not done to whoever sees it next."""
        tasks = list(self._busy.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look_at(self, vm: VirtualMachine) -> None:
        if vm.name in self._busy:
            self._missed[vm.name] = vm
        elif write := self._called_for(vm):
            task = asyncio.create_task(self._do(vm.name, write), name=f"vmpool upkeep {vm.name}")
            self._busy[vm.name] = task

    def _called_for(self, vm: VirtualMachine) -> Write | None:
        if is_to_be_started_again(vm):
            on = RequestedState.RUNNING
            return lambda: self._writes.definition(
                vm, state=on.value, notes=notes.NOT_ENDING, requested=on, ending_run=None
            )
        if used := later_use(vm):
            parts = resources.with_assignment({}, used)
            return lambda: self._writes.status(vm, parts, assignment=used)
        return None

    async def _do(self, name: str, write: Write) -> None:
        try:
            await write()
        except AssignmentConflict:
            log.debug("vm %s: changed before it was seen to", name)
        except BackendUnavailable as error:
            log.warning("vm %s: %s", name, error)
        finally:
            del self._busy[name]
        if missed := self._missed.pop(name, None):
            self._look_at(missed)


def is_to_be_started_again(vm: VirtualMachine) -> bool:
    """Whether the run has ended that was to end for another to begin."""
    return vm.ending_run is not None and not vm.running and vm.requested is RequestedState.RUNNING
