"""The two grounds on which the broker is proved: memory, and the store of the QEMU backend with machines that do nothing.

Both are the port, and what an administrator, another writer or a machine does behind the broker's back.
"""

import asyncio
import shutil
import tempfile
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from tests.builders import a_vm
from vmpool_ext.backends import resources
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.backends.qemu import happenings
from vmpool_ext.backends.qemu.backend import _event, _pool, _vm
from vmpool_ext.backends.qemu.ledger import Ledger
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.backends.resources import POOL_KIND, USER_LOGGED_IN, VM_KIND
from vmpool_ext.broker.ports import DisplayOffer
from vmpool_ext.domain.errors import AgentFailed, AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import CRASHED, LOGIN_FAILED, Condition, RequestedState

# It is the conditions of the writes that are proved, not the disk.
_ROOM = next((room for room in ("/dev/shm",) if Path(room).is_dir()), None)  # noqa: S108  # in a directory of its own
TICK = timedelta(microseconds=1)


class InMemory(MemoryBackend):
    """The reference backend."""

    async def define_pool(self, pool):
        self.put_pool(pool)

    async def remove_pool(self, name):
        self.delete_pool(name)

    async def define_vm(self, name, pools, grants=()):
        self.put_vm(a_vm(name, pools=frozenset(pools), grants=grants))

    async def remove_vm(self, name):
        self.delete_vm(name)

    async def written_by_another(self, name, assignment):
        self.put_vm(replace(self.vm(name), assignment=assignment))

    async def touched(self, name):
        self.put_vm(self.vm(name))

    async def crashed(self, name):
        self.crash(name)

    async def not_logged_in(self, vm):
        told = Condition(since=self._clock.now(), reason=LOGIN_FAILED, message="451 no home directory")
        await self._write_to_running(vm, logged_in_user=None, user_logged_in=told)

    def vms_now(self):
        return dict(self._vms)

    def pools_now(self):
        return dict(self._pools)

    async def close(self):
        await self.stop()


