"""Who may open the console of a VM (R9): by the pool that assigned it, or by a grant on the VM itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.domain.disks import runs_on_old_disks
from vmpool_ext.domain.errors import (
    AgentMissing,
    AssignedToAnother,
    BeingPrepared,
    ConsoleInUse,
    LoginFailed,
    NotRunning,
    PermissionMissing,
    WaitingForLogin,
)
from vmpool_ext.domain.login import agent_missing, login_failed, login_wanted, why_never_logged_in
from vmpool_ext.domain.permission import Permission

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.domain.errors import Refused
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.permission import Permissions
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User


def others_are_connected(user: User, vm: VirtualMachine) -> bool:
    """Whether the console is open, and was last asked for by somebody else."""
    return vm.console_open and vm.console_user != user.name


def is_assigned_to_another(user: User, vm: VirtualMachine) -> bool:
    """Whether the VM is somebody else's, by a pool; one of which it cannot be read whose it is may be."""
    return vm.assignment.user != user.name if vm.assignment else vm.assignment_unclear


def disconnects(user: User, vm: VirtualMachine, may: Permissions) -> str | None:
    """Tell whom the user would disconnect by opening the console: shown to those who may (R13)."""
    if Permission.TAKE_CONSOLE not in may:
        return None
    if others_are_connected(user, vm):
        return vm.console_user
    return vm.assignment.user if vm.assignment and is_assigned_to_another(user, vm) else None


def why_no_console(user: User, vm: VirtualMachine, pools: Mapping[str, Pool], may: Permissions) -> Refused | None:
    """Tell what keeps the user whom a pool assigned the VM to from its console, or None."""
    if refusal := _why_not_at_all(vm, may):
        return refusal
    if not vm.is_clean_for(user.name) or runs_on_old_disks(vm, pools):
        return BeingPrepared(vm.name)
    if others_are_connected(user, vm) and Permission.TAKE_CONSOLE not in may:
        return ConsoleInUse(vm.name)
    if login_wanted(vm, pools) in (None, vm.logged_in_user):
        return None
    return why_never_logged_in(vm, pools) or _why_not_logged_in(vm)


def why_no_own_console(user: User, vm: VirtualMachine, may: Permissions) -> Refused | None:
    """Tell what keeps a user with a grant on the VM from its console; with takeConsole nobody else does."""
    if refusal := _why_not_at_all(vm, may):
        return refusal
    if Permission.TAKE_CONSOLE in may:
        return None
    if others_are_connected(user, vm):
        return ConsoleInUse(vm.name)
    if is_assigned_to_another(user, vm):
        return AssignedToAnother(vm.name)
    return BeingPrepared(vm.name) if vm.assignment and not vm.is_clean_for(user.name) else None


def _why_not_logged_in(vm: VirtualMachine) -> Refused:
    if agent_missing(vm):
        return AgentMissing(vm.name)
    return LoginFailed(vm.name) if login_failed(vm) else WaitingForLogin(vm.name)


def _why_not_at_all(vm: VirtualMachine, may: Permissions) -> Refused | None:
    if Permission.ACCESS_CONSOLE not in may:
        return PermissionMissing(Permission.ACCESS_CONSOLE)
    if vm.restarting:
        return BeingPrepared(vm.name)
    return None if vm.running else NotRunning(vm.name)
