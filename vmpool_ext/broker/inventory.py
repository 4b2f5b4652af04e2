"""The latest known pools and VMs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from vmpool_ext.broker.candidates import Candidates
from vmpool_ext.broker.defects import Defects
from vmpool_ext.broker.ports import Behind, Event, Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted
from vmpool_ext.domain.assignment import assignable_from, warm_first
from vmpool_ext.domain.defects import Defect, Wrong
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.retention import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from vmpool_ext.broker.candidates import Prefer
    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User


T = TypeVar("T")

WHILE_THE_CLOCK_IS_WRONG = timedelta(minutes=1)
"""Nothing tells when it is set right: so what hangs on it is looked at again so often."""

LOADING = "loading"
UNDRAWN = -1


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the picture may not be the latest, and since when."""

    code: str
    message: str
    since: datetime


class Inventory:
    """Pools and VMs, fed by the events of a backend; wakes those who wait for a change."""

    def __init__(self, clock: Clock, prefer: Prefer = warm_first) -> None:
        self._clock = clock
        self.pools: dict[str, Pool] = {}
        self.vms: dict[str, VirtualMachine] = {}
        self.defects = Defects()
        self.revision = 0
        self.problem: Problem | None = Problem(LOADING, "The pools are being read.", clock.now())
        self._version = UNDRAWN
        self._assigned: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        self._assigned_at: dict[str, int] = {}
        self._gone_at: dict[str, int] = {}
        self._given: defaultdict[str, set[str]] = defaultdict(set)
        self._granted: defaultdict[tuple[str | None, str | None], set[str]] = defaultdict(set)
        self._members: defaultdict[str, set[str]] = defaultdict(set)
        self._candidates: defaultdict[str, Candidates] = defaultdict(partial(Candidates, prefer))
        self._reserved: dict[str, int] = {}
        self._touched: set[str] = set()
        self._change = asyncio.Event()
        self._awaited: list[tuple[int, int, asyncio.Future[None]]] = []
        """Who waits for which version; the numbers between tell those of the same version apart."""
        self._turns = count()

    # What is known.

    @property
    def loading(self) -> bool:
        """Whether nothing has come yet, neither a picture nor a reason for none."""
        return self.problem is not None and self.problem.code == LOADING

    @property
    def drawn(self) -> bool:
        """Whether there is a picture, be it the latest or not."""
        return self._version > UNDRAWN

    def assigned(self, pool: str, user: str) -> list[VirtualMachine]:
        """Give the user's VMs of the pool, the first assigned first: none or one, and for moments two (R5)."""
        names = sorted(self._assigned.get((pool, user), ()), key=lambda name: (self._assigned_at[name], name))
        return [self.vms[name] for name in names]

    def granted(self, user: User) -> set[str]:
        """Give the names of the VMs that have a grant for the user, by name or by role."""
        keys = [(user.name, None), *((None, role) for role in user.roles)]
        return set().union(*(self._granted.get(key, ()) for key in keys))

    def total(self, pool: str) -> int:
        """Tell how many VMs are in the pool."""
        return len(self._members.get(pool, ()))

    def free(self, pool: str) -> int:
        """Tell how many VMs of the pool could be given away now."""
        return self._candidates[pool].count(self._clock.now())

    def require_fresh(self) -> None:
        """Refuse to decide by a picture that may be stale."""
        if self.problem:
            raise BackendUnavailable(self.problem.message, self.problem.code)

    # Choosing.

    def reserve(self, pool: str) -> VirtualMachine | None:
        """Take the best assignable VM out of all choices, until it is put back or changes."""
        candidates = self._candidates[pool]
        # By a clock that has jumped it is not known whose retention has ended.
        best = candidates.best if self._clock.is_trusted() else candidates.best_unassigned
        vm = best(self._clock.now())
        if vm is not None:
            self._reserved[vm.name] = vm.version
            self._drop_candidate(vm)
        return vm

    def put_back(self, vm: VirtualMachine) -> None:
        """Let a reserved VM be chosen again."""
        self._reserved.pop(vm.name, None)
        if vm.name in self.vms:
            self._index_candidate(self.vms[vm.name])
        self._wake()

    async def undecided(self, pool: str) -> bool:
        """Wait for what became of the VMs of the pool that are reserved now; tell whether there were any."""
        waiting = {name for name in self._reserved if pool in self.vms[name].pools}
        for name in waiting:
            version = self._reserved.get(name)
            while version is not None and self._reserved.get(name) == version:
                self.require_fresh()
                await self._change.wait()
        return bool(waiting)

    # Taking in.

    def take_in(self, event: Event) -> None:
        """Draw one event into the picture."""
        match event:
            case Listed():
                self._replace(event)
            case VmChanged(vm):
                self._see(vm.version)
                if self._corrects(vm):
                    self._draw(vm)
                else:
                    self.observe(vm)
            case VmDeleted(name, version):
                self._see(version)
                self._forget(name, version)
            case PoolChanged(pool):
                self.pools[pool.name] = pool
                self._index_again(pool.name)
            case PoolDeleted(name):
                self.pools.pop(name, None)
                self._index_again(name)
            case Behind(code, message):
                self.lose(code, message)
        self._wake()

    def observe(self, vm: VirtualMachine) -> None:
        """Take in a VM as it was read or written, unless something newer is known of it."""
        known = self.vms.get(vm.name)
        if vm.version > (known.version if known else self._gone_at.get(vm.name, UNDRAWN)):
            self._draw(vm)

    def lose(self, code: str, message: str) -> None:
        """Note that events do not come any more."""
        if self.problem is None or self.problem.code != code:
            self.problem = Problem(code, message, self._clock.now())
            self._wake()

    # Waiting.

    async def seen(self, version: int) -> None:
        """Return when every event of VMs up to this version is drawn; raise when events do not come any more."""
        while self._version < version:
            self.require_fresh()
            # Each waits for a moment of its own: in a rush many wait, and every change would wake them all.
            drawn = asyncio.get_running_loop().create_future()
            heappush(self._awaited, (version, next(self._turns), drawn))
            await drawn

    async def other_than(self, vm: VirtualMachine) -> None:
        """Return when the VM is not known any more as it was read; raise when events do not come any more."""
        while self.vms.get(vm.name) == vm:
            self.require_fresh()
            await self._change.wait()

    async def first(self, look: Callable[[], T | None]) -> T:
        """Look now and at every change; return the first thing found."""
        while not (found := look()):
            await self._change.wait()
        return found

    def next_change(self) -> asyncio.Event:
        """Give what is set at the next change."""
        return self._change

    def take_touched(self) -> set[str]:
        """Give the VMs about which something has changed since this was asked last."""
        touched, self._touched = self._touched, set()
        return touched

    def next_moment(self) -> datetime:
        """Tell when the passing of time next makes a VM assignable, or, while the clock is wrong, it may be right again."""
        now = self._clock.now()
        moment = min((each.next_moment(now) for each in self._candidates.values()), default=END_OF_TIME)
        return moment if self._clock.is_trusted() else min(moment, now + WHILE_THE_CLOCK_IS_WRONG)

    # Inside.

    def _wake(self) -> None:
        self.revision += 1
        # Without fresh events whoever waits for one is to hear of it.
        while self._awaited and (self.problem or self._awaited[0][0] <= self._version):
            *_, drawn = heappop(self._awaited)
            if not drawn.done():
                drawn.set_result(None)
        self._change.set()
        self._change = asyncio.Event()

    def _corrects(self, vm: VirtualMachine) -> bool:
        """Whether a VM as it was told is another than we took it for: of a write of ours only the version comes back."""
        known = self.vms.get(vm.name)
        return known is not None and known.version == vm.version and known != vm

    def _draw(self, vm: VirtualMachine) -> None:
        known = self.vms.get(vm.name)
        self._unindex(vm.name)
        self._date_assignment(known, vm)
        self.vms[vm.name] = vm
        self._index(vm)
        self._wake()

    def _see(self, version: int) -> None:
        self._version = max(self._version, version)

    def _replace(self, listed: Listed) -> None:
        """Make the list the picture; of what was written after it was made, keep the newer."""
        known = self.vms
        newer = [vm for vm in known.values() if vm.version > listed.version]
        for name in known:
            self._unindex(name)
        self._reserved.clear()
        self.pools = {pool.name: pool for pool in listed.pools}
        self.vms = {vm.name: vm for vm in (*listed.vms, *newer)}
        self._gone_at.update(dict.fromkeys(known.keys() - self.vms.keys(), listed.version))
        for vm in self.vms.values():
            self._date_assignment(known.get(vm.name), vm)
            self._index(vm)
        self._see(listed.version)
        self.problem = None

    def _forget(self, name: str, version: int) -> None:
        # An own write of before may be told after this: it does not bring the VM back.
        self._gone_at[name] = max(version, self._gone_at.get(name, UNDRAWN))
        if name in self.vms and self.vms[name].version < version:
            self._unindex(name)
            self._reserved.pop(name, None)
            self._assigned_at.pop(name, None)
            del self.vms[name]

    def _date_assignment(self, known: VirtualMachine | None, vm: VirtualMachine) -> None:
        """Note since which version the VM is whose it is; a renewal is no new assignment."""
        if vm.assignment is None:
            self._assigned_at.pop(vm.name, None)
        elif known is None or not known.is_assigned(vm.assignment.pool, vm.assignment.user):
            self._assigned_at[vm.name] = vm.version

    def _index_again(self, pool: str) -> None:
        # What a pool promises counts for every VM that it assigned, also in other pools.
        for name in self._members[pool] | self._given[pool]:
            self._index(self.vms[name])

    def _index(self, vm: VirtualMachine) -> None:
        self._touched.add(vm.name)
        if vm.assignment:
            self._assigned[vm.assignment.pool, vm.assignment.user].add(vm.name)
            self._given[vm.assignment.pool].add(vm.name)
        for grant in vm.grants:
            self._granted[grant.user, grant.role].add(vm.name)
        for pool in vm.pools:
            self._members[pool].add(vm.name)
        self.defects.put(vm.name, (*vm.defects, *self._absent_pools_of(vm)))
        self._index_candidate(vm)

    def _absent_pools_of(self, vm: VirtualMachine) -> list[Defect]:
        named = vm.pools | {vm.assignment.pool} if vm.assignment else vm.pools
        return [Defect(Wrong.NO_POOL, pool) for pool in named if pool not in self.pools]

    def _index_candidate(self, vm: VirtualMachine) -> None:
        if self._reserved.get(vm.name, -1) >= vm.version:
            return
        self._reserved.pop(vm.name, None)
        for name in vm.pools:
            pool = self.pools.get(name)
            self._candidates[name].put(vm, assignable_from(pool, vm, self.pools) if pool else END_OF_TIME)

    def _unindex(self, name: str) -> None:
        vm = self.vms.get(name)
        if vm is None:
            return
        if vm.assignment:
            self._assigned[vm.assignment.pool, vm.assignment.user].discard(name)
            self._given[vm.assignment.pool].discard(name)
        for grant in vm.grants:
            self._granted[grant.user, grant.role].discard(name)
        for pool in vm.pools:
            self._members[pool].discard(name)
        self.defects.drop(name)
        self._drop_candidate(vm)

    def _drop_candidate(self, vm: VirtualMachine) -> None:
        for pool in vm.pools:
            self._candidates[pool].drop(vm.name)
