"""What a user may do with a pool and with their VM of it, and what stands against it (R6).

Each rule gives the refusal or None: the broker raises it, the views show it, so that they never differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import (
    AlreadyRunning,
    NoLoginName,
    NotRunning,
    PermissionMissing,
    PoolEmpty,
    PoolExhausted,
    PoolMisconfigured,
    Refused,
    Stopping,
)
from vmpool_ext.domain.machine import MachineState
from vmpool_ext.domain.permission import Permission

if TYPE_CHECKING:
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.permission import Permissions
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User


def why_nothing_given(pool: Pool, *, free: int, total: int) -> Refused | None:
    """Tell what keeps the pool from giving a VM to a user who has none of it."""
    if pool.misconfigured:
        return PoolMisconfigured(pool.name)
    if not total:
        return PoolEmpty(pool.name)
    return None if free else PoolExhausted(pool.name)


def why_nobody_of_that_name(user: User, pool: Pool) -> Refused | None:
    """Tell what keeps a pool that logs its users in from serving this one (R12)."""
    return NoLoginName(user.name) if pool.login_on_assignment and not user.can_log_in else None


def why_no_start(vm: VirtualMachine, may: Permissions) -> Refused | None:
    """Tell what keeps a user from starting the VM that is theirs.

    Whoever may have a VM may have it started once; starting it again needs the permission. One that is shutting down
    is started again when it is off.
    """
    if vm.state in (MachineState.RUNNING, MachineState.STARTING):
        return AlreadyRunning(vm.name)
    if vm.ran_since_assigned and Permission.START not in may:
        return PermissionMissing(Permission.START)
    return None


def why_no_stop(vm: VirtualMachine, may: Permissions) -> Refused | None:
    """Tell what keeps somebody from stopping a VM, be it theirs by a pool or by a grant on it."""
    if Permission.STOP not in may:
        return PermissionMissing(Permission.STOP)
    return _why_not_up(vm, MachineState.RUNNING, MachineState.STARTING)


def why_no_reset(vm: VirtualMachine, may: Permissions) -> Refused | None:
    """Tell what keeps somebody from resetting a VM, be it theirs by a pool or by a grant on it."""
    if Permission.RESET not in may:
        return PermissionMissing(Permission.RESET)
    return _why_not_up(vm, MachineState.RUNNING)


def why_no_own_start(vm: VirtualMachine, may: Permissions) -> Refused | None:
    """Tell what keeps somebody with a grant on the VM from starting it."""
    if Permission.START not in may:
        return PermissionMissing(Permission.START)
    return why_no_start(vm, may)


def _why_not_up(vm: VirtualMachine, *up: MachineState) -> Refused | None:
    if vm.state in up:
        return None
    return Stopping(vm.name) if vm.state is MachineState.STOPPING else NotRunning(vm.name)
