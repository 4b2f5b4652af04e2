"""Who is to be logged in to a VM, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import NoLoginName
from vmpool_ext.domain.machine import BOOT_TIMEOUT, LOGIN_FAILED
from vmpool_ext.domain.user import is_login_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.domain.errors import Refused
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool


def login_wanted(vm: VirtualMachine, pools: Mapping[str, Pool]) -> str | None:
    """Tell who is to be logged in: by the pool that assigned the VM, else by its definition; None is nobody."""
    return _wanted_by_pool(vm, pools) or vm.login_user


def why_never_logged_in(vm: VirtualMachine, pools: Mapping[str, Pool]) -> Refused | None:
    """Tell why the user is not even tried to be logged in: they had the VM before its pool did so, or by another writer."""
    name = _wanted_by_pool(vm, pools)
    return None if name is None or is_login_name(name) else NoLoginName(name)


def login_failed(vm: VirtualMachine) -> bool:
    """Whether the last attempt to log in came to nothing: since the guest is up, and since the VM is whose it is."""
    told = vm.user_logged_in
    since = max(vm.booted.since, vm.assignment.last_used) if vm.assignment else vm.booted.since
    return not told and told.reason == LOGIN_FAILED and told.since >= since


def agent_missing(vm: VirtualMachine) -> bool:
    """Whether the guest has had its time, and nothing in it has said that it could log anybody in."""
    return bool(vm.running) and not vm.booted and vm.booted.reason == BOOT_TIMEOUT


def _wanted_by_pool(vm: VirtualMachine, pools: Mapping[str, Pool]) -> str | None:
    pool = pools.get(vm.assignment.pool) if vm.assignment else None
    return vm.assignment.user if vm.assignment and pool and pool.login_on_assignment else None
