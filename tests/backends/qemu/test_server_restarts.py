"""The server goes and comes back; its VMs need not."""

import asyncio
import json
import os
import signal

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    failed,
    process_of,
    processes,
    start,
    started,
    until_it_has,
    want_to_run,
)
from tests.backends.qemu.standin import SILENT, a_standin
from tests.builders import a_user
from vmpool_ext.backends.qemu.places import short_name
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import CRASHED, Assignment, MachineState, RequestedState


async def test_a_machine_outlives_its_server_and_is_found_again(serving, clock, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        mine = await backend.assign(await seen.vm(VM), Assignment("demo", "ann", clock.now()))
        await backend.request_state(mine, RequestedState.RUNNING)
        before = await seen.vm(VM, lambda vm: vm.booted)
    [process] = processes(home)
    await clock.advance(hours=1)

    # The default folder depends on how the server is begun; the machine's sockets stay where they are.
    async with serving(run_dir=str(home / "another")) as backend, watching(backend) as seen:
        # It can be stopped and looked at again as soon as it was found; that changes nothing of what is known of it.
        display = await until_it_has(backend, lambda: backend.connect_display(before))
        await display.close()
        again = await seen.vm(VM)
        assert again == before
        assert processes(home) == [process]

        await backend.request_state(again, RequestedState.STOPPED)

        after = await seen.vm(VM, lambda vm: not vm.running)
        assert after.assignment == before.assignment
        assert after.running.reason == "VmStopped"
        assert not processes(home)


async def test_a_machine_that_went_while_no_server_looked_is_told(serving, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)
    os.kill(pid := process_of(home), signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pid, 0)

    async with serving() as backend, watching(backend) as seen:
        vm = await failed(seen)
        assert vm.running.reason == CRASHED
        assert "while no server was looking" in vm.running.message


async def test_another_process_with_the_same_number_is_left_alone(serving, home):
    """Numbers are given again: the start time tells."""
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)
    record = home / "state" / "machines" / f"{short_name(VM)}.json"
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "started": "1"}))

    async with serving() as backend, watching(backend) as seen:
        assert (await failed(seen)).running.reason == CRASHED
        os.kill(known["pid"], 0)
    os.kill(known["pid"], signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, known["pid"], 0)


async def test_no_start_is_lost_with_its_server(serving, home):
    async with serving() as backend:
        await backend.apply(an_empty_vm())
    # Pressed, and written; then the server was gone before it could do anything.
    await asyncio.to_thread(want_to_run, home / "state" / "store.sqlite")

    async with serving() as backend, watching(backend) as seen:
        assert (await seen.vm(VM, lambda vm: vm.running)).state is MachineState.RUNNING


async def test_machines_end_with_their_server_if_that_is_wanted(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.booted)
    assert not processes(home)

    async with serving() as backend, watching(backend) as seen:
        assert (await seen.vm(VM)).state is MachineState.STOPPED


@pytest.mark.parametrize("vms_live_on", [False, True])
async def test_nothing_goes_on_after_a_stop(serving, home, vms_live_on):
    before = asyncio.all_tasks()
    async with serving(vms_live_on=vms_live_on) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        # It is attended to when it has shown its display.
        await (await backend.connect_display(vm)).close()

    assert asyncio.all_tasks() == before
    for process in processes(home):
        os.kill(process, signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, process, 0)
    with pytest.raises(BackendUnavailable):
        await anext(backend.watch())
    await backend.stop()


async def test_a_second_server_decides_nothing_until_the_first_is_gone(serving, make_backend):
    second = make_backend()
    async with serving() as first, watching(first) as seen:
        await first.apply(an_empty_vm())
        vm = await seen.vm(VM)

        await second.start()

        asked = [
            anext(second.watch()),
            second.assign(vm, Assignment("demo", "ann", vm.running.since)),
            second.release(vm),
            second.request_state(vm, RequestedState.RUNNING),
            second.reset(vm),
            second.offer_display(vm, a_user()),
            second.connect_display(vm),
        ]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, BackendUnavailable)
            assert answer.code == "store-in-use"
            assert f"process {os.getpid()}" in str(answer)

    first_event = await until_it_has(second, lambda: anext(second.watch()))
    assert [vm.name for vm in first_event.vms] == [VM]
    await second.stop()


async def test_a_machine_that_is_just_being_started_ends_with_its_server(serving, home):
    """Whoever ends the server with Ctrl-C at once finds no VM left behind."""
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.running.reason == "RunnerStarted")
    assert not processes(home)

    async with serving() as backend, watching(backend) as seen:
        vm = await seen.vm(VM)
        assert (vm.state, vm.requested) == (MachineState.STOPPED, RequestedState.STOPPED)


async def test_a_machine_that_does_not_answer_ends_with_its_server(serving, home, monkeypatch):
    monkeypatch.setattr("vmpool_ext.backends.qemu.fleet._LAST_CALL", 0.2)
    async with serving(qemu=a_standin(home, SILENT)) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await start(backend, seen)
        await until_it_has(backend, lambda: begun(home))

    assert not processes(home)


async def begun(home):
    if not processes(home):
        raise BackendUnavailable(VM)
