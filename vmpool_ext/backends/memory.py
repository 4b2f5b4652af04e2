"""The reference backend: VMs that exist only in this process.

It shows what the port asks for in the fewest lines, serves tests, and lets the panel be tried where there is no QEMU.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict, deque
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from vmpool_ext.broker.ports import DisplayOffer, Event, Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted
from vmpool_ext.domain.connection_file import DisplayAddress
from vmpool_ext.domain.errors import AgentFailed, AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import CRASHED, NOBODY, Condition, RequestedState, SessionMark, VirtualMachine

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from datetime import datetime

    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.decision import Decision
    from vmpool_ext.domain.machine import Assignment
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

MOST_TOLD = 1000
GREETING = b"RFB 003.008\n"
SPICE_ADDRESS = DisplayAddress("192.0.2.1", 5900)
"""Where nobody is: an address for documentation."""


class MemoryBackend:
    """Pools and VMs in two dicts, and a queue per watcher."""

    shared = False

    def __init__(self, clock: Clock, pools: Iterable[Pool] = (), vms: Iterable[VirtualMachine] = ()) -> None:
        self.told: deque[Decision] = deque(maxlen=MOST_TOLD)
        self._clock = clock
        self._version = 0
        self._pools: dict[str, Pool] = {}
        self._vms: dict[str, VirtualMachine] = {}
        self._watchers: set[asyncio.Queue[Event | None]] = set()
        self._machines: set[asyncio.Task[None]] = set()
        self._displays: defaultdict[str, set[MemoryDisplay]] = defaultdict(set)
        for pool in pools:
            self.put_pool(pool)
        for vm in vms:
            self.put_vm(vm)

    # What an administrator does.

    def put_pool(self, pool: Pool) -> None:
        """Define a pool, or define it anew."""
        self._pools[pool.name] = replace(pool, version=self._next_version())
        self._tell(PoolChanged(self._pools[pool.name]))

    def delete_pool(self, name: str) -> None:
        """Remove a pool; its VMs stay."""
        del self._pools[name]
        self._tell(PoolDeleted(name, self._next_version()))

    def put_vm(self, vm: VirtualMachine) -> VirtualMachine:
        """Define a VM, or set it to what a test or another writer wants it to be."""
        self._vms[vm.name] = replace(vm, version=self._next_version())
        self._tell(VmChanged(self._vms[vm.name]))
        return self._vms[vm.name]

    def delete_vm(self, name: str) -> None:
        """Remove a VM."""
        del self._vms[name]
        self._tell(VmDeleted(name, self._next_version()))

    def vm(self, name: str) -> VirtualMachine:
        """Tell how a VM is now."""
        return self._vms[name]

    def crash(self, name: str) -> None:
        """End a machine as a killed process would."""
        off = self._off(self._vms[name], CRASHED, "The machine was killed.")
        self.put_vm(replace(off, requested=RequestedState.STOPPED))

    def disconnect_watchers(self) -> None:
        """End every watch, as a lost connection would."""
        for queue in self._watchers:
            queue.put_nowait(None)

    # The port.

    async def start(self) -> None:
        """Nothing needs to be there first."""

    async def stop(self) -> None:
        """Switch nothing off: the VMs live as long as this object."""
        await asyncio.gather(*self._machines)

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Give the whole, then every change."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            yield Listed(tuple(self._pools.values()), tuple(self._vms.values()), self._version)
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watchers.discard(queue)
        message = "The connection to the backend was lost."
        raise BackendUnavailable(message)

    async def assign(self, vm: VirtualMachine, assignment: Assignment) -> VirtualMachine:
        """Write the assignment if the VM is still as it was read."""
        return await self._write(vm, assignment=assignment, defects=vm.lasting_defects)

    async def release(self, vm: VirtualMachine) -> VirtualMachine:
        """Remove the assignment if the VM is still as it was read."""
        return await self._write(vm, assignment=None, defects=vm.lasting_defects)

    async def request_state(self, vm: VirtualMachine, state: RequestedState) -> VirtualMachine:
        """Write what is wanted; the machine follows at its own pace."""
        return self._followed(await self._write(vm, requested=state))

    async def reset(self, vm: VirtualMachine) -> None:
        """Boot again."""
        not_up = Condition(since=self._clock.now(), reason="VmReset")
        current = await self._write_to_running(vm, booted=not_up, logged_in_user=None)
        self.put_vm(_up(current, self._clock.now()))

    async def restart(self, vm: VirtualMachine) -> VirtualMachine:
        """Write which run is to end; the machine follows at its own pace."""
        return self._followed(await self._write_to_running(vm, ending_run=vm.running.since))

    async def mark_session(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Write whose session the run holds."""
        disk_user = user if vm.disk_used and user != NOBODY else vm.disk_user
        return await self._write_to_running(vm, session=SessionMark(user, vm.running.since), disk_user=disk_user)

    async def log_in(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Write who is logged in, where there is an agent to do it."""
        done = Condition(status=True, since=self._clock.now(), reason="LoggedIn")
        return await self._write_to(vm, _require_agent, logged_in_user=user, user_logged_in=done)

    async def log_out(self, vm: VirtualMachine) -> VirtualMachine:
        """Write that nobody is logged in any more, where there is an agent to do it."""
        done = Condition(since=self._clock.now(), reason="LoggedOut")
        return await self._write_to(vm, _require_agent, logged_in_user=None, user_logged_in=done)

    async def disconnect(self, vm: VirtualMachine) -> None:
        """Close what is connected; there is no password that would open it again."""
        for display in tuple(self._displays[vm.name]):
            await display.close()

    async def discard(self, vm: VirtualMachine) -> VirtualMachine:
        """Note that there is nothing on the disks, or will be nothing when the machine is off."""
        return await self._write(vm, disk_user=None, discarding=bool(vm.running and vm.disk_used))

    def tell(self, decision: Decision) -> None:
        """Keep the latest."""
        self.told.append(decision)

    async def pool_is_gone(self, name: str) -> bool:
        """Look."""
        return name not in self._pools

    async def offer_display(self, vm: VirtualMachine, user: User) -> DisplayOffer:
        """Note the console user."""
        await self._write_to_running(vm, console_user=user.name)
        address = SPICE_ADDRESS if vm.opens_in_viewers else None
        return DisplayOffer(vm.display, secrets.token_urlsafe(6), address)

    async def connect_display(self, vm: VirtualMachine) -> MemoryDisplay:
        """Connect to a display that says the greeting of a real one, then repeats what it is told."""
        _require_running(self._vms[vm.name])
        display = MemoryDisplay(self, vm.name)
        self._displays[vm.name].add(display)
        return display

    # Inside.

    def forget_display(self, name: str, display: MemoryDisplay) -> None:
        """Note that a display was closed; the console is while another is open."""
        self._displays[name].discard(display)
        if not self._displays[name]:
            self.set_console(name, connected=False)

    def set_console(self, name: str, *, connected: bool) -> None:
        """Note that a viewer came or went."""
        reason = "Connected" if connected else "Disconnected"
        vm = self._vms.get(name)
        if vm and vm.running and vm.console_connected.status != connected:
            self.put_vm(replace(vm, console_connected=Condition(connected, self._clock.now(), reason)))

    async def _write(self, vm: VirtualMachine, **changes: Any) -> VirtualMachine:
        # A write takes a while everywhere else: others may come in between.
        await asyncio.sleep(0)
        if self._vms.get(vm.name) != vm:
            raise AssignmentConflict(vm.name)
        return self.put_vm(replace(vm, **changes))

    async def _write_to_running(self, vm: VirtualMachine, **changes: Any) -> VirtualMachine:
        return await self._write_to(vm, _require_running, **changes)

    async def _write_to(
        self, vm: VirtualMachine, require: Callable[[VirtualMachine], None], **changes: Any
    ) -> VirtualMachine:
        if self._vms.get(vm.name) == vm:
            require(vm)
        return await self._write(vm, **changes)

    def _followed(self, vm: VirtualMachine) -> VirtualMachine:
        """Have the machine do what was written."""
        task = asyncio.create_task(self._follow(vm.name), name=f"machine {vm.name}")
        self._machines.add(task)
        task.add_done_callback(self._machines.discard)
        return vm

    async def _follow(self, name: str) -> None:
        await asyncio.sleep(0)
        vm = self._vms.get(name)
        if vm is None:
            return
        wanted = vm.requested is RequestedState.RUNNING
        if vm.running and (vm.restarting or not wanted):
            vm = self.put_vm(self._off(vm, "VmStopped", ""))
        if wanted and not vm.running:
            self.put_vm(_switched_on(vm, self._clock.now()))

    def _off(self, vm: VirtualMachine, reason: str, message: str) -> VirtualMachine:
        """Switch the machine off, and every display of it."""
        for display in self._displays.pop(vm.name, ()):
            display.end()
        return _switched_off(vm, self._clock.now(), reason, message)

    def _next_version(self) -> int:
        self._version += 1
        return self._version

    def _tell(self, event: Event) -> None:
        for queue in self._watchers:
            queue.put_nowait(event)


class MemoryDisplay:
    """A display that greets, then repeats what it is told."""

    def __init__(self, backend: MemoryBackend, vm: str) -> None:
        self._backend = backend
        self._vm = vm
        self._says: asyncio.Queue[bytes] = asyncio.Queue()
        self._says.put_nowait(GREETING)
        backend.set_console(vm, connected=True)

    async def read(self) -> bytes:
        """Wait for what the display says next."""
        return await self._says.get()

    async def write(self, data: bytes) -> None:
        """Have it said back."""
        self._says.put_nowait(data)

    async def close(self) -> None:
        """Let the display go."""
        self.end()
        self._backend.forget_display(self._vm, self)

    def end(self) -> None:
        """Say nothing more."""
        self._says.put_nowait(b"")


def _require_running(vm: VirtualMachine) -> None:
    if not vm.running:
        message = f'The VM "{vm.name}" is not running.'
        raise BackendUnavailable(message)


def _require_agent(vm: VirtualMachine) -> None:
    if not vm.agent_there:
        message = "There is no agent in the guest."
        raise AgentFailed(message)


def _switched_on(vm: VirtualMachine, now: datetime) -> VirtualMachine:
    # Two runs never begin at the same moment, though a clock that only tests move may stand still; and none before the
    # console's last change, though the clock was set back: it would look as if somebody had been in the new run.
    since = max(now, vm.running.since + timedelta(microseconds=1), vm.console_connected.since)
    user = vm.assignment.user if vm.assignment else NOBODY
    running = Condition(status=True, since=since, reason="VmStarted")
    return _up(replace(vm, running=running, disk_user=vm.disk_user or user), since)


def _up(vm: VirtualMachine, now: datetime) -> VirtualMachine:
    booted = Condition(status=True, since=now, reason="VmBooted")
    agent = Condition(status=True, since=now, reason="VmopAgentStarted")
    return replace(vm, booted=booted, agent_connected=agent, os="Nothing at all")


def _switched_off(vm: VirtualMachine, now: datetime, reason: str, message: str) -> VirtualMachine:
    off = Condition(status=False, since=now, reason=reason, message=message)
    return replace(
        vm,
        running=off,
        booted=off,
        agent_connected=off,
        user_logged_in=off,
        console_connected=off if vm.console_connected else vm.console_connected,
        logged_in_user=None,
        discarding=False,
        os=None,
    )
