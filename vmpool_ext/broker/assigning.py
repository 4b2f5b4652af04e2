"""The one loop with conflicts: which VM a user has of a pool, given now if need be (R3, R5).

Every write is followed by a new reading, until a reading needs no write. The reading is the inventory once it has seen
the write: events come in the order of versions, so whoever sees a second VM of a user sees the first one too. The first
stays; whoever sees others releases them: nobody was told of those, for their writers see the first one as well. So the
outcome does not hang on who is faster, who crashes, or how many brokers there are. docs/adr/0004 has the reasons.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from vmpool_ext.broker.decisions import Ending
from vmpool_ext.domain.actions import why_nothing_given
from vmpool_ext.domain.assignment import is_kept
from vmpool_ext.domain.errors import AssignmentConflict, ClockJumped, Contention, PoolExhausted
from vmpool_ext.domain.machine import Assignment

if TYPE_CHECKING:
    from vmpool_ext.broker.decisions import Decisions
    from vmpool_ext.broker.inventory import Inventory
    from vmpool_ext.broker.ports import Backend, Clock
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Given:
    """The user's VM, and whether it became theirs just now."""

    vm: VirtualMachine
    newly: bool = False


class Assigning:
    """Assigns and renews."""

    def __init__(self, backend: Backend, inventory: Inventory, clock: Clock, decisions: Decisions) -> None:
        self._backend = backend
        self._inventory = inventory
        self._clock = clock
        self._decisions = decisions
        self._turns: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()

    async def assigned_or_given(self, pool: Pool, user: User) -> Given:
        """Give the user's VM of the pool, the best assignable one if they have none; or raise `PoolExhausted`."""
        # Not needed to be right, only to be sparing: a double click would take two VMs for a moment.
        async with self._turns.setdefault((pool.name, user.name), asyncio.Lock()):
            return await self._settle(pool, user)

    async def _settle(self, pool: Pool, user: User) -> Given:
        written: Given | None = None
        for _ in range(ATTEMPTS):
            self._inventory.require_fresh()
            mine = self._inventory.assigned(pool.name, user.name)
            first = mine[0] if mine else None
            if len(mine) > 1:
                await self._release(mine[-1])
            elif first and (settled := self._settled(first, written)):
                return settled
            else:
                written = await self._write(pool, user, first) or written
        raise Contention

    def _settled(self, vm: VirtualMachine, written: Given | None) -> Given | None:
        """Tell the outcome if the reading needs no write: an own VM that nobody else may be given."""
        if written and written.vm.name == vm.name:
            return replace(written, vm=vm)
        # One whose last use cannot be read is kept from others, but written anew by whose it is.
        kept = is_kept(vm, self._inventory.pools, self._clock.now()) and not vm.assignment_unclear
        return Given(vm) if kept else None

    async def _write(self, pool: Pool, user: User, mine: VirtualMachine | None) -> Given | None:
        """Renew the VM at hand or give the best one; None if somebody else was faster."""
        vm = mine or self._inventory.reserve(pool.name)
        if vm is None:
            await self._refuse_unless_undecided(pool)
            return None
        try:
            given = await self._backend.assign(vm, Assignment(pool.name, user.name, self._clock.now()))
        except AssignmentConflict:
            # A new choice drops this VM until something newer is known of it; a renewal has to wait for that.
            if mine:
                await self._inventory.other_than(vm)
            return None
        except BaseException:
            # Whatever it was, also what nobody foresaw: others wait for what becomes of a reserved VM.
            self._inventory.put_back(vm)
            raise
        if not mine:
            self._decisions.assigned(given, before=vm.assignment)
        # Not taken in from here: a reading that sees this write must have seen all that came before it.
        await self._inventory.seen(given.version)
        return Given(given, newly=not mine)

    async def _refuse_unless_undecided(self, pool: Pool) -> None:
        """Say that there is none only when no VM is on its way to somebody: it may be on its way to this very user."""
        if not await self._inventory.undecided(pool.name):
            if not self._clock.is_trusted() and self._inventory.free(pool.name):
                raise ClockJumped(pool.name)
            refusal = why_nothing_given(pool, free=0, total=self._inventory.total(pool.name))
            raise refusal or PoolExhausted(pool.name)

    async def _release(self, vm: VirtualMachine) -> None:
        try:
            released = await self._backend.release(vm)
        except AssignmentConflict:
            await self._inventory.other_than(vm)
        else:
            self._decisions.released(vm, Ending.SECOND)
            await self._inventory.seen(released.version)
