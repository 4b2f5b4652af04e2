"""Pressing Start (R3, R5, R6). Contention of many is in test_contention.py."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.broker.conftest import following
from tests.builders import NOON, a_pool, a_user, a_vm, since
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.assignment import longest_unused_first
from vmpool_ext.domain.errors import (
    BackendUnavailable,
    PermissionMissing,
    PoolEmpty,
    PoolExhausted,
    PoolMisconfigured,
    PoolNotFound,
)
from vmpool_ext.domain.machine import Assignment, MachineState, RequestedState
from vmpool_ext.domain.retention import END_OF_TIME

ANN, BOB = a_user("ann"), a_user("bob")
HOUR = timedelta(hours=1)


async def test_a_user_gets_a_vm_that_comes_up(broker, backend, settled):
    started = await broker.start(ANN, "win11")

    assert started.newly
    assert backend.vm("vm1").assignment == Assignment("win11", "ann", NOON)
    assert backend.vm("vm1").requested is RequestedState.RUNNING
    await settled()
    assert broker.pool(ANN, "win11").vm.state == "running"


async def test_starting_again_gives_the_same_vm_and_writes_nothing(broker, backend, settled):
    first = await broker.start(ANN, "win11")
    await settled()
    before = backend.vm("vm1"), backend.vm("vm2")

    second = await broker.start(ANN, "win11")

    assert (first.newly, second.newly) == (True, False)
    assert first.pool.vm.name == second.pool.vm.name
    assert (backend.vm("vm1"), backend.vm("vm2")) == before


async def test_two_users_get_two_vms_and_the_third_is_told_that_there_is_none(broker):
    await broker.start(ANN, "win11")
    await broker.start(BOB, "win11")

    with pytest.raises(PoolExhausted):
        await broker.start(a_user("carol"), "win11")


async def test_a_released_vm_is_given_on(broker):
    for user in (ANN, BOB):
        await broker.start(user, "win11")
    await broker.release(ANN, "win11")

    started = await broker.start(a_user("carol"), "win11")

    assert started.pool.vm.name == "vm1"


async def test_a_vm_is_kept_for_the_retention_and_then_given_on(broker, clock):
    for user in (ANN, BOB):
        await broker.start(user, "win11")
    await clock.advance(hours=4, microseconds=-1)
    with pytest.raises(PoolExhausted):
        await broker.start(a_user("carol"), "win11")
    await clock.advance(microseconds=1)

    assert (await broker.start(a_user("carol"), "win11")).newly


async def test_who_comes_back_after_the_retention_keeps_their_vm_if_nobody_else_came(broker, backend, clock):
    await broker.start(ANN, "win11")
    await clock.advance(hours=5)

    again = await broker.start(ANN, "win11")

    assert (again.newly, again.pool.vm.name) == (False, "vm1")
    assert backend.vm("vm1").assignment.last_used == clock.now(), "else it could be given on in the same moment"


@pytest.mark.parametrize("may", [["accessConsole"], ["stop"], ["takeConsole"]])
async def test_any_permission_entitles_to_a_running_vm(clock, may):
    """The pool resource's default is accessConsole alone."""
    async with following(MemoryBackend(clock, [a_pool(may=may)], [a_vm()]), clock) as broker:
        assert (await broker.start(ANN, "win11")).newly


async def test_starting_a_vm_again_needs_the_permission(clock):
    ran = replace(a_vm(user="ann", used_ago=HOUR), running=since(status=False))
    backend = MemoryBackend(clock, [a_pool(may=["accessConsole"])], [ran])
    async with following(backend, clock) as broker:
        with pytest.raises(PermissionMissing):
            await broker.start(ANN, "win11")

    assert backend.vm("vm1").requested is RequestedState.STOPPED


async def test_a_start_that_was_cut_short_is_completed_by_the_next(clock):
    """The broker was killed between the assignment and the request to run."""
    backend = MemoryBackend(clock, [a_pool(may=["accessConsole"])], [a_vm(user="ann")])
    async with following(backend, clock) as broker:
        started = await broker.start(ANN, "win11")

    assert not started.newly
    assert backend.vm("vm1").requested is RequestedState.RUNNING


async def test_without_a_permission_the_pool_does_not_exist(broker, backend):
    before = backend.vm("vm1")
    with pytest.raises(PoolNotFound) as stranger:
        await broker.start(a_user("mallory"), "win11")
    with pytest.raises(PoolNotFound) as unknown:
        await broker.start(ANN, "win12")

    assert str(stranger.value) == str(unknown.value).replace("win12", "win11")
    assert backend.vm("vm1") == before


@pytest.mark.parametrize(
    ("pool", "vms", "refusal"),
    [
        (a_pool(), [], PoolEmpty),
        (a_pool(misconfigured="retention"), [a_vm()], PoolMisconfigured),
        (a_pool(), [a_vm(user="bob")], PoolExhausted),
        (a_pool(), [a_vm(being_deleted=True)], PoolExhausted),
        (a_pool(), [a_vm(running=True, console=(True, HOUR))], PoolExhausted),
    ],
)
async def test_who_gets_none_is_told_why(clock, pool, vms, refusal):
    async with following(MemoryBackend(clock, [pool], vms), clock) as broker:
        with pytest.raises(refusal):
            await broker.start(ANN, "win11")


async def test_a_vm_that_was_used_at_the_end_of_the_calendar_hides_no_other(clock):
    """Another writer wrote nonsense: that VM is kept, and the rest is served."""
    odd = replace(a_vm("vm1"), assignment=Assignment("win11", "bob", END_OF_TIME))
    async with following(MemoryBackend(clock, [a_pool()], [odd, a_vm("vm2")]), clock) as broker:
        assert (await broker.start(ANN, "win11")).pool.vm.name == "vm2"


async def test_a_misconfigured_pool_keeps_what_it_has_given(clock):
    backend = MemoryBackend(clock, [a_pool(misconfigured="retention")], [a_vm(user="ann")])
    async with following(backend, clock) as broker:
        assert (await broker.start(ANN, "win11")).pool.vm.name == "vm1"


async def test_a_warm_vm_is_preferred_and_not_asked_to_run_again(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1"), a_vm("vm2", running=True)])
    async with following(backend, clock) as broker:
        before = backend.vm("vm2").version
        started = await broker.start(ANN, "win11")

    assert started.pool.vm.name == "vm2"
    assert backend.vm("vm2").version == before + 1, "one write: the assignment"


async def test_the_longest_unused_is_given_where_that_is_preferred(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", running=True, console=(False, 3 * HOUR)), a_vm("vm2")])
    async with following(backend, clock, prefer=longest_unused_first) as broker:
        assert (await broker.start(ANN, "win11")).pool.vm.name == "vm2"


async def test_a_vm_that_is_going_down_starts_again(broker, backend, settled):
    await broker.start(ANN, "win11")
    await settled()
    await broker.stop(ANN, "win11")
    assert backend.vm("vm1").state is MachineState.STOPPING

    await broker.start(ANN, "win11")
    await settled()

    assert backend.vm("vm1").state is MachineState.RUNNING


async def test_nothing_is_decided_by_a_stale_picture(broker, backend):
    backend.disconnect_watchers()
    await asyncio.sleep(0)

    with pytest.raises(BackendUnavailable):
        await broker.start(ANN, "win11")

    assert backend.vm("vm1").assignment is None


async def test_restarting_the_broker_changes_nothing_that_a_user_sees(broker, backend, clock, settled):
    await broker.start(ANN, "win11")
    await settled()

    async with following(backend, clock) as another:
        assert replace(another.overview(ANN), revision=0) == replace(broker.overview(ANN), revision=0)
