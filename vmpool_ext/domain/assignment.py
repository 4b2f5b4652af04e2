"""Which VM a user gets, and how long it stays theirs (R2, R4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

from vmpool_ext.domain.machine import NEVER
from vmpool_ext.domain.retention import END_OF_TIME, RetainForever, Retention, after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vmpool_ext.domain.machine import Assignment, VirtualMachine
    from vmpool_ext.domain.pool import Pool

START_HOLD = timedelta(minutes=5)
"""An assignment is held so long for its first console, whatever the retention."""

EQUALLY_LONG = timedelta(weeks=1)
"""Counted from `NEVER`: where brokers are several, what was last used in the same of these is equal (docs/adr/0014)."""

Place = tuple[Any, ...]
"""Where a VM stands in an order of preference: the lesser, the better; ends with the name, so that no two are equal."""
Preference: TypeAlias = "Callable[[VirtualMachine], Place]"


def assignable_from(pool: Pool, vm: VirtualMachine, pools: Mapping[str, Pool]) -> datetime:
    """Tell from which moment on the pool may give the VM to somebody; `END_OF_TIME` if that cannot be said now."""
    if pool.misconfigured or pool.name not in vm.pools or vm.being_deleted or vm.console_open:
        return END_OF_TIME
    return kept_until(vm, pools, asking=pool.retention)


def is_assignable(pool: Pool, vm: VirtualMachine, pools: Mapping[str, Pool], now: datetime) -> bool:
    """A VM of the pool that nobody uses and that is not kept for anybody."""
    return assignable_from(pool, vm, pools) <= now


def kept_until(vm: VirtualMachine, pools: Mapping[str, Pool], asking: Retention | None = None) -> datetime:
    """Tell until when the VM is kept for its user: by the assigning pool's promise, or the asking pool's if later.

    A VM whose assigning pool is not known is kept: whether that pool is really gone is another rule's question (R11). So
    is one of which it cannot be read whose it is, or when it was used: whoever has it may be in it.
    """
    if vm.assignment_unclear:
        return END_OF_TIME
    if vm.assignment is None:
        return NEVER
    assigning = pools.get(vm.assignment.pool)
    promised = assigning.retention if assigning else RetainForever()
    ends = [retention.until(vm.last_used) for retention in (promised, asking) if retention]
    return max(*ends, _held_until(vm), NEVER)


def is_kept(vm: VirtualMachine, pools: Mapping[str, Pool], now: datetime) -> bool:
    """Whether nobody else may be given the VM now, whatever pool they ask (R3: else its user's claim is renewed)."""
    return vm.console_open or kept_until(vm, pools) > now


def later_use(vm: VirtualMachine) -> Assignment | None:
    """Give the assignment as it should be since its user came to the console or left it; None if it is so."""
    held = vm.assignment
    if held is None or vm.console_user != held.user or vm.console_connected.since <= held.last_used:
        return None
    if vm.assignment_unclear and not vm.console_open:
        # When it was used last cannot be read: that its user left it once does not say that this was the last time.
        return None
    return replace(held, last_used=vm.console_connected.since)


def _held_until(vm: VirtualMachine) -> datetime:
    """Tell how long the assignment is held for its first console."""
    if vm.assignment is None or vm.console_connected.since > vm.assignment.last_used:
        return NEVER
    return after(vm.assignment.last_used, START_HOLD)


def warm_first(vm: VirtualMachine) -> Place:
    """Warm ones first: they save their user the boot; then never used, longest unused; failed ones last of all."""
    return vm.start_failed, not vm.warm, vm.last_used, vm.name


def longest_unused_first(vm: VirtualMachine) -> Place:
    """Never used ones first, then longest unused, as VM-Operator chooses; warm when equal; failed ones last of all."""
    return vm.start_failed, vm.last_used, not vm.warm, vm.name


PREFERENCES: Mapping[str, Preference] = {
    "warm": warm_first,
    "longest-unused": longest_unused_first,
}


def scattered(prefer: Preference, broker: str) -> Preference:
    """The same order but among equals: each of several brokers has another one there, so that they seldom meet at a VM.

    Equal are VMs that were used in the same week: by the moment no two would be, and all brokers would prefer the
    same one.
    """

    def place(vm: VirtualMachine) -> Place:
        *better, name = ((key - NEVER) // EQUALLY_LONG if isinstance(key, datetime) else key for key in prefer(vm))
        return (*better, blake2b(f"{broker} {name}".encode(), digest_size=8).digest(), name)

    return place
