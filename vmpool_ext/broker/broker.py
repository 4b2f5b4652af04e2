"""One method per button."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from vmpool_ext.broker.assigning import ATTEMPTS, Assigning
from vmpool_ext.broker.following import Following
from vmpool_ext.broker.inventory import Inventory
from vmpool_ext.broker.tickets import Tickets
from vmpool_ext.broker.views import Picture, PoolView, pool_view
from vmpool_ext.domain.actions import why_no_reset, why_no_start, why_no_stop
from vmpool_ext.domain.assignment import warm_first
from vmpool_ext.domain.console import why_no_console
from vmpool_ext.domain.errors import (
    AlreadyRunning,
    AssignmentConflict,
    Contention,
    NothingAssigned,
    PoolNotFound,
    Refused,
    VmNotFound,
)
from vmpool_ext.domain.machine import MachineState, RequestedState
from vmpool_ext.domain.permission import EVERY_PERMISSION, permissions_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from datetime import datetime

    from vmpool_ext.broker.candidates import Prefer
    from vmpool_ext.broker.inventory import Problem
    from vmpool_ext.broker.ports import Backend, Clock, Display, DisplayOffer
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.permission import Permissions
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

    Rule = Callable[[VirtualMachine], Refused | None]
    Act = Callable[[VirtualMachine], Awaitable[VirtualMachine | None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Started:
    """What pressing Start came to."""

    pool: PoolView
    newly: bool


@dataclass(frozen=True, slots=True)
class ConsoleOffer:
    """What opens a console within ten seconds."""

    vm: str
    engine: str
    ticket: str = field(repr=False)
    password: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OpenConsole:
    """A display that its user is connected to, and what returns, with the reason, when they have to leave."""

    display: Display
    ended: Callable[[], Awaitable[Refused]]


def _nothing(_: VirtualMachine) -> None:
    """Tell that nothing stands against it."""


class PoolBroker:
    """Decides who gets which VM."""

    def __init__(self, backend: Backend, clock: Clock, prefer: Prefer = warm_first) -> None:
        self._backend = backend
        self._clock = clock
        self._inventory = Inventory(clock, prefer)
        self._assigning = Assigning(backend, self._inventory, clock)
        self._tickets = Tickets(clock)

    async def run(self) -> None:
        """Keep the picture current, for ever."""
        await Following(self._backend, self._inventory, self._clock).run()

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
        """Show all that the user may know: the pools on which they have some permission, by name."""
        mine = [pool for pool in self._inventory.pools.values() if permissions_for(user, pool.grants)]
        views = (pool_view(user, pool, self._inventory) for pool in sorted(mine, key=lambda pool: pool.name))
        return Picture(self._inventory.revision, tuple(views), self._inventory.problem)

    def pool(self, user: User, name: str) -> PoolView:
        """Show one pool."""
        return pool_view(user, self._visible(user, name)[0], self._inventory)

    async def watch(self, user: User) -> AsyncIterator[Picture]:
        """Show all that the user may know, and again whenever that changes."""
        shown: Picture | None = None
        while True:
            change = self._inventory.next_change()
            picture = self.overview(user)
            if shown is None or replace(picture, revision=shown.revision) != shown:
                yield picture
                shown = picture
            await self._change_or_moment(change)

    # Deciding.

    async def start(self, user: User, name: str) -> Started:
        """Give the user a VM of the pool unless they have one, and have it run."""
        pool, may = self._deciding(user, name)
        given = await self._assigning.assigned_or_given(pool, user)
        log.info("start: vm %s of pool %s for %s", given.vm.name, name, user.name)
        if given.needs_cleaning:
            await self._on_own(user, pool, _nothing, self._end_sessions)
        allowed = EVERY_PERMISSION if given.newly else may
        await self._on_own(user, pool, lambda vm: why_no_start(vm, allowed), self._request_running)
        return Started(self.pool(user, name), given.newly)

    async def stop(self, user: User, name: str) -> PoolView:
        """Shut down the user's VM; it stays theirs."""
        pool, may = self._deciding(user, name)
        await self._on_own(user, pool, lambda vm: why_no_stop(vm, may), self._request_stopped)
        return self.pool(user, name)

    async def reset(self, user: User, name: str) -> PoolView:
        """Reset the user's running VM as its reset button would."""
        pool, may = self._deciding(user, name)
        await self._on_own(user, pool, lambda vm: why_no_reset(vm, may), self._reset)
        return self.pool(user, name)

    async def release(self, user: User, name: str) -> PoolView:
        """Give the user's VM back; an open console is closed."""
        pool, _ = self._deciding(user, name)
        await self._on_own(user, pool, _nothing, self._backend.release)
        return self.pool(user, name)

    async def open_console(self, user: User, name: str) -> ConsoleOffer:
        """Make the display of the user's VM accept them."""
        pool, may = self._deciding(user, name)
        offers: list[DisplayOffer] = []

        async def offer(vm: VirtualMachine) -> None:
            offers.append(await self._backend.offer_display(vm, user))

        vm = await self._on_own(user, pool, lambda vm: why_no_console(user, vm, may), offer)
        text, ticket = self._tickets.issue(user, vm.name, name)
        return ConsoleOffer(vm.name, offers[-1].engine, text, offers[-1].password, ticket.expires_at)

    async def connect_console(self, user: User, vm_name: str, ticket_text: str) -> OpenConsole:
        """Connect the holder of a ticket to the display, if what the ticket was issued for still holds."""
        ticket = self._tickets.redeem(ticket_text, user, vm_name)

        def refusal() -> Refused | None:
            return self._why_not_look(user, ticket.pool, vm_name)

        if refused := refusal():
            raise refused
        display = await self._backend.connect_display(self._inventory.vms[vm_name])
        return OpenConsole(display, lambda: self._inventory.first(refusal))

    # Inside.

    def _visible(self, user: User, name: str) -> tuple[Pool, Permissions]:
        """Give the pool; one without permissions looks like one that does not exist (R6)."""
        pool = self._inventory.pools.get(name)
        may = permissions_for(user, pool.grants) if pool else frozenset()
        if pool is None or not may:
            raise PoolNotFound(name)
        return pool, may

    def _deciding(self, user: User, name: str) -> tuple[Pool, Permissions]:
        self._inventory.require_fresh()
        return self._visible(user, name)

    def _why_not_look(self, user: User, pool: str, vm_name: str) -> Refused | None:
        """Tell what keeps the user from the console now: the VM is not theirs, or does not run, or they may not."""
        vm = self._inventory.vms.get(vm_name)
        if vm is None or not vm.is_assigned(pool, user.name):
            return VmNotFound(vm_name)
        try:
            _, may = self._visible(user, pool)
        except PoolNotFound as refusal:
            return refusal
        return why_no_console(user, vm, may)

    async def _on_own(self, user: User, pool: Pool, why_not: Rule, act: Act) -> VirtualMachine:
        """Do something to the user's VM of the pool as it is now; when it changed meanwhile, judge and do again."""
        for _ in range(ATTEMPTS):
            vm = next(iter(self._inventory.assigned(pool.name, user.name)), None)
            if vm is None:
                raise NothingAssigned(pool.name)
            refusal = why_not(vm)
            if isinstance(refusal, AlreadyRunning):
                return vm
            if refusal:
                raise refusal
            try:
                written = await act(vm)
            except AssignmentConflict:
                await self._inventory.other_than(vm)
            else:
                if written:
                    self._inventory.observe(written)
                return written or vm
        raise Contention

    async def _request_running(self, vm: VirtualMachine) -> VirtualMachine:
        return await self._backend.request_state(vm, RequestedState.RUNNING)

    async def _request_stopped(self, vm: VirtualMachine) -> VirtualMachine:
        return await self._backend.request_state(vm, RequestedState.STOPPED)

    async def _reset(self, vm: VirtualMachine) -> None:
        await self._backend.reset(vm)

    async def _end_sessions(self, vm: VirtualMachine) -> None:
        """Reset a VM that somebody was in; one that is going down ends their session by itself."""
        if vm.state is MachineState.RUNNING:
            await self._backend.reset(vm)

    async def _change_or_moment(self, change: asyncio.Event) -> None:
        """Return at a change, or when the passing of time is one."""
        waits = {
            asyncio.create_task(change.wait(), name="change"),
            asyncio.create_task(self._clock.sleep_until(self._inventory.next_moment()), name="moment"),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
