"""What is wanted of a VM changes while its machine is still busy with what was wanted before."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    processes,
    start,
    started,
    want,
)
from vmpool_ext.backends.resources import VM_KIND
from vmpool_ext.broker.ports import VmDeleted
from vmpool_ext.domain.errors import AssignmentConflict, InvalidDefinition
from vmpool_ext.domain.machine import TERMINATING, MachineState, RequestedState


async def test_a_stop_while_it_starts_is_heard(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await start(backend, seen)
        starting = await seen.vm(VM, lambda vm: vm.running.reason == "RunnerStarted")
        assert starting.state is MachineState.STARTING

        await backend.request_state(starting, RequestedState.STOPPED)

        vm = await seen.vm(VM, lambda vm: vm.running.reason == "VmStopped")
        assert vm.state is MachineState.STOPPED
        assert not processes(home)


async def stopping(backend, seen):
    await want(backend, seen, RequestedState.STOPPED)
    vm = await seen.vm(VM, lambda vm: vm.running.reason == TERMINATING)
    assert vm.state is MachineState.STOPPING


@asynccontextmanager
async def obeying(machine):
    """A guest that has just come up may not hear its power button yet: press until it does."""
    pressing = asyncio.create_task(machine._press_power_button_until_off())
    yield
    await pressing


async def test_a_start_while_it_stops_starts_it_again_when_it_is_off(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.booted)
        machine = backend._machine(VM)
        await stopping(backend, seen)

        await start(backend, seen)

        vm = await seen.vm(VM, lambda vm: vm.requested is RequestedState.RUNNING)
        async with obeying(machine):
            while vm.running:
                assert vm.state is MachineState.STOPPING
                await seen.next()
                vm = await seen.vm(VM)
        assert (await seen.vm(VM, lambda vm: vm.running)).state is MachineState.RUNNING


async def test_a_start_while_it_stops_leaves_up_what_does_not_obey(serving, home, monkeypatch):
    monkeypatch.setattr("vmpool_ext.backends.qemu.follower._OBEYS_WITHIN", 0.2)
    monkeypatch.setattr("vmpool_ext.backends.qemu.fleet._LAST_CALL", 0.2)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(powerdownTimeout=900))
        up = await started(backend, seen)
        [process] = processes(home)
        await stopping(backend, seen)

        await start(backend, seen)

        vm = await seen.vm(VM, lambda vm: vm.state is MachineState.RUNNING)
        assert vm.running == up.running
        assert processes(home) == [process]


async def test_what_does_not_obey_is_switched_off_for_another_users_run(serving, monkeypatch):
    monkeypatch.setattr("vmpool_ext.backends.qemu.fleet._LAST_CALL", 0.2)
    monkeypatch.setattr("vmpool_ext.backends.qemu.follower._RESTART_WITHIN", 0.2)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(powerdownTimeout=900))
        up = await started(backend, seen)
        await stopping(backend, seen)

        ending = await backend.restart(await seen.vm(VM))
        await backend.request_state(ending, RequestedState.RUNNING)

        await seen.vm(VM, lambda vm: vm.requested is RequestedState.RUNNING)
        while (vm := await seen.vm(VM)).state is not MachineState.RUNNING:
            await seen.next()
        assert vm.running.since > up.running.since


async def test_a_guest_that_obeys_late_is_started_again_if_it_is_wanted_again(serving, monkeypatch):
    monkeypatch.setattr("vmpool_ext.backends.qemu.follower._OBEYS_WITHIN", 0)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.booted)
        machine = backend._machine(VM)
        await stopping(backend, seen)
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.state is MachineState.RUNNING and vm.booted)

        async with obeying(machine):
            off = await seen.vm(VM, lambda vm: not vm.running)

        assert (off.state, off.running.reason) == (MachineState.STARTING, "VmStopped")
        await seen.vm(VM, lambda vm: vm.running)


async def test_asking_for_what_is_so_already_changes_nothing(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await seen.vm(VM)

        assert await backend.request_state(vm, RequestedState.STOPPED) == vm
        assert await backend.release(vm) == vm


async def test_a_deleted_vm_is_shut_down_first(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(powerdownTimeout=1))
        await started(backend, seen)

        await backend.delete(VM_KIND, VM)

        assert (await seen.vm(VM, lambda vm: vm.being_deleted)).running
        while not isinstance(await seen.next(), VmDeleted):
            pass
        assert not processes(home)


async def test_a_vm_defined_anew_goes_on_as_it_was(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        up = await started(backend, seen)

        await backend.apply({**an_empty_vm(), "spec": {**an_empty_vm()["spec"], "pools": ["other"]}})

        vm = await seen.vm(VM, lambda vm: vm.pools == {"other"})
        assert (vm.running, vm.requested) == (up.running, RequestedState.RUNNING)


@pytest.mark.parametrize("definition", [{}, {"kind": "Pod", "metadata": {"name": "a"}}, a_pool_resource("../etc")])
async def test_what_is_no_definition_is_refused(serving, definition):
    async with serving() as backend:
        with pytest.raises(InvalidDefinition):
            await backend.apply(definition)


async def test_a_definition_that_comes_while_its_vm_is_removed_is_kept(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        read = await seen.vm(VM)
        await backend.request_state(read, RequestedState.RUNNING)

        with pytest.raises(AssignmentConflict):
            await backend._serving().delete(VM_KIND, VM, read.version)

        assert (await seen.vm(VM, lambda vm: vm.running)).name == VM
