"""The backend of a cluster: the port, on the resources that VM-Operator's manager works on too."""

from __future__ import annotations

import logging
from contextlib import aclosing
from datetime import timedelta
from typing import TYPE_CHECKING

from traitlets import Enum, Float, Unicode
from traitlets.config import Configurable

from vmpool_ext.backends import resources
from vmpool_ext.backends.kubernetes import notes
from vmpool_ext.backends.kubernetes.client import ApiClient
from vmpool_ext.backends.kubernetes.consoles import Consoles, Settings
from vmpool_ext.backends.kubernetes.credentials import Credentials
from vmpool_ext.backends.kubernetes.errors import NotFound
from vmpool_ext.backends.kubernetes.events import Events
from vmpool_ext.backends.kubernetes.logins import Logins
from vmpool_ext.backends.kubernetes.objects import vm_of
from vmpool_ext.backends.kubernetes.permissions import Permissions, not_installed
from vmpool_ext.backends.kubernetes.picture import story
from vmpool_ext.backends.kubernetes.place import Place
from vmpool_ext.backends.kubernetes.telling import asking, code_of
from vmpool_ext.backends.kubernetes.upkeep import Upkeep
from vmpool_ext.broker.ports import Behind
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import RequestedState, SessionMark

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from vmpool_ext.backends.kubernetes.display import SpiceDisplay
    from vmpool_ext.backends.kubernetes.errors import ApiError
    from vmpool_ext.broker.ports import Clock, DisplayOffer, Event
    from vmpool_ext.domain.decision import Decision
    from vmpool_ext.domain.machine import Assignment, VirtualMachine
    from vmpool_ext.domain.user import User

log = logging.getLogger(__name__)


