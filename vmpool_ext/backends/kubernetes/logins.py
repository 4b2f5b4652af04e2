"""Logging in and out, which VM-Operator does by itself: here it is only waited for.

Its manager has whoever a VM is assigned to logged in, where the pool wants that, and logged out when the VM is not theirs any
more. What the guest's agent says of a failure stays in the runner's log; so what is told here is only that it did not happen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmpool_ext.backends.kubernetes import notes
from vmpool_ext.backends.kubernetes.objects import read_vm
from vmpool_ext.backends.kubernetes.telling import asking
from vmpool_ext.backends.kubernetes.waiting import until
from vmpool_ext.domain.errors import AgentFailed
from vmpool_ext.domain.user import require_login_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmpool_ext.backends.kubernetes.place import Place
    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.machine import VirtualMachine


class Logins:
    """Those of the VMs of one namespace."""

    def __init__(self, place: Place, clock: Clock, timeout: float) -> None:
        self._place = place
        self._clock = clock
        self._timeout = timeout

    async def log_in(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Wait until the user is logged in; note it where that does not come about."""
        await self._place.writes.require_unchanged(vm)
        require_login_name(user)
        words = f"VM-Operator has not logged in {user} within {self._timeout:g} seconds. Its runner's log says why."
        try:
            return await self._until(vm, lambda now: now.logged_in_user == user, words)
        except AgentFailed:
            await self._note(vm.name, notes.login_failure(self._clock.now(), words))
            raise

    async def log_out(self, vm: VirtualMachine) -> VirtualMachine:
        """Wait until whoever was logged in is not any more; the next user may be by then."""
        await self._place.writes.require_unchanged(vm)
        words = f"VM-Operator has not logged out {vm.logged_in_user} within {self._timeout:g} seconds."
        return await self._until(vm, lambda now: now.logged_in_user is None or _is_next(vm, now), words)

    async def _until(self, vm: VirtualMachine, holds: Callable[[VirtualMachine], bool], words: str) -> VirtualMachine:
        try:
            return await until(self._place.watch_vm(vm.name, read_vm), holds, self._timeout)
        except TimeoutError as error:
            raise AgentFailed(words) from error

    async def _note(self, name: str, annotations: dict[str, Any]) -> None:
        with asking():
            await self._place.client.patch(f"{self._place.vms}/{name}", {"metadata": {"annotations": annotations}})


def _is_next(before: VirtualMachine, now: VirtualMachine) -> bool:
    assigned = now.assignment.user if now.assignment else None
    return now.logged_in_user == assigned != before.logged_in_user
