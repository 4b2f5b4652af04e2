"""Who may open the console of a VM (R9, the pool's half)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import ConsoleInUse, NotRunning, PermissionMissing
from vmpool_ext.domain.permission import Permission

if TYPE_CHECKING:
    from vmpool_ext.domain.errors import Refused
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.permission import Permissions
    from vmpool_ext.domain.user import User


def others_are_connected(user: User, vm: VirtualMachine) -> bool:
    """Whether the console is open, and was last asked for by somebody else."""
    return vm.console_open and vm.console_user != user.name


def why_no_console(user: User, vm: VirtualMachine, may: Permissions) -> Refused | None:
    """Tell what keeps the user of an assigned VM from its console, or None."""
    if Permission.ACCESS_CONSOLE not in may:
        return PermissionMissing(Permission.ACCESS_CONSOLE)
    if not vm.running:
        return NotRunning(vm.name)
    if others_are_connected(user, vm) and Permission.TAKE_CONSOLE not in may:
        return ConsoleInUse(vm.name)
    return None
