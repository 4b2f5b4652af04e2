"""Takes the steps that nobody clicks: handing over, logging in, ending, and what a deleted pool leaves behind.

What is to be done is told by `vmpool_ext.domain.duties` from how a VM is; here it is only done: one step of a VM at a time,
after which the VM is looked at again.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from sortedcontainers import SortedSet

from vmpool_ext.broker.acting import nothing_against
from vmpool_ext.broker.decisions import Ending
from vmpool_ext.broker.moments import change_or_moment, first_of
from vmpool_ext.domain.duties import Step, next_duty, next_duty_at
from vmpool_ext.domain.errors import AgentFailed, AssignmentConflict, BackendUnavailable, VmPoolError
from vmpool_ext.domain.pool import EndAction
from vmpool_ext.domain.retention import END_OF_TIME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping
    from datetime import datetime

    from vmpool_ext.broker.acting import Act, Acting
    from vmpool_ext.broker.inventory import Inventory
    from vmpool_ext.broker.ports import Backend, Clock
    from vmpool_ext.domain.duties import Duty, UsedVm
    from vmpool_ext.domain.machine import VirtualMachine

    Do = Callable[[VirtualMachine, Duty], Awaitable[object]]

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(seconds=5)
"""What could not be done now is tried again so much later."""

ORPHANS_EVERY = timedelta(seconds=0.1)
"""Assignments of deleted pools are removed one after the other: a mistake can be seen, and ended (R11)."""


class Keeper:
    """Looks at every VM that changed, and at each when its time comes."""

    def __init__(self, backend: Backend, inventory: Inventory, clock: Clock, acting: Acting, used_vm: UsedVm) -> None:
        self._backend = backend
        self._inventory = inventory
        self._clock = clock
        self._acting = acting
        self._used_vm = used_vm
        self._moments = Moments()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._one_orphan = asyncio.Lock()
        self._steps: Mapping[Step, Do] = {
            Step.RESTART: lambda vm, _: backend.restart(vm),
            Step.HAND_OVER_LOGIN: self._hand_over_login,
            Step.MARK: lambda vm, duty: backend.mark_session(vm, duty.user),
            Step.LOG_IN: lambda vm, duty: backend.log_in(vm, duty.user),
            Step.LOG_OUT: lambda vm, _: backend.log_out(vm),
            Step.STOP: lambda vm, _: acting.request_stopped(vm),
            Step.RELEASE: lambda vm, _: acting.release(vm, EndAction.KEEP, Ending.RETENTION),
            Step.DISCARD: lambda vm, _: backend.discard(vm),
            Step.ASK_FOR_POOL: self._release_orphan,
        }

    async def run(self) -> None:
        """Do what is to be done, for ever."""
        try:
            while True:
                change = self._inventory.next_change()
                await change_or_moment(change, self._clock, self._look())
        finally:
            for task in self._busy.values():
                task.cancel()
            await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def _look(self) -> datetime:
        """Look at what has changed and at what is due; tell when to look again, whatever changes."""
        # By a picture that may be stale nothing is done, whatever is due; the next one is looked at as a whole.
        if self._inventory.problem:
            return END_OF_TIME
        # Nor by a time that may be wrong.
        if not self._clock.is_trusted():
            return self._clock.now() + AGAIN_AFTER
        for name in {*self._inventory.take_touched(), *self._moments.take_due(self._clock.now())}:
            self._look_at(name)
        return self._moments.first

    def _look_at(self, name: str) -> None:
        """Begin the VM's next step, or note when to look again; one that is busy is looked at when it is not."""
        vm = self._inventory.vms.get(name)
        if vm is None or name in self._busy or self._inventory.problem:
            return
        now = self._clock.now()
        self._moments.note(name, next_duty_at(vm, self._inventory.pools, now))
        if duty := next_duty(vm, self._inventory.pools, now, self._used_vm):
            self._busy[name] = asyncio.create_task(self._do(vm, duty), name=f"vmpool {duty.step} {name}")

    async def _do(self, vm: VirtualMachine, duty: Duty) -> None:
        """Take one step; whatever comes of it, look again, but never in a mad rush."""
        log.info("vm %s: %s%s", vm.name, duty.step, f" for {duty.user}" if duty.user else "")
        try:
            await self._steps[duty.step](vm, duty)
        except AssignmentConflict:
            log.debug("vm %s: changed before it came to: %s", vm.name, duty.step)
        except VmPoolError as error:
            log.warning("vm %s: %s: %s", vm.name, duty.step, error)
        except Exception:
            log.exception("vm %s: %s failed", vm.name, duty.step)
        await self._until_newer(vm)
        while not self._clock.is_trusted():
            await self._clock.sleep_until(self._clock.now() + AGAIN_AFTER)
        del self._busy[vm.name]
        self._look_at(vm.name)

    async def _until_newer(self, vm: VirtualMachine) -> None:
        """Wait until something newer is known of the VM, but no longer than it takes to try again anyway."""
        await first_of(self._newer(vm), self._clock.sleep_until(self._clock.now() + AGAIN_AFTER))

    async def _newer(self, vm: VirtualMachine) -> None:
        # When events do not come any more, nothing is done before there is a new picture, of which all is looked at.
        with suppress(BackendUnavailable):
            await self._inventory.other_than(vm)

    async def _hand_over_login(self, vm: VirtualMachine, duty: Duty) -> None:
        """Have the agent end the session; where it does not, end the run."""
        await self._backend.disconnect(vm)
        try:
            written = await self._backend.log_out(vm)
        except AgentFailed as error:
            log.warning("vm %s: restarted, since its agent did not log out: %s", vm.name, error)
            await self._while_same(vm, self._backend.restart)
        else:
            await self._inventory.seen(written.version)
            await self._while_same(written, lambda known: self._backend.mark_session(known, duty.user))

    async def _while_same(self, vm: VirtualMachine, act: Act) -> None:
        """Act on the VM as it is known now, as long as nothing of it has changed that counts."""

        def look() -> VirtualMachine:
            known = self._inventory.vms.get(vm.name)
            if known is None or _what_counts(known) != _what_counts(vm):
                raise AssignmentConflict(vm.name)
            return known

        await self._acting.on(look, nothing_against, act)

    async def _release_orphan(self, vm: VirtualMachine, _: Duty) -> None:
        """Remove the assignment if its pool is really gone, ten a second at most (R11)."""
        async with self._one_orphan:
            # Others release orphans too: one that waited here may be in use again by now.
            if self._inventory.vms.get(vm.name) != vm or vm.assignment is None:
                return
            if await self._backend.pool_is_gone(vm.assignment.pool):
                await self._acting.release(vm, EndAction.KEEP, Ending.NO_POOL)
                await self._clock.sleep_until(self._clock.now() + ORPHANS_EVERY)


class Moments:
    """When to look at which VM again."""

    def __init__(self) -> None:
        self._order: SortedSet[tuple[datetime, str]] = SortedSet()
        self._of: dict[str, datetime] = {}

    @property
    def first(self) -> datetime:
        """The next moment at which there is something to look at."""
        return self._order[0][0] if self._order else END_OF_TIME

    def note(self, name: str, moment: datetime) -> None:
        """Look at the VM then, and not when it was noted before."""
        self._forget(name)
        if moment < END_OF_TIME:
            self._of[name] = moment
            self._order.add((moment, name))

    def take_due(self, now: datetime) -> Iterable[str]:
        """Give the VMs whose moment has come, and forget their moments."""
        due = [name for _, name in self._order.irange(maximum=(now, chr(0x10FFFF)))]
        for name in due:
            self._forget(name)
        return due

    def _forget(self, name: str) -> None:
        if moment := self._of.pop(name, None):
            self._order.discard((moment, name))


def _what_counts(vm: VirtualMachine) -> tuple[object, ...]:
    """Give what a step towards another user rests on."""
    return vm.assignment, vm.session, vm.running.since, vm.logged_in_user
