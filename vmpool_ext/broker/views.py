"""What a browser may know, field by field (R13)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from vmpool_ext.domain.actions import (
    why_no_own_start,
    why_no_reset,
    why_no_start,
    why_no_stop,
    why_nobody_of_that_name,
    why_nothing_given,
)
from vmpool_ext.domain.assignment import kept_until
from vmpool_ext.domain.console import disconnects, others_are_connected, why_no_console, why_no_own_console
from vmpool_ext.domain.defects import Wrong
from vmpool_ext.domain.errors import NothingAssigned, PermissionMissing
from vmpool_ext.domain.login import login_failed
from vmpool_ext.domain.machine import BOOT_TIMEOUT, CRASHED, NEVER, START_FAILED, MachineState
from vmpool_ext.domain.permission import permissions_for
from vmpool_ext.domain.retention import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from vmpool_ext.broker.defects import Found
    from vmpool_ext.broker.inventory import Inventory, Problem
    from vmpool_ext.broker.losses import Loss
    from vmpool_ext.domain.errors import Refused
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.permission import Permissions
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

MOST_DEFECTS = 50
"""Told of at once."""

_FAULT_CODES = {START_FAILED: "start-failed", CRASHED: "crashed", BOOT_TIMEOUT: "boot-timeout"}


@dataclass(frozen=True, slots=True)
class Why:
    """Why something is not to be had: a code, and the permission that is missing if it is that."""

    code: str
    permission: str | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong with a VM, in the backend's words."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class VmView:
    """A VM as its user may see it."""

    name: str
    state: str
    booted: bool
    logged_in_user: str | None
    console: str
    display: str
    connection_file: bool
    restarts_for_reset: bool
    since: datetime | None
    retained_until: datetime | None
    os: str | None
    may: tuple[str, ...]
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class OwnVmView(VmView):
    """A VM on which the user has permissions of its own; ``used_by`` is whom opening the console would disconnect."""

    used_by: str | None
    why: Mapping[str, Why]


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool on which the user has some permission; ``why`` names the actions that are not to be had."""

    name: str
    free: int
    total: int
    retention: str
    may: tuple[str, ...]
    vm: VmView | None
    waiting: None
    why: Mapping[str, Why]


@dataclass(frozen=True, slots=True)
class Notice:
    """What an administrator should mend in pools and VMs, or what a user should know of what became of their VM.

    ``pool`` is empty where it is not about one pool.
    """

    pool: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All that one user may know."""

    revision: int
    pools: tuple[PoolView, ...]
    vms: tuple[OwnVmView, ...]
    notices: tuple[Notice, ...]
    problem: Problem | None


def vm_view(user: User, vm: VirtualMachine, pools: Mapping[str, Pool]) -> VmView:
    """Show a user's own VM of a pool to them."""
    kept = kept_until(vm, pools)
    retained_until = None if vm.console_open or kept == END_OF_TIME else kept
    return VmView(**_common(user, vm), retained_until=retained_until)


def own_vm_view(user: User, vm: VirtualMachine) -> OwnVmView:
    """Show a VM to a user with a grant on it."""
    may = permissions_for(user, vm.grants)
    refusals = {
        "start": why_no_own_start(vm, may),
        "stop": why_no_stop(vm, may),
        "reset": why_no_reset(vm, may),
        "console": why_no_own_console(user, vm, may),
    }
    used_by = disconnects(user, vm, may)
    return OwnVmView(**_common(user, vm), retained_until=None, used_by=used_by, why=_why(refusals))


def notices_for(user: User, inventory: Inventory) -> tuple[Notice, ...]:
    """Show administrators what is wrong with pools and VMs, by name (R7)."""
    if not user.administrator:
        return ()
    told = ((pool, kind, text) for pool in inventory.pools.values() for kind, text in _wrong_with(pool) if text)
    of_pools = (Notice(pool.name, kind, text) for pool, kind, text in sorted(told, key=lambda each: each[0].name))
    return (*of_pools, *_defect_notices(inventory))


def loss_notice(loss: Loss) -> Notice:
    """Tell a user that another writer has undone what was given to them."""
    message = f'The VM "{loss.vm}" was yours for a moment; another program that manages it has taken it back. Press Start again.'
    return Notice(loss.pool, "lost", message)