class KubernetesBackend(Configurable):
    """VMs that VM-Operator runs."""

    shared = True

    kubeconfig = Unicode(
        help="The file with the cluster's address and credentials. "
        "Default: the pod's own service account where there is one, else $KUBECONFIG, else ~/.kube/config."
    ).tag(config=True)
    context = Unicode(help="Which context of the kubeconfig. Default: its current one.").tag(config=True)
    namespace = Unicode(help="Where VMs and pools are. Default: the context's, or the pod's.").tag(config=True)
    request_timeout = Float(10, help="Seconds that the API server has to answer.").tag(config=True)
    login_timeout = Float(60, help="Seconds that VM-Operator has to log somebody in or out.").tag(config=True)
    preferred_ip_version = Enum(
        ("ipv4", "ipv6"), default_value="ipv4", help="Which of a pod's addresses its display is reached at."
    ).tag(config=True)
    password_validity = Float(10, help="Seconds that a display's password is good for.").tag(config=True)
    serial_timeout = Float(
        1.5, help="Seconds that a runner has to say that the display takes a new password; after that it is hoped."
    ).tag(config=True)

    def __init__(self, clock: Clock, parent: Configurable | None = None) -> None:
        super().__init__(parent=parent)
        self._clock = clock
        self._credentials = Credentials(self.kubeconfig, self.context)
        self._client = ApiClient(self._credentials, self.request_timeout)
        self._serving: _Serving | None = None

    # The port.

    async def start(self) -> None:
        """Find out where to ask; what is wrong with that is told by whoever asks."""
        try:
            serving = await self._served()
        except BackendUnavailable as error:
            log.error("the cluster cannot be asked: %s", error)  # noqa: TRY400  # an option is wrong
        else:
            log.info("pools and VMs are those of namespace %s", serving.place.namespace)

    async def stop(self) -> None:
        """Let go of every connection."""
        if self._serving:
            await self._serving.events.close()
        await self._client.close()

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Give everything, then every change."""
        serving = await self._served()
        await serving.permissions.require()
        place = serving.place
        upkeep = Upkeep(place.writes)
        try:
            async with aclosing(story(place.watch_pools(), place.watch_vms(), _behind)) as events:
                async for event in events:
                    upkeep.see(event)
                    yield event
        finally:
            await upkeep.close()

    async def assign(self, vm: VirtualMachine, assignment: Assignment) -> VirtualMachine:
        """Write the assignment."""
        parts = resources.with_assignment({}, assignment)
        return await (await self._served()).place.writes.status(vm, parts, assignment=assignment)

    async def release(self, vm: VirtualMachine) -> VirtualMachine:
        """Remove the assignment."""
        return await (await self._served()).place.writes.status(vm, {"assignment": None}, assignment=None)

    async def request_state(self, vm: VirtualMachine, state: RequestedState) -> VirtualMachine:
        """Write what is wanted; VM-Operator sees to it. A restart that was under way is not any more."""
        return await (await self._served()).place.writes.definition(
            vm, state=state.value, notes=notes.NOT_ENDING, requested=state, ending_run=None
        )

    async def reset(self, vm: VirtualMachine) -> None:
        """Stop and start the VM: the reset button is within reach of VM-Operator only (docs/adr/0013)."""
        await self.restart(vm)

    async def restart(self, vm: VirtualMachine) -> VirtualMachine:
        """Want the VM to be off, and note that it is to be started again: the next watch to see it off does that."""
        serving = await self._served()
        await serving.require_running(vm)
        off, noted = RequestedState.STOPPED.value, notes.ending(vm.running.since)
        return await serving.place.writes.definition(
            vm, state=off, notes=noted, requested=RequestedState.RUNNING, ending_run=vm.running.since
        )

    async def mark_session(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Write whose session the run holds."""
        serving = await self._served()
        await serving.require_running(vm)
        mark = SessionMark(user, vm.running.since)
        return await serving.place.writes.definition(vm, notes=notes.session(mark), session=mark)

    async def log_in(self, vm: VirtualMachine, user: str) -> VirtualMachine:
        """Wait for VM-Operator to log the user in."""
        return await (await self._served()).logins.log_in(vm, user)

    async def log_out(self, vm: VirtualMachine) -> VirtualMachine:
        """Wait for VM-Operator to log out whoever is logged in."""
        return await (await self._served()).logins.log_out(vm)

    async def disconnect(self, vm: VirtualMachine) -> None:
        """Expire the password, and hang up on all who look through here."""
        await (await self._served()).consoles.disconnect(vm)

    async def discard(self, vm: VirtualMachine) -> VirtualMachine:
        """Give the VM as it is: a pool that wants disks to be made anew is misconfigured here."""
        return vm_of(await (await self._served()).place.writes.require_unchanged(vm))

    def tell(self, decision: Decision) -> None:
        """Tell it in the cluster's events, some time; what was decided before it is known where, nowhere."""
        if self._serving:
            self._serving.events.tell(decision)

    async def pool_is_gone(self, name: str) -> bool:
        """Ask for the pool; then whether pools can be asked for."""
        place = (await self._served()).place
        return not await self._is_there(f"{place.pools}/{name}") and await self._is_there(place.pools, limit="1")

    async def offer_display(self, vm: VirtualMachine, user: User) -> DisplayOffer:
        """Note the console user, and give the display a new password."""
        serving = await self._served()
        await serving.require_running(vm)
        return await serving.consoles.offer(vm, user)

    async def connect_display(self, vm: VirtualMachine) -> SpiceDisplay:
        """Connect to the display."""
        serving = await self._served()
        _require_running(vm)
        return await serving.consoles.connect(vm)

    # Inside.

    async def _served(self) -> _Serving:
        if self._serving is None:
            with asking():
                namespace = self.namespace or await self._credentials.namespace()
            place = Place(self._client, namespace)
            settings = Settings(
                preferred_ip_version=self.preferred_ip_version,
                password_validity=timedelta(seconds=self.password_validity),
                serial_timeout=self.serial_timeout,
                connect_timeout=self.request_timeout,
            )
            self._serving = _Serving(
                place, Consoles(place, self._clock, settings), Logins(place, self._clock, self.login_timeout)
            )
        return self._serving

    async def _is_there(self, path: str, **query: str) -> bool:
        try:
            with asking(NotFound):
                await self._client.get(path, query)
        except NotFound:
            return False
        return True


class _Serving:
    """What there is once it is known where."""

    def __init__(self, place: Place, consoles: Consoles, logins: Logins) -> None:
        self.place = place
        self.consoles = consoles
        self.logins = logins
        self.permissions = Permissions(place.client, place.namespace)
        self.events = Events(place, self.permissions)

    async def require_running(self, vm: VirtualMachine) -> None:
        """Refuse a VM that is off; but say first whether it is as it was read."""
        if not vm.running:
            await self.place.writes.require_unchanged(vm)
        _require_running(vm)


def _require_running(vm: VirtualMachine) -> None:
    if not vm.running:
        message = f'The VM "{vm.name}" is not running.'
        raise BackendUnavailable(message)


def _behind(why: ApiError) -> Behind:
    return Behind(code_of(why), not_installed() if isinstance(why, NotFound) else str(why))
