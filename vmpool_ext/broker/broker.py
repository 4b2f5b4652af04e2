"""One method per button."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vmpool_ext.broker.acting import Acting, nothing_against
from vmpool_ext.broker.assigning import Assigning
from vmpool_ext.broker.consoles import Consoles
from vmpool_ext.broker.decisions import Decisions, Ending
from vmpool_ext.broker.following import Following
from vmpool_ext.broker.inventory import Inventory
from vmpool_ext.broker.keeper import Keeper
from vmpool_ext.broker.losses import Losses
from vmpool_ext.broker.moments import change_or_moment
from vmpool_ext.broker.views import OwnVmView, Picture, PoolView, loss_notice, notices_for, own_vm_view, pool_view
from vmpool_ext.domain.actions import (
    why_no_own_start,
    why_no_reset,
    why_no_start,
    why_no_stop,
    why_nobody_of_that_name,
)
from vmpool_ext.domain.assignment import warm_first
from vmpool_ext.domain.console import why_no_console, why_no_own_console
from vmpool_ext.domain.duties import UsedVm
from vmpool_ext.domain.errors import NothingAssigned, PoolNotFound, Refused, VmNotFound
from vmpool_ext.domain.permission import EVERY_PERMISSION, permissions_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager

    from vmpool_ext.broker.acting import Act, Look, Rule
    from vmpool_ext.broker.candidates import Prefer
    from vmpool_ext.broker.consoles import ConsoleOffer, OpenConsole
    from vmpool_ext.broker.inventory import Problem
    from vmpool_ext.broker.ports import Backend, Clock
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.permission import Permissions
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

    GrantRule = Callable[[VirtualMachine, Permissions], Refused | None]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """What pressing Start came to."""

    pool: PoolView
    newly: bool


class PoolBroker:
    """Decides who gets which VM."""

    def __init__(
        self, backend: Backend, clock: Clock, prefer: Prefer = warm_first, used_vm: UsedVm = UsedVm.CLEAN
    ) -> None:
        self._backend = backend
        self._clock = clock
        self._inventory = Inventory(clock, prefer)
        self._decisions = Decisions(backend, clock)
        self._assigning = Assigning(backend, self._inventory, clock, self._decisions)
        self._losses = Losses(self._inventory, clock)
        self._acting = Acting(backend, self._inventory, self._losses, self._decisions)
        self._consoles = Consoles(backend, self._inventory, clock, self._acting)
        self._keeper = Keeper(backend, self._inventory, clock, self._acting, used_vm)

    async def run(self) -> None:
        """Keep the picture current, and do what nobody clicks, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(Following(self._backend, self._inventory, self._clock).run(), name="vmpool following")
            group.create_task(self._keeper.run(), name="vmpool keeper")

    async def drawn(self) -> None:
        """Return when there is a picture to look at, be it the latest or not; raise if there is none and why."""
        await self._inventory.first(lambda: not self._inventory.loading)
        if not self._inventory.drawn:
            self._inventory.require_fresh()

    # Looking.

    @property
    def problem(self) -> Problem | None:
        """Why the picture may not be the latest, or None."""
        return self._inventory.problem

    def overview(self, user: User) -> Picture:
        """Show all that the user may know: the pools and VMs on which they have some permission, by name."""
        mine = [pool for pool in self._inventory.pools.values() if permissions_for(user, pool.grants)]
        return Picture(
            revision=self._inventory.revision,
            pools=tuple(pool_view(user, pool, self._inventory) for pool in sorted(mine, key=lambda pool: pool.name)),
            vms=self.vms(user),
            notices=(*notices_for(user, self._inventory), *map(loss_notice, self._losses.of(user.name))),
            problem=self._inventory.problem,
        )

    def vms(self, user: User) -> tuple[OwnVmView, ...]:
        """Show the VMs on which the user has some permission by a grant on the VM itself."""
        granted = (self._inventory.vms[name] for name in sorted(self._inventory.granted(user)))
        return tuple(own_vm_view(user, vm) for vm in granted if permissions_for(user, vm.grants))

    def pool(self, user: User, name: str) -> PoolView:
        """Show one pool."""
        return pool_view(user, self._visible(user, name)[0], self._inventory)

    async def watch(self, user: User) -> AsyncIterator[Picture]:
        """Show all that the user may know, and again whenever that changes."""
        shown: Picture | None = None
        while True:
            # Before the picture: whatever passes while it is sent makes another.
            change = self._inventory.next_change()
            moment = min(self._inventory.next_moment(), self._losses.next_moment())
            picture = self.overview(user)
            if shown is None or replace(picture, revision=shown.revision) != shown:
                yield picture
                shown = picture
            await change_or_moment(change, self._clock, moment)

    # Deciding, about the user's VM of a pool.

    async def start(self, user: User, name: str) -> Started:
        """Give the user a VM of the pool unless they have one, and have it run."""
        with self._deciding(user, "start", name) as (pool, may):
            if refusal := why_nobody_of_that_name(user, pool):
                raise refusal
            given = await self._assigning.assigned_or_given(pool, user)
            if given.newly:
                self._losses.given(given.vm)
            log.info("start: vm %s of pool %s for %s", given.vm.name, name, user.name)
            allowed = EVERY_PERMISSION if given.newly else may
            await self._on_own(user, pool, lambda vm: why_no_start(vm, allowed), self._acting.request_running)
            return Started(self.pool(user, name), given.newly)

    async def stop(self, user: User, name: str) -> PoolView:
        """Shut down the user's VM; it stays theirs."""
        with self._deciding(user, "stop", name) as (pool, may):
            await self._on_own(user, pool, lambda vm: why_no_stop(vm, may), self._acting.request_stopped)
            return self.pool(user, name)

    async def reset(self, user: User, name: str) -> PoolView:
        """Reset the user's running VM as its reset button would."""
        with self._deciding(user, "reset", name) as (pool, may):
            await self._on_own(user, pool, lambda vm: why_no_reset(vm, may), self._acting.reset)
            return self.pool(user, name)

    async def release(self, user: User, name: str) -> PoolView:
        """Give the user's VM back; an open console is closed."""
        with self._deciding(user, "release", name) as (pool, _):
            await self._on_own(
                user, pool, nothing_against, lambda vm: self._acting.release(vm, pool.end_action, Ending.GIVEN_BACK)
            )
            return self.pool(user, name)

    async def open_console(self, user: User, name: str) -> ConsoleOffer:
        """Make the display of the user's VM accept them."""
        with self._deciding(user, "console", name) as (pool, may):
            pools = self._inventory.pools
            look = self._look_for_own(user, pool)
            return await self._consoles.offer(user, look, lambda vm: why_no_console(user, vm, pools, may), name)

    # Deciding, about a VM on which the user has permissions by a grant on the VM itself.

    async def start_vm(self, user: User, name: str) -> OwnVmView:
        """Have the VM run."""
        with self._refusals_about_vm(user, "start", name):
            return await self._on_granted(user, name, why_no_own_start, self._acting.request_running)

    async def stop_vm(self, user: User, name: str) -> OwnVmView:
        """Shut the VM down."""
        with self._refusals_about_vm(user, "stop", name):
            return await self._on_granted(user, name, why_no_stop, self._acting.request_stopped)

    async def reset_vm(self, user: User, name: str) -> OwnVmView:
        """Reset the running VM as its reset button would."""
        with self._refusals_about_vm(user, "reset", name):
            return await self._on_granted(user, name, why_no_reset, self._acting.reset)

    async def open_vm_console(self, user: User, name: str) -> ConsoleOffer:
        """Make the display of the VM accept the user."""
        with self._refusals_about_vm(user, "console", name):
            look = self._look_for_granted(user, name)
            return await self._consoles.offer(user, look, lambda vm: self._why_no_own_console(user, vm), None)

    # Of either kind.

    async def connect_console(self, user: User, vm: str, ticket: str) -> OpenConsole:
        """Connect the holder of a ticket to the display, if what the ticket was issued for still holds."""
        return await self._consoles.connect(user, vm, ticket, self._why_not_look)

    # Inside.

    def _visible(self, user: User, name: str) -> tuple[Pool, Permissions]:
        """Give the pool; one without permissions looks like one that does not exist (R6)."""
        pool = self._inventory.pools.get(name)
        may = permissions_for(user, pool.grants) if pool else frozenset()
        if pool is None or not may:
            raise PoolNotFound(name)
        return pool, may

    @contextmanager
    def _deciding(self, user: User, action: str, name: str) -> Iterator[tuple[Pool, Permissions]]:
        """Give the pool to decide about, and keep what the user is refused there."""

        def about() -> VirtualMachine | Pool | None:
            return next(iter(self._inventory.assigned(name, user.name)), self._inventory.pools.get(name))

        with self._decisions.refusals(user, action, about):
            self._inventory.require_fresh()
            yield self._visible(user, name)

    def _refusals_about_vm(self, user: User, action: str, name: str) -> AbstractContextManager[None]:
        return self._decisions.refusals(user, action, lambda: self._inventory.vms.get(name))

    def _why_not_look(self, user: User, vm_name: str, pool: str | None) -> Refused | None:
        """Tell what keeps the user from the console now: the VM is not theirs, or does not run, or they may not."""
        vm = self._inventory.vms.get(vm_name)
        if vm is None or (pool is not None and not vm.is_assigned(pool, user.name)):
            return VmNotFound(vm_name)
        if pool is None:
            return self._why_no_own_console(user, vm)
        try:
            _, may = self._visible(user, pool)
        except PoolNotFound as refusal:
            return refusal
        return why_no_console(user, vm, self._inventory.pools, may)

    def _why_no_own_console(self, user: User, vm: VirtualMachine) -> Refused | None:
        return why_no_own_console(user, vm, permissions_for(user, vm.grants))

    def _look_for_own(self, user: User, pool: Pool) -> Look:
        def look() -> VirtualMachine:
            vm = next(iter(self._inventory.assigned(pool.name, user.name)), None)
            if vm is None:
                raise NothingAssigned(pool.name)
            return vm

        return look

    def _look_for_granted(self, user: User, name: str) -> Look:
        """Give the VM; one without permissions looks like one that does not exist (R6)."""

        def look() -> VirtualMachine:
            vm = self._inventory.vms.get(name)
            if vm is None or not permissions_for(user, vm.grants):
                raise VmNotFound(name)
            return vm

        self._inventory.require_fresh()
        return look

    async def _on_own(self, user: User, pool: Pool, why_not: Rule, act: Act) -> None:
        """Do something to the user's VM of the pool."""
        await self._acting.on(self._look_for_own(user, pool), why_not, act)

    async def _on_granted(self, user: User, name: str, why_not: GrantRule, act: Act) -> OwnVmView:
        """Do something to a VM on which the user has permissions of its own."""
        look = self._look_for_granted(user, name)
        await self._acting.on(look, lambda vm: why_not(vm, permissions_for(user, vm.grants)), act)
        return own_vm_view(user, look())