def pool_view(user: User, pool: Pool, inventory: Inventory) -> PoolView:
    """Show a pool, and the user's VM of it."""
    may = permissions_for(user, pool.grants)
    vm = next(iter(inventory.assigned(pool.name, user.name)), None)
    free, total = inventory.free(pool.name), inventory.total(pool.name)
    return PoolView(
        name=pool.name,
        free=free,
        total=total,
        retention=pool.retention_text,
        may=_words(may),
        vm=vm_view(user, vm, inventory.pools) if vm else None,
        waiting=None,
        why=_why(
            _own_refusals(user, vm, inventory.pools, may) if vm else _refusals_without_vm(user, pool, free, total)
        ),
    )


def _common(user: User, vm: VirtualMachine) -> dict[str, Any]:
    prepared = vm.assignment is None or (vm.is_clean_for(vm.assignment.user) and not vm.discarding)
    return {
        "name": vm.name,
        "state": vm.state if prepared or vm.state is not MachineState.RUNNING else MachineState.STARTING,
        "booted": bool(vm.running and vm.booted),
        "logged_in_user": vm.logged_in_user if vm.logged_in_user == user.name else None,
        "console": _console_word(user, vm),
        "display": vm.display,
        "connection_file": vm.opens_in_viewers,
        "restarts_for_reset": vm.restarts_for_reset,
        "since": None if vm.running.since == NEVER else vm.running.since,
        "os": vm.os,
        "may": _words(permissions_for(user, vm.grants)),
        "fault": _fault(vm),
    }


def _own_refusals(
    user: User, vm: VirtualMachine, pools: Mapping[str, Pool], may: Permissions
) -> dict[str, Refused | None]:
    return {
        "start": why_no_start(vm, may),
        "stop": why_no_stop(vm, may),
        "reset": why_no_reset(vm, may),
        "console": why_no_console(user, vm, pools, may),
    }


def _refusals_without_vm(user: User, pool: Pool, free: int, total: int) -> dict[str, Refused | None]:
    nothing = NothingAssigned(pool.name)
    others = dict.fromkeys(("stop", "reset", "console", "release"), nothing)
    start = why_nobody_of_that_name(user, pool) or why_nothing_given(pool, free=free, total=total)
    return {"start": start, **others}


def _wrong_with(pool: Pool) -> tuple[tuple[str, str | None], ...]:
    return ("error", pool.misconfigured), ("warning", pool.warning)


def _defect_notices(inventory: Inventory) -> Iterator[Notice]:
    """Tell of each defect once, whatever the number of VMs, and of so many that they can be read."""
    # That there is no pool of a name is known by a complete picture only.
    known = (
        each for each in inventory.defects.found() if not (inventory.problem and each.defect.kind is Wrong.NO_POOL)
    )
    for found in islice(known, MOST_DEFECTS):
        pool = found.defect.detail if found.defect.kind is Wrong.NO_POOL else ""
        yield Notice(pool, "vm", f"{_named(found)}: {found.defect}")
    if next(known, None):
        yield Notice("", "vm", "More is wrong than can be told at once. Mend this first.")


def _named(found: Found) -> str:
    names = ", ".join(f'"{name}"' for name in found.vms)
    more = f" and {found.more} more" if found.more else ""
    return f"{'VMs' if len(found.vms) > 1 else 'VM'} {names}{more}"


def _why(refusals: Mapping[str, Refused | None]) -> dict[str, Why]:
    return {action: _why_of(refusal) for action, refusal in refusals.items() if refusal}


def _why_of(refusal: Refused) -> Why:
    return Why(refusal.code, refusal.subject if isinstance(refusal, PermissionMissing) else None)


def _words(may: Permissions) -> tuple[str, ...]:
    return tuple(sorted(str(each) for each in may))


def _console_word(user: User, vm: VirtualMachine) -> str:
    if not vm.console_open:
        return "closed"
    return "inUse" if others_are_connected(user, vm) else "open"


def _fault(vm: VirtualMachine) -> Fault | None:
    if login_failed(vm):
        return Fault("login-failed", vm.user_logged_in.message)
    condition = vm.running if not vm.running else vm.booted
    code = _FAULT_CODES.get(condition.reason) if not condition else None
    return Fault(code, condition.message) if code else None
