"""Things happen to real machines while nothing can be written down: it is told, nothing is lost, and it passes."""

import asyncio
import os
import signal

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_pool_resource
from tests.backends.qemu.machines import (
    ITSELF,
    VM,
    an_empty_vm,
    deciding,
    failed,
    locked,
    no_room_for,
    process_of,
    processes,
)
from tests.builders import a_user
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import CRASHED, RequestedState

ANN = a_user("ann")


@pytest.fixture(params=["full disk", "locked store"])
def unwritable(request, home):
    return {"full disk": lambda: no_room_for(ITSELF), "locked store": lambda: locked(home / "state" / "store.sqlite")}[
        request.param
    ]


@pytest.fixture
async def anns(serving, clock):
    """Ann's VM runs: give the backend, its watcher and its broker."""
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_pool_resource("demo"))
        await backend.apply(an_empty_vm())
        async with deciding(backend, clock) as broker:
            await broker.start(ANN, "demo")
            await seen.vm(VM, lambda vm: vm.running)
            yield backend, seen, broker


async def test_what_cannot_be_written_is_told_and_nothing_is_decided_until_it_is(anns, unwritable, home):
    _, seen, broker = anns
    with unwritable():
        os.kill(process_of(home), signal.SIGKILL)

        await seen.until(lambda seen: seen.behind)
        assert broker.problem.code == "chronicle-behind"
        assert f"The store {home}/state/store.sqlite" in broker.problem.message
        for act in (broker.start, broker.stop, broker.reset, broker.release, broker.open_console):
            with pytest.raises(BackendUnavailable, match="cannot be written down") as refusal:
                await act(ANN, "demo")
            assert refusal.value.code == "chronicle-behind"

    vm = await failed(seen)
    assert vm.running.reason == CRASHED
    assert "SIGKILL" in vm.running.message
    assert vm.assignment.user == "ann"
    await seen.until(lambda seen: not seen.behind)
    await until_fresh(broker)
    await broker.start(ANN, "demo")
    await seen.vm(VM, lambda vm: vm.running)


async def until_fresh(broker):
    async for picture in broker.watch(ANN):
        if not picture.problem:
            return


async def test_a_watch_that_begins_meanwhile_is_told_too(anns, unwritable, home):
    backend, seen, _ = anns
    with unwritable():
        os.kill(process_of(home), signal.SIGKILL)
        await seen.until(lambda seen: seen.behind)

        async with watching(backend) as later:
            assert later.vms == seen.vms
            await later.until(lambda later: later.behind)


async def test_what_users_do_is_refused_and_not_done_later(anns, unwritable, home):
    backend, seen, broker = anns
    with unwritable():
        with pytest.raises(BackendUnavailable, match="cannot be used"):
            await broker.stop(ANN, "demo")
        with pytest.raises(BackendUnavailable, match="cannot be used"):
            await backend.release(seen.vms[VM])

    await backend.apply(a_pool_resource("other"))
    async with watching(backend) as later:
        vm = later.vms[VM]
    assert (vm.requested, vm.assignment.user) == (RequestedState.RUNNING, "ann")
    assert len(await asyncio.to_thread(processes, home)) == 1
