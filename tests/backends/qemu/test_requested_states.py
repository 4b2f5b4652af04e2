"""What is wanted of a VM changes while its machine is still busy with what was wanted before."""

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_pool_resource
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    processes,
    start,
    started,
)
from vmpool_ext.backends.resources import VM_KIND
from vmpool_ext.broker.ports import VmDeleted
from vmpool_ext.domain.errors import AssignmentConflict, InvalidDefinition
from vmpool_ext.domain.machine import MachineState, RequestedState


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


async def test_a_start_while_it_stops_starts_it_again_when_it_is_off(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(powerdownTimeout=1))
        first = await started(backend, seen)
        await backend.request_state(first, RequestedState.STOPPED)
        stopping = await seen.vm(VM, lambda vm: vm.running.reason == "VmTerminating")
        assert stopping.state is MachineState.STOPPING

        await backend.request_state(stopping, RequestedState.RUNNING)

        await seen.vm(VM, lambda vm: not vm.running)
        assert (await seen.vm(VM, lambda vm: vm.running)).state is MachineState.RUNNING


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
