"""Servers that are processes of their own are killed, and others take their place."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.machines import (
    ITSELF,
    VM,
    deciding,
    failed,
    locked,
    no_room_for,
    process_of,
    processes,
    started,
    until_it_has,
    want,
)
from tests.backends.qemu.server import (
    DIES_BEFORE_IT_NOTES_THE_PROCESS,
    DIES_BEFORE_IT_STARTS_THE_VM,
    a_server,
    died,
    kill,
    says,
)
from tests.builders import a_user, a_vm
from vmpool_ext.backends.qemu.places import Places
from vmpool_ext.backends.qemu.process import Record, find
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import Assignment, MachineState, RequestedState


async def found(backend, seen):
    """Wait until the VM's machine is held; give the VM."""
    display = await until_it_has(backend, lambda: backend.connect_display(seen.vms[VM]))
    await display.close()
    return await seen.vm(VM)


async def test_the_vm_of_a_killed_server_is_still_anns_and_still_runs(serving, home):
    async with a_server(home) as server:
        await says(server, "running")
        [process] = processes(home)
        await kill(server)

    async with serving() as backend, watching(backend) as seen:
        vm = await found(backend, seen)

        assert vm.assignment.user == "ann"
        assert vm.state is MachineState.RUNNING
        assert processes(home) == [process]


async def test_a_vm_that_was_given_and_not_started_is_started_by_the_next_start(serving, home, clock):
    async with a_server(home, DIES_BEFORE_IT_STARTS_THE_VM) as server:
        await died(server)

    async with serving() as backend, watching(backend) as seen, deciding(backend, clock) as broker:
        given = await seen.vm(VM)
        assert given.assignment.user == "ann"
        assert given.state is MachineState.STOPPED

        again = await broker.start(a_user("ann"), "demo")

        assert not again.newly
        vm = await seen.vm(VM, lambda vm: vm.running)
        assert vm.assignment == given.assignment


async def test_a_machine_that_was_begun_and_not_noted_is_found(serving, home):
    async with a_server(home, DIES_BEFORE_IT_NOTES_THE_PROCESS) as server:
        await died(server)
    [process] = processes(home)
    assert process_of(home) != process

    async with serving() as backend, watching(backend) as seen:
        await seen.vm(VM, lambda vm: vm.running)

        assert processes(home) == [process]
        await want(backend, seen, RequestedState.STOPPED)
        await seen.vm(VM, lambda vm: vm.running.reason == "VmStopped")
        assert not processes(home)


@asynccontextmanager
async def a_process(*words):
    reads = (sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", *words)
    process = await asyncio.create_subprocess_exec(
        *reads, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    await process.stdout.readline()
    try:
        yield process.pid
    finally:
        process.stdin.close()
        await process.wait()


@pytest.mark.parametrize(
    ("guest", "folder"), [("vm-2", "here"), ("vm-11", "here"), ("vm-1", "elsewhere"), ("vm-1", "here/deeper")]
)
async def test_a_machine_of_another_vm_or_another_store_is_not_taken_for_it(home, guest, folder):
    async with a_process(f"guest={guest},x", f"socket,path={Places(home / folder).qmp},server=on"):
        assert await asyncio.to_thread(find, Record(VM, 0, "", str(home / "here"))) is None


async def test_a_machine_is_found_by_its_words(home):
    async with a_process(f"guest={VM},x", f"socket,path={Places(home / 'a,,b').qmp},server=on") as process:
        pidfd = await asyncio.to_thread(find, Record(VM, 0, "", str(home / "a,b")))

        assert f"Pid:\t{process}\n" in await asyncio.to_thread(_about, pidfd)
        os.close(pidfd)


def _about(descriptor):
    with open(f"/proc/self/fdinfo/{descriptor}") as file:  # noqa: PTH123  # a stream, not a file
        return file.read()


async def test_a_second_server_says_who_serves_and_takes_over_when_that_one_is_killed(make_backend, home, clock):
    second = make_backend(stop_vms_on_exit=True)
    async with a_server(home) as first:
        await says(first, "running")
        [process] = processes(home)

        await second.start()

        with pytest.raises(BackendUnavailable) as refusal:
            await anext(second.watch())
        assert refusal.value.code == "store-in-use"
        assert f"process {first.pid} " in str(refusal.value)
        await it_decides_nothing(second, clock)
        await kill(first)

    await until_it_has(second, lambda: anext(second.watch()))
    async with watching(second) as seen:
        assert (await found(second, seen)).assignment.user == "ann"
        assert processes(home) == [process]
    await second.stop()
    assert not processes(home)


async def it_decides_nothing(backend, clock):
    vm = a_vm(VM)
    asked = [
        backend.assign(vm, Assignment("demo", "bob", clock.now())),
        backend.release(vm),
        backend.request_state(vm, RequestedState.STOPPED),
        backend.reset(vm),
        backend.offer_display(vm, a_user()),
        backend.connect_display(vm),
        backend.apply({"kind": "VmPool", "metadata": {"name": "other"}}),
        backend.delete("VmPool", "demo"),
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(answer, "code", answer) for answer in answers] == ["store-in-use"] * len(asked)


async def crash_unnoted(server, home):
    """The VM ends; then the server does, before it could write that down."""
    [process] = processes(home)
    os.kill(process, signal.SIGKILL)
    await says(server, "behind")
    await kill(server)


async def it_is_told_and_starts_again(backend, seen):
    vm = await failed(seen)
    assert "while no server was looking" in vm.running.message
    assert vm.assignment.user == "ann"
    await started(backend, seen)


async def test_nothing_is_lost_with_a_server_whose_disk_was_full(serving, home):
    async with AsyncExitStack() as later, a_server(home) as first:
        await says(first, "running")
        with no_room_for(first.pid, ITSELF):
            await crash_unnoted(first, home)
            backend = await later.enter_async_context(serving())
            with pytest.raises(BackendUnavailable, match="whether there is space"):
                await anext(backend.watch())

        await until_it_has(backend, lambda: anext(backend.watch()))
        async with watching(backend) as seen:
            await it_is_told_and_starts_again(backend, seen)


async def test_nothing_is_lost_with_a_server_whose_store_was_locked(serving, home):
    async with AsyncExitStack() as later, a_server(home) as first:
        await says(first, "running")
        with locked(home / "state" / "store.sqlite"):
            await crash_unnoted(first, home)
            # The next one has a picture all the same, and writes what it finds as soon as it can.
            backend = await later.enter_async_context(serving())
            seen = await later.enter_async_context(watching(backend))
            assert seen.vms[VM].assignment.user == "ann"
            await seen.until(lambda seen: seen.behind)

        await it_is_told_and_starts_again(backend, seen)


async def test_the_record_of_a_process_is_for_its_owner_only(serving, home):
    async with a_server(home) as server:
        await says(server, "running")

        [record] = (home / "state" / "machines").iterdir()

        assert record.stat().st_mode & 0o077 == 0
        assert json.loads(record.read_text())["pid"] == processes(home)[0]
