"""Whose work is on a VM's disks, where the pool promises fresh ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.domain.pool import EndAction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool


def is_to_be_discarded(vm: VirtualMachine, pools: Mapping[str, Pool]) -> bool:
    """Whether the VM was given by a pool that discards disks, and another has left something on them."""
    pool = pools.get(vm.assignment.pool) if vm.assignment else None
    if vm.assignment is None or pool is None or pool.end_action is not EndAction.DISCARD:
        return False
    return vm.disk_user not in (None, vm.assignment.user)


def runs_on_old_disks(vm: VirtualMachine, pools: Mapping[str, Pool]) -> bool:
    """Whether this run is on disks that its user is not to see."""
    return bool(vm.running) and (vm.discarding or is_to_be_discarded(vm, pools))
