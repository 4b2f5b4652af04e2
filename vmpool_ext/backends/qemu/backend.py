"""The backend of one machine: the port, on a ledger and a fleet."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from jupyter_core.paths import jupyter_data_dir
from traitlets import Bool, Enum, Float, Unicode, default
from traitlets.config import Configurable

from vmpool_ext.backends import resources
from vmpool_ext.backends.qemu import accelerator, definitions, happenings, reaching
from vmpool_ext.backends.qemu.administration import Administration
from vmpool_ext.backends.qemu.control import Control
from vmpool_ext.backends.qemu.conversation import LOGGED_IN, LOGGED_OUT
from vmpool_ext.backends.qemu.display import ENGINE, VncDisplay, new_password
from vmpool_ext.backends.qemu.fleet import Fleet
from vmpool_ext.backends.qemu.guest_image import default_cache
from vmpool_ext.backends.qemu.launcher import DEFAULT_PROGRAM, Settings
from vmpool_ext.backends.qemu.ledger import Ledger
from vmpool_ext.backends.qemu.places import default_run_dir, prepare_run_dir
from vmpool_ext.backends.qemu.qmp import MonitorError
from vmpool_ext.backends.qemu.store import Everything, Stored
from vmpool_ext.backends.qemu.watcher import Unwritten
from vmpool_ext.backends.resources import POOL_KIND, VM_KIND
from vmpool_ext.broker.ports import Behind, DisplayOffer, Event, Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted
from vmpool_ext.domain.errors import AgentFailed, AssignmentConflict, BackendUnavailable, NoLoginName
from vmpool_ext.domain.user import require_login_name

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Mapping

    from vmpool_ext.backends.qemu.administration import Answer, Request
    from vmpool_ext.backends.qemu.chronicle import Happening
    from vmpool_ext.backends.qemu.machine import Machine
    from vmpool_ext.backends.resources import Resource
    from vmpool_ext.broker.ports import Clock
    from vmpool_ext.domain.decision import Decision
    from vmpool_ext.domain.machine import Assignment, RequestedState, VirtualMachine
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

CHRONICLE_BEHIND = "chronicle-behind"
_RETRY_EVERY = 1


class QemuBackend(Configurable):
    """VMs that are QEMU processes on this machine."""

    shared = False

    state_dir = Unicode(help="Where definitions and assignments are kept; a local disk.").tag(config=True)
    run_dir = Unicode(
        help="Where the sockets of running VMs are: a short path, entered by nobody else. "
        "Default: one for the state_dir, in $XDG_RUNTIME_DIR or /tmp."
    ).tag(config=True)
    homes_dir = Unicode(
        help="Where the homes that VMs share are kept, on a file system with extended attributes. "
        "Default: homes in the state_dir."
    ).tag(config=True)
    image_cache = Unicode(help="Where the demo guest is kept.").tag(config=True)
    qemu = Unicode(DEFAULT_PROGRAM, help="The QEMU program: a name or a path.").tag(config=True)
    accelerator = Enum(
        accelerator.SETTINGS, default_value="auto", help="What runs the guests; auto: kvm where it works, else tcg."
    ).tag(config=True)
    start_timeout = Float(30, help="Seconds that QEMU has to answer after it was started.").tag(config=True)
    boot_timeout = Float(120, help="Seconds that a guest has to say that it is up.").tag(config=True)
    login_timeout = Float(60, help="Seconds that a guest's agent has to log somebody in or out.").tag(config=True)
    stop_vms_on_exit = Bool(
        default_value=False,
        help="Whether VMs are switched off when the server ends; else they go on and are found again.",
    ).tag(config=True)

    def __init__(self, clock: Clock, parent: Configurable | None = None) -> None:
        super().__init__(parent=parent)
        self._clock = clock
        self._ledger: Ledger | None = None
        self._fleet: Fleet | None = None
        self._control: Control | None = None
        self._taking_over: asyncio.Task[None] | None = None
        self._displays: defaultdict[str, WeakSet[VncDisplay]] = defaultdict(WeakSet)
        self._why_not = BackendUnavailable("The backend was not started.")

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return str(Path(jupyter_data_dir()) / "vmpool")

    @default("run_dir")
    def _default_run_dir(self) -> str:
        return str(default_run_dir(Path(self.state_dir)))

    @default("homes_dir")
    def _default_homes_dir(self) -> str:
        return str(Path(self.state_dir) / "homes")

    @default("image_cache")
    def _default_image_cache(self) -> str:
        return str(default_cache())

    # What an administrator does.

    async def apply(self, definition: Mapping[str, Any]) -> None:
        """Define a pool or a VM, or define it anew; `InvalidDefinition` if it has no usable kind and name."""
        kind, name = definitions.kind_and_name(definition)
        now = self._clock.now()
        await self._serving().put(kind, name, lambda old: definitions.applied(old, definition, now))

    async def delete(self, kind: str, name: str) -> None:
        """Remove a pool; or a VM, which is shut down first."""
        if kind != VM_KIND:
            await self._serving().delete(kind, name)
            return
        now = resources.time_text(self._clock.now())
        await self._serving().edit(kind, name, lambda vm: definitions.being_deleted(vm, now))

    def administer(self, request: Request) -> AsyncGenerator[Answer, None]:
        """Have a request of the command line done by whoever holds the store; without a server, here."""
        return reaching.ask(request, self._settings(), self._clock)

    # The port.

    async def start(self) -> None:
        """Serve; or, while another server does, wait until that one is gone."""
        self._ledger = Ledger(Path(self.state_dir), Path(sys.argv[0]).name)
        if not await self._begin(self._ledger):
            self._taking_over = asyncio.create_task(self._take_over(self._ledger), name="vmpool take over")

    async def stop(self) -> None:
        """Let go of the VMs, which live on unless configured otherwise, and of the store."""
        self._why_not = BackendUnavailable("The backend was stopped.")
        if self._taking_over:
            self._taking_over.cancel()
            await asyncio.wait({self._taking_over})
        if self._control:
            await self._control.close()
        if self._fleet:
            await self._fleet.stop(vms=self.stop_vms_on_exit)
        if self._ledger:
            await self._ledger.close()
        self._ledger = self._fleet = self._control = self._taking_over = None

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Give everything, then every change."""
        async with aclosing(self._serving().watch()) as changes:
            async for change in changes:
                yield _event(change)

    async def assign(self, vm: VirtualMachine, assignment: Assignment) -> VirtualMachine:
        """Write the assignment."""
        return await self._write_status(vm, lambda status: resources.with_assignment(status, assignment))

    async def release(self, vm: VirtualMachine) -> VirtualMachine:
        """Remove the assignment."""
        return await self._write_status(vm, lambda status: resources.with_assignment(status, None))

    async def request_state(self, vm: VirtualMachine, state: RequestedState) -> VirtualMachine:
        """Write what is wanted; the VM's follower sees to it."""
        return await self._write(vm, lambda resource: resources.with_requested_state(resource, state))

    async def reset(self, vm: VirtualMachine) -> None:
        """Note that the guest is not up any more, and press the reset button."""
        now = self._clock.now()
        machine, _ = await self._write_to_running(vm, lambda resource: happenings.reset(resource, now))
        with _answering():
            await machine.reset()

    async def restart(self, vm: VirtualMachine) -> VirtualMachine:
        """Write which run is to end; the VM's follower sees to it."""
        return (await self._write_to_running(vm, resources.with_ending_run))[1]

    async def mark_session(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Write whose session the run holds."""
        marked = await self._write_to_running(vm, lambda resource: resources.with_session(resource, user))
        return marked[1]

    async def log_in(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Tell the agent to log the user in, and write down what came of it."""
        machine, _ = await self._write_to_running(vm, _unchanged)
        try:
            await machine.agent.ask(f"login {require_login_name(user)}", LOGGED_IN, self.login_timeout)
        except (AgentFailed, NoLoginName) as error:
            words = str(error)
            await self._note(vm, lambda resource, now: happenings.login_failed(resource, now, words))
            raise
        return await self._note(vm, lambda resource, now: happenings.logged_in(resource, now, user))

    async def log_out(self, vm: VirtualMachine) -> VirtualMachine:
        """Tell the agent to log out whoever is logged in, and write down that it did."""
        machine, _ = await self._write_to_running(vm, _unchanged)
        await machine.agent.ask("logout", LOGGED_OUT, self.login_timeout)
        return await self._note(vm, happenings.logged_out)

    async def disconnect(self, vm: VirtualMachine) -> None:
        """Expire the password, and hang up: all who look do it through here."""
        for display in tuple(self._displays[vm.name]):
            await display.close()
        if machine := self._fleet and self._fleet.machine(vm.name):
            with _answering():
                await machine.expire_password()

    async def discard(self, vm: VirtualMachine) -> VirtualMachine:
        """Write that the disks are to be thrown away; the VM's follower does it before it starts the VM again."""
        return await self._write(vm, happenings.to_be_discarded)

    def tell(self, decision: Decision) -> None:
        """Keep nothing: the audit log of this one server has it, and nobody else decides."""

    async def pool_is_gone(self, name: str) -> bool:
        """Look into the store."""
        return await self._serving().get(POOL_KIND, name) is None

    async def offer_display(self, vm: VirtualMachine, user: User) -> DisplayOffer:
        """Note the console user, and give the display a new password."""
        machine, asked = await self._write_to_running(
            vm, lambda resource: happenings.asked_for_console(resource, user.name)
        )
        password = new_password()
        with _answering():
            await machine.take_password(password)
        await self._take_back_unless_still(asked, machine)
        return DisplayOffer(engine=ENGINE, password=password)

    async def connect_display(self, vm: VirtualMachine) -> VncDisplay:
        """Connect to the display's socket."""
        machine = self._machine(vm.name)
        with _answering():
            display = await VncDisplay.connect(machine.places.vnc, self.start_timeout)
        self._displays[vm.name].add(display)
        return display

    # Inside.

    async def _begin(self, ledger: Ledger) -> bool:
        settings = self._settings()
        try:
            await asyncio.to_thread(prepare_run_dir, settings.run_dir)
            await ledger.open()
        except BackendUnavailable as error:
            self._why_not = error
            return False
        self._fleet = Fleet(ledger, self._clock, settings)
        self._fleet.start()
        self._control = Control(Administration(ledger, self._clock).answer)
        await self._control.open(settings.state_dir)
        return True

    async def _take_over(self, ledger: Ledger) -> None:
        while not await self._begin(ledger):  # noqa: ASYNC110  # what ends the wait is in another process
            await asyncio.sleep(_RETRY_EVERY)

    def _settings(self) -> Settings:
        return Settings(
            state_dir=Path(self.state_dir),
            run_dir=Path(self.run_dir),
            homes_dir=Path(self.homes_dir),
            image_cache=Path(self.image_cache),
            program=self.qemu,
            accelerator=self.accelerator,
            start_timeout=self.start_timeout,
            boot_timeout=self.boot_timeout,
        )

    def _serving(self) -> Ledger:
        if self._ledger is None or self._fleet is None:
            raise BackendUnavailable(str(self._why_not), code=self._why_not.code)
        return self._ledger

    def _machine(self, name: str) -> Machine:
        self._serving()
        if self._fleet and (machine := self._fleet.machine(name)):
            return machine
        message = f'The VM "{name}" is not running.'
        raise BackendUnavailable(message)

    async def _write(self, vm: VirtualMachine, change: Callable[[Resource], Resource]) -> VirtualMachine:
        stored = await self._serving().edit(VM_KIND, vm.name, change, vm.version)
        return _vm(stored)

    async def _write_status(self, vm: VirtualMachine, change: Callable[[Resource], Resource]) -> VirtualMachine:
        return await self._write(vm, lambda resource: {**resource, "status": change(resource["status"])})

    async def _write_to_running(
        self, vm: VirtualMachine, change: Callable[[Resource], Resource]
    ) -> tuple[Machine, VirtualMachine]:
        """Give the machine and the VM after the change; of a VM that is off, say first whether it is as it was read."""
        machine = None
        with suppress(BackendUnavailable):
            machine = self._machine(vm.name)
        written = await self._write(vm, change if machine else _unchanged)
        return machine or self._machine(vm.name), written

    async def _take_back_unless_still(self, asked: VirtualMachine, machine: Machine) -> None:
        """Let the password be good only if the VM is whose it was: a handover in between expired the one before it."""
        stored = await self._serving().get(VM_KIND, asked.name)
        now = _vm(stored) if stored else None
        if now is None or (now.assignment, now.console_user) != (asked.assignment, asked.console_user):
            with _answering():
                await machine.expire_password()
            raise AssignmentConflict(asked.name)

    async def _note(self, vm: VirtualMachine, happening: Happening) -> VirtualMachine:
        """Write down what has happened, whatever else has changed meanwhile."""
        now = self._clock.now()
        return _vm(await self._serving().edit(VM_KIND, vm.name, lambda resource: happening(resource, now)))


def _unchanged(resource: Resource) -> Resource:
    return resource


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except MonitorError as error:
        raise BackendUnavailable(str(error)) from error
    except OSError as error:
        message = (
            "The VM's display does not answer. Try again in a while; if that does not help, stop and start the VM."
        )
        raise BackendUnavailable(message) from error


def _event(change: Everything | Stored | Unwritten) -> Event:
    if isinstance(change, Unwritten):
        return Behind(CHRONICLE_BEHIND, f"What happens to the VMs cannot be written down. {change.why}")
    if isinstance(change, Everything):
        pools = tuple(_pool(stored) for stored in change.resources if stored.kind == POOL_KIND)
        vms = tuple(_vm(stored) for stored in change.resources if stored.kind == VM_KIND)
        return Listed(pools, vms, change.version)
    if change.resource is None:
        gone = VmDeleted if change.kind == VM_KIND else PoolDeleted
        return gone(change.name, change.version)
    return VmChanged(_vm(change)) if change.kind == VM_KIND else PoolChanged(_pool(change))


def _vm(stored: Stored) -> VirtualMachine:
    return resources.vm_from_resource(stored.resource or {}, stored.version)


def _pool(stored: Stored) -> Pool:
    return resources.pool_from_resource(stored.resource or {}, stored.version)
