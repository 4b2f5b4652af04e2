"""Doing something to a VM as it is now: judged and done again when it changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.broker.assigning import ATTEMPTS
from vmpool_ext.domain.errors import AlreadyRunning, AssignmentConflict, Contention
from vmpool_ext.domain.machine import RequestedState
from vmpool_ext.domain.pool import EndAction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmpool_ext.broker.decisions import Decisions, Ending
    from vmpool_ext.broker.inventory import Inventory
    from vmpool_ext.broker.losses import Losses
    from vmpool_ext.broker.ports import Backend
    from vmpool_ext.domain.errors import Refused
    from vmpool_ext.domain.machine import VirtualMachine

    Look = Callable[[], VirtualMachine]
    """Gives the VM as it is known now, or raises what stands against it."""
    Rule = Callable[[VirtualMachine], Refused | None]
    Act = Callable[[VirtualMachine], Awaitable[VirtualMachine | None]]


def nothing_against(_: VirtualMachine) -> None:
    """Tell that nothing stands against it."""


class Acting:
    """The acts, and the loop around them."""

    def __init__(self, backend: Backend, inventory: Inventory, losses: Losses, decisions: Decisions) -> None:
        self._backend = backend
        self._inventory = inventory
        self._losses = losses
        self._decisions = decisions

    async def on(self, look: Look, why_not: Rule, act: Act) -> VirtualMachine:
        """Judge and act, again as often as the VM was not any more as it was judged."""
        for _ in range(ATTEMPTS):
            vm = look()
            refusal = why_not(vm)
            if isinstance(refusal, AlreadyRunning):
                return vm
            if refusal:
                raise refusal
            try:
                written = await act(vm)
            except AssignmentConflict:
                await self._inventory.other_than(vm)
            else:
                if written:
                    self._inventory.observe(written)
                return written or vm
        raise Contention

    async def request_running(self, vm: VirtualMachine) -> VirtualMachine:
        """Have it run."""
        return await self._backend.request_state(vm, RequestedState.RUNNING)

    async def request_stopped(self, vm: VirtualMachine) -> VirtualMachine:
        """Have it off."""
        return await self._backend.request_state(vm, RequestedState.STOPPED)

    async def reset(self, vm: VirtualMachine) -> None:
        """Press its reset button."""
        await self._backend.reset(vm)

    async def release(self, vm: VirtualMachine, action: EndAction, why: Ending) -> VirtualMachine:
        """Disconnect who is connected, do what the pool wants at the end, then let the VM be nobody's (R10)."""
        await self._backend.disconnect(vm)
        if action in (EndAction.STOP, EndAction.DISCARD) and vm.requested is RequestedState.RUNNING:
            vm = await self.request_stopped(vm)
        if action is EndAction.DISCARD and vm.disk_used:
            vm = await self._backend.discard(vm)
        if held := vm.assignment:
            self._losses.given_back(held.pool, held.user)
        released = await self._backend.release(vm)
        self._decisions.released(vm, why)
        return released
