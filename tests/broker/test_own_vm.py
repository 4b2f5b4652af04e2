"""Stopping, resetting and giving back one's own VM (R6)."""

import asyncio

import pytest

from tests.broker.conftest import following
from tests.builders import a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.errors import BackendUnavailable, NothingAssigned, NotRunning, PermissionMissing, PoolNotFound
from vmpool_ext.domain.machine import Assignment, RequestedState

ANN = a_user("ann")
ACTS = ["stop", "reset", "release"]


@pytest.fixture
async def with_a_vm(broker, settled):
    await broker.start(ANN, "win11")
    await settled()
    return broker


async def test_a_stopped_vm_stays_its_users(with_a_vm, backend, settled):
    view = await with_a_vm.stop(ANN, "win11")
    assert view.vm.state == "stopping"
    await settled()

    assert with_a_vm.pool(ANN, "win11").vm.state == "stopped"
    assert backend.vm("vm1").assignment.user == "ann"


async def test_a_reset_vm_boots_again(with_a_vm, backend, clock):
    await clock.advance(minutes=1)

    await with_a_vm.reset(ANN, "win11")

    assert backend.vm("vm1").booted.since == clock.now()


async def test_a_vm_given_back_is_nobodys(with_a_vm, backend):
    view = await with_a_vm.release(ANN, "win11")

    assert view.vm is None
    assert view.free == 2
    assert backend.vm("vm1").assignment is None


@pytest.mark.parametrize("act", ACTS)
async def test_there_must_be_a_vm_to_do_it_with(broker, act):
    with pytest.raises(NothingAssigned):
        await getattr(broker, act)(ANN, "win11")


@pytest.mark.parametrize("act", ACTS)
async def test_anothers_vm_is_not_ones_own(with_a_vm, backend, act):
    before = backend.vm("vm1")
    with pytest.raises(NothingAssigned):
        await getattr(with_a_vm, act)(a_user("bob"), "win11")

    assert backend.vm("vm1") == before


@pytest.mark.parametrize("act", ACTS)
async def test_a_stranger_learns_nothing(with_a_vm, act):
    with pytest.raises(PoolNotFound):
        await getattr(with_a_vm, act)(a_user("mallory"), "win11")


@pytest.mark.parametrize(("act", "may"), [("stop", ["reset", "start"]), ("reset", ["stop", "start"])])
async def test_each_needs_its_permission(clock, act, may):
    backend = MemoryBackend(clock, [a_pool(may=may)], [a_vm(user="ann", running=True)])
    before = backend.vm("vm1")
    async with following(backend, clock) as broker:
        with pytest.raises(PermissionMissing):
            await getattr(broker, act)(ANN, "win11")

    assert backend.vm("vm1") == before


@pytest.mark.parametrize("act", [*ACTS, "open_console"])
async def test_nothing_is_done_by_a_picture_that_may_be_stale(with_a_vm, backend, act):
    before = backend.vm("vm1")
    backend.disconnect_watchers()
    await asyncio.sleep(0)

    with pytest.raises(BackendUnavailable):
        await getattr(with_a_vm, act)(ANN, "win11")
    assert backend.vm("vm1") == before


@pytest.mark.parametrize("act", ["stop", "reset"])
async def test_what_is_off_is_told_to_be_off(clock, act):
    async with following(MemoryBackend(clock, [a_pool()], [a_vm(user="ann")]), clock) as broker:
        with pytest.raises(NotRunning):
            await getattr(broker, act)(ANN, "win11")


async def test_an_act_on_a_vm_that_changed_meanwhile_is_judged_and_done_anew(with_a_vm, backend):
    """Somebody else wrote to the VM after the broker read it, before the broker's write arrived."""
    stopping = with_a_vm.stop(ANN, "win11")
    backend.put_vm(backend.vm("vm1"))

    await stopping

    assert backend.vm("vm1").requested is RequestedState.STOPPED


async def test_a_vm_that_was_taken_away_meanwhile_is_not_touched(with_a_vm, backend, clock):
    vm = backend.vm("vm1")
    await clock.advance(hours=9)
    stopping = with_a_vm.stop(ANN, "win11")
    taken = await MemoryBackend.assign(backend, vm, _bobs(clock))

    with pytest.raises(NothingAssigned):
        await stopping
    assert backend.vm("vm1") == taken


def _bobs(clock):
    return Assignment("win11", "bob", clock.now())
