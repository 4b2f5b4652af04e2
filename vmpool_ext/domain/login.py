"""Who is to be logged in to a VM, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.domain.machine import LOGIN_FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool


def login_wanted(vm: VirtualMachine, pools: Mapping[str, Pool]) -> str | None:
    """Tell who is to be logged in: by the pool that assigned the VM, else by its definition; None is nobody."""
    pool = pools.get(vm.assignment.pool) if vm.assignment else None
    return vm.assignment.user if vm.assignment and pool and pool.login_on_assignment else vm.login_user


def login_failed(vm: VirtualMachine) -> bool:
    """Whether the last attempt to log in came to nothing: since the guest is up, and since the VM is whose it is."""
    told = vm.user_logged_in
    since = max(vm.booted.since, vm.assignment.last_used) if vm.assignment else vm.booted.since
    return not told and told.reason == LOGIN_FAILED and told.since >= since