class InStore:
    """The ledger and the SQLite store of the QEMU backend; its machines do at once what is wanted of them."""

    def __init__(self, clock):
        self._clock = clock
        self._directory = Path(tempfile.mkdtemp(prefix="vmpool-proof-", dir=_ROOM))
        self._ledger = Ledger(self._directory, "proof")
        self._viewers = {}
        self._machines = set()
        self._touches = 0

    async def start(self):
        await self._ledger.open()

    async def close(self):
        await self._ledger.close()
        shutil.rmtree(self._directory)

    # Behind the broker's back.

    async def define_pool(self, pool):
        await self._ledger.put(POOL_KIND, pool.name, lambda _: _pool_resource(pool))

    async def remove_pool(self, name):
        await self._ledger.delete(POOL_KIND, name)

    async def define_vm(self, name, pools, grants=()):
        await self._ledger.put(VM_KIND, name, lambda _: _vm_resource(name, pools, grants))

    async def remove_vm(self, name):
        await self._ledger.delete(VM_KIND, name)

    async def written_by_another(self, name, assignment):
        await self._ledger.edit(VM_KIND, name, _on_status(resources.with_assignment, assignment))

    async def touched(self, name):
        self._touches += 1
        note = resources.with_annotation
        await self._ledger.edit(VM_KIND, name, lambda vm: note(vm, "example.org/touched", str(self._touches)))

    async def crashed(self, name):
        await self._ledger.edit(VM_KIND, name, lambda vm: happenings.not_wanted(self._off(vm, CRASHED)))

    async def not_logged_in(self, vm):
        await self._edit_running(vm, lambda resource: _login(resource, None, LOGIN_FAILED, self._clock.now()))

    def vms_now(self):
        return {stored.name: _vm(stored) for stored in self._stored() if stored.kind == VM_KIND}

    def pools_now(self):
        return {stored.name: _pool(stored) for stored in self._stored() if stored.kind == POOL_KIND}

    def _stored(self):
        return Store.everything(self._ledger._store).resources

    # The port.

    async def watch(self):
        async with aclosing(self._ledger.watch()) as changes:
            async for change in changes:
                yield _event(change)

    async def assign(self, vm, assignment):
        return await self._edit(vm, _on_status(resources.with_assignment, assignment))

    async def release(self, vm):
        return await self._edit(vm, _on_status(resources.with_assignment, None))

    async def request_state(self, vm, state):
        return self._followed(await self._edit(vm, lambda resource: resources.with_requested_state(resource, state)))

    async def restart(self, vm):
        return self._followed(await self._edit_running(vm, resources.with_ending_run))

    async def reset(self, vm):
        await self._edit_running(vm, lambda resource: happenings.reset(resource, self._clock.now()))
        await self._ledger.edit(VM_KIND, vm.name, lambda resource: happenings.booted(resource, self._clock.now()))

    async def mark_session(self, vm, user):
        return await self._edit_running(vm, lambda resource: resources.with_session(resource, user))

    async def log_in(self, vm, user):
        return await self._edit_running(vm, lambda resource: _login(resource, user, "LoggedIn", self._clock.now()))

    async def log_out(self, vm):
        return await self._edit_running(vm, lambda resource: _login(resource, None, "LoggedOut", self._clock.now()))

    async def disconnect(self, vm):
        for viewer in tuple(self._viewers.get(vm.name, ())):
            await viewer.close()

    async def discard(self, vm):
        return self._followed(await self._edit(vm, happenings.to_be_discarded))

    def tell(self, decision):
        """Keep nothing."""

    async def pool_is_gone(self, name):
        return await self._ledger.get(POOL_KIND, name) is None

    async def offer_display(self, vm, user):
        await self._edit_running(vm, lambda resource: happenings.asked_for_console(resource, user.name))
        return DisplayOffer("vnc", "password")

    async def connect_display(self, vm):
        await self._edit_running(None, self._looked_at, vm.name)
        viewer = InertDisplay(self, vm.name)
        self._viewers.setdefault(vm.name, set()).add(viewer)
        return viewer

    # Inside.

    async def left(self, name, viewer):
        if viewer not in self._viewers.get(name, ()):
            return
        self._viewers[name].discard(viewer)
        if self._viewers[name]:
            return
        change = happenings.console
        try:
            await self._ledger.edit(VM_KIND, name, lambda vm: change(vm, self._clock.now(), connected=False))
        except AssignmentConflict:
            return  # The VM is gone.

    def _looked_at(self, vm):
        return happenings.console(vm, self._clock.now(), connected=True)

    async def _edit(self, vm, change):
        return _vm(await self._ledger.edit(VM_KIND, vm.name, change, vm.version))

    async def _edit_running(self, vm, change, name=""):
        def to_running(resource):
            if not resources.vm_from_resource(resource, 0).running:
                message = "The VM is not running."
                raise BackendUnavailable(message)
            return change(resource)

        return _vm(await self._ledger.edit(VM_KIND, name or vm.name, to_running, vm.version if vm else None))

    def _followed(self, vm):
        task = asyncio.create_task(self._follow(vm.name))
        self._machines.add(task)
        task.add_done_callback(self._machines.discard)
        return vm

    async def _follow(self, name):
        try:
            await self._ledger.edit(VM_KIND, name, self._ended_if_it_should)
            await self._ledger.edit(VM_KIND, name, _discarded_if_it_should)
            await self._ledger.edit(VM_KIND, name, self._begun_if_it_should)
        except AssignmentConflict:
            return  # The VM is gone.

    def _ended_if_it_should(self, vm):
        seen = resources.vm_from_resource(vm, 0)
        ends = seen.running and (seen.restarting or seen.requested is RequestedState.STOPPED)
        return self._off(vm, happenings.VM_STOPPED) if ends else vm

    def _begun_if_it_should(self, vm):
        seen = resources.vm_from_resource(vm, 0)
        if seen.running or seen.requested is RequestedState.STOPPED:
            return vm
        # As in memory: no two runs begin at the same moment, and none before the console's last change.
        now = max(self._clock.now(), seen.running.since + TICK, seen.console_connected.since)
        vm = resources.with_disk_used(vm)
        return happenings.booted(happenings.running(happenings.starting(vm, now, None), now, "inert"), now)

    def _off(self, vm, reason):
        self._viewers.pop(vm["metadata"]["name"], None)
        return happenings.off(vm, self._clock.now(), reason, "")


def _discarded_if_it_should(vm):
    seen = resources.vm_from_resource(vm, 0)
    return resources.with_annotation(vm, resources.DISK, None) if seen.discarding and not seen.running else vm


class InertDisplay:
    """Somebody who looks at a display that shows nothing."""

    def __init__(self, backend, vm):
        self._backend = backend
        self._vm = vm

    async def close(self):
        await self._backend.left(self._vm, self)


def _on_status(change, *args):
    return lambda resource: {**resource, "status": change(resource["status"], *args)}


def _login(resource, user, reason, now):
    if not resources.vm_from_resource(resource, 0).agent_there:
        message = "There is no agent in the guest."
        raise AgentFailed(message)
    status = {**resource["status"], "loggedInUser": user}
    on = user is not None
    return {**resource, "status": resources.set_condition(status, USER_LOGGED_IN, on=on, reason=reason, now=now)}


def _grant_resources(grants):
    for grant in grants:
        who = {"user": grant.user} if grant.user else {"role": grant.role}
        yield {**who, "may": sorted(str(each) for each in grant.may)}


def _pool_resource(pool):
    spec = {
        "retention": "P" if pool.misconfigured else pool.retention_text,
        "loginOnAssignment": pool.login_on_assignment,
        "permissions": list(_grant_resources(pool.grants)),
    }
    annotations = {resources.END_ACTION: str(pool.end_action)}
    return {"metadata": {"name": pool.name, "annotations": annotations}, "spec": spec}


def _vm_resource(name, pools, grants):
    spec = {"pools": sorted(pools), "permissions": list(_grant_resources(grants)), "vm": {"state": "Stopped"}}
    status = resources.with_status_defaults({})
    return {"metadata": {"name": name}, "spec": spec, "status": status}
