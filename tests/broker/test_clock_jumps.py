"""While the clock cannot be trusted no VM that was somebody's is given on; afterwards nothing has come of it."""

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.broker.conftest import following, until
from tests.builders import a_pool, a_user, a_vm
from tests.moving_clock import MovingClock
from tests.strategies import TICK
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.assignment import START_HOLD as HOLD
from vmpool_ext.domain.errors import ClockJumped, PoolExhausted, PoolMisconfigured
from vmpool_ext.domain.machine import Assignment, RequestedState
from vmpool_ext.domain.pool import EndAction

ANN, BOB = a_user("ann"), a_user("bob")


async def test_a_vm_that_was_somebodys_is_not_given_on(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        await clock.jump(hours=9)

        with pytest.raises(ClockJumped, match="clock has jumped"):
            await broker.start(BOB, "win11")

    assert backend.vm("vm1").assignment.user == "ann"


async def test_a_vm_that_is_nobodys_is_given_also_where_another_would_come_first(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann"), a_vm("vm2", running=True)])
    async with following(backend, clock) as broker:
        await clock.jump(hours=9)

        assert (await broker.start(BOB, "win11")).pool.vm.name == "vm2"


async def test_ones_own_vm_is_still_ones_own(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        await clock.jump(hours=9)

        assert (await broker.start(ANN, "win11")).pool.vm.name == "vm1"


async def test_nothing_is_ended_by_a_time_that_may_be_wrong(clock):
    vm = a_vm("vm1", user="ann", running=True)
    backend = MemoryBackend(clock, [a_pool(end_action=EndAction.STOP)], [vm])
    async with following(backend, clock) as broker:
        await clock.jump(hours=9)
        await clock.advance(seconds=5)
        assert broker.pool(ANN, "win11").vm.state == "running"

        await clock.be_believed(seconds=5)
        await until(lambda: backend.vm("vm1").requested is RequestedState.STOPPED)


@pytest.mark.parametrize("while_busy", [False, True])
async def test_what_was_not_done_by_a_wrong_time_is_done_when_the_clock_is_right_again(clock, while_busy):
    """And not when the right time has come to what the wrong one was."""
    backend = MemoryBackend(clock, [a_pool(), a_pool("gone")], [a_vm("vm1", user="ann", pool="gone")])
    async with following(backend, clock):
        if while_busy:
            backend.pool_is_gone = _not_known
            backend.delete_pool("gone")
            await _everything_goes_on()
            del backend.pool_is_gone
        await clock.jump(hours=9)
        if not while_busy:
            backend.delete_pool("gone")
        for _ in range(3):
            await clock.advance(seconds=5)
            await _everything_goes_on()
        assert backend.vm("vm1").assignment is not None

        await clock.be_believed(hours=-9)
        await clock.advance(seconds=5)
        await until(lambda: backend.vm("vm1").assignment is None)


async def _not_known(_):
    return False


async def _everything_goes_on():
    for _ in range(60):
        await asyncio.sleep(0)


async def test_by_a_clock_that_is_believed_again_vms_are_given_on(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        await clock.jump(hours=9)
        await clock.be_believed(hours=1)

        assert (await broker.start(BOB, "win11")).newly


async def test_what_a_wrong_time_seemed_to_have_ended_is_kept_when_the_clock_is_right_again(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker:
        await clock.jump(hours=9)
        assert broker.pool(BOB, "win11").free == 1
        await clock.be_believed(hours=-9)

        assert broker.pool(BOB, "win11").free == 0
        with pytest.raises(PoolExhausted):
            await broker.start(BOB, "win11")

    assert backend.vm("vm1").assignment.user == "ann"


class Ticking(MovingClock):
    """Its time passes at every look."""

    def now(self):
        self._now += timedelta(microseconds=1)
        return self._now


async def test_a_clock_that_may_be_trusted_is_not_blamed_for_what_becomes_free_in_that_moment():
    clock = Ticking()
    for wait in range(12):
        backend = MemoryBackend(clock, [a_pool(retention="PT0S")], [a_vm("vm1", user="ann")])
        vm = replace(backend.vm("vm1"), assignment=Assignment("win11", "ann", clock.now() - HOLD + wait * TICK))
        backend.put_vm(vm)
        async with following(backend, clock) as broker:
            with suppress(PoolExhausted):
                assert (await broker.start(BOB, "win11")).newly


async def test_whoever_watches_is_shown_what_is_so_when_the_clock_is_right_again(clock):
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann")])
    async with following(backend, clock) as broker, aclosing(broker.watch(BOB)) as pictures:
        await anext(pictures)
        await clock.jump(hours=9)
        assert (await anext(pictures)).pools[0].free == 1
        shown = asyncio.create_task(anext(pictures))
        for _ in range(3):
            await asyncio.sleep(0)
        await clock.be_believed(hours=-9)
        await clock.advance(minutes=1)

        assert (await asyncio.wait_for(shown, 5)).pools[0].free == 0


async def test_a_pool_that_gives_nothing_anyway_says_why_and_blames_no_clock(clock):
    pool = a_pool(misconfigured="retention")
    async with following(MemoryBackend(clock, [pool], [a_vm()]), clock) as broker:
        await clock.jump(hours=9)

        with pytest.raises(PoolMisconfigured):
            await broker.start(BOB, "win11")


async def test_a_clock_that_is_set_back_lengthens_no_pause(clock):
    """A lost backend is asked again in half a second, not in nine hours."""
    backend = MemoryBackend(clock, [a_pool()], [a_vm()])
    async with following(backend, clock) as broker:
        backend.disconnect_watchers()
        await until(lambda: broker.problem)
        await clock.jump(hours=-9)
        await clock.advance(seconds=0.5)

        await until(lambda: broker.problem is None)
