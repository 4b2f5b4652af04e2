"""What the broker does when others are always faster, and when something fails that nobody foresaw."""

import asyncio
from dataclasses import replace

import pytest

from tests.broker.conftest import following
from tests.builders import a_pool, a_user, a_vm, since
from tests.moving_clock import MovingClock
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.following import FIRST_PAUSE, LONGEST_PAUSE
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable, Contention
from vmpool_ext.domain.machine import Assignment, MachineState, RequestedState

ANN, BOB = a_user("ann"), a_user("bob")


class Contended(MemoryBackend):
    """Somebody else always writes first, so many times."""

    conflicts = 1000

    async def _write(self, vm, **changes):
        if self.conflicts:
            self.conflicts -= 1
            self.put_vm(self.vm(vm.name))
            raise AssignmentConflict(vm.name)
        return await super()._write(vm, **changes)


@pytest.mark.parametrize("act", ["start", "stop", "release"])
async def test_it_gives_up_in_the_end_and_says_to_try_again(clock, act):
    mine = {} if act == "start" else {"user": "ann", "running": True}
    async with following(Contended(clock, [a_pool()], [a_vm(**mine)]), clock) as broker:
        with pytest.raises(Contention):
            await getattr(broker, act)(ANN, "win11")


@pytest.mark.parametrize("used_hours_ago", [0, 9])
async def test_it_goes_on_for_a_while_before(clock, used_hours_ago):
    """Also when a VM is renewed, whose retention has ended."""
    backend = Contended(clock, [a_pool()], [a_vm(user="ann")])
    backend.conflicts = 3
    await clock.advance(hours=used_hours_ago)
    async with following(backend, clock) as broker:
        started = await broker.start(ANN, "win11")

    assert started.pool.vm.name == "vm1"
    assert backend.vm("vm1").requested is RequestedState.RUNNING


async def test_a_vm_that_another_got_while_it_was_renewed_is_not_taken_back(clock):
    """Ann comes back after her retention; Bob was a moment faster."""
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="ann"), a_vm("vm2")])
    await clock.advance(hours=9)
    async with following(backend, clock) as broker:
        starting = asyncio.create_task(broker.start(ANN, "win11"))
        await asyncio.sleep(0)
        backend.put_vm(replace(backend.vm("vm1"), assignment=Assignment("win11", "bob", clock.now())))

        started = await starting

    assert (started.newly, started.pool.vm.name) == (True, "vm2")
    assert backend.vm("vm1").assignment.user == "bob"


async def test_a_used_vm_that_goes_down_meanwhile_is_not_reset_but_started_again(clock):
    """Its session ends with the run."""
    used = replace(a_vm(running=True), console_connected=since(status=False))
    backend = MemoryBackend(clock, [a_pool()], [replace(used, requested=RequestedState.STOPPED)])
    async with following(backend, clock) as broker:
        await broker.start(ANN, "win11")
        await backend.stop()

    assert backend.vm("vm1").state is MachineState.RUNNING


class Broken(MemoryBackend):
    """Fails at the first assignment in a way that no port promises."""

    broken = True

    async def assign(self, vm, assignment):
        if self.broken:
            self.broken = False
            message = "unforeseen"
            raise ZeroDivisionError(message)
        return await super().assign(vm, assignment)


async def test_a_vm_whose_assignment_failed_unforeseen_can_be_given_again(clock):
    """Else whoever comes next would wait for ever for what becomes of it."""
    async with following(Broken(clock, [a_pool()], [a_vm()]), clock) as broker:
        with pytest.raises(ZeroDivisionError):
            await broker.start(ANN, "win11")

        assert (await asyncio.wait_for(broker.start(BOB, "win11"), 5)).newly


class Unforeseen(MemoryBackend):
    """Fails at the first watch, and works from then on."""

    watches = 0

    async def watch(self):
        self.watches += 1
        if self.watches == 1:
            message = "the password is swordfish"
            raise ZeroDivisionError(message)
        async for event in super().watch():
            yield event


async def test_what_nobody_foresaw_is_told_without_inner_words_and_tried_again(clock, caplog):
    backend = Unforeseen(clock, [a_pool()], [a_vm()])
    with pytest.raises(Exception, match="cannot be read") as told:
        async with following(backend, clock):
            pass
    assert told.value.code == "internal"
    assert "swordfish" not in str(told.value)
    assert "swordfish" in caplog.text

    async with following(backend, clock) as broker:
        assert broker.problem is None


class Away(MemoryBackend):
    """Cannot be watched; counts how often it was tried."""

    tries = 0

    async def watch(self):
        self.tries += 1
        message = "away"
        raise BackendUnavailable(message)
        yield


async def test_a_backend_that_is_away_is_asked_more_and_more_seldom(clock):
    backend = Away(clock)
    running = asyncio.create_task(PoolBroker(backend, clock).run())
    tries = []
    pause = FIRST_PAUSE
    while pause < 2 * LONGEST_PAUSE:
        for _ in range(3):
            await asyncio.sleep(0)
        tries.append(backend.tries)
        await clock.advance(seconds=min(2 * pause, LONGEST_PAUSE).total_seconds())
        pause *= 2
    running.cancel()

    assert tries == list(range(1, len(tries) + 1)), "once for each pause"


class Counted(MovingClock):
    """Counts who waits for a moment."""

    waits = 0

    async def sleep_until(self, moment):
        self.waits += 1
        await super().sleep_until(moment)


async def test_while_the_backend_is_away_what_is_due_is_not_looked_at_over_and_over():
    """It may be the end of a retention; nothing is done about it by a picture that may be stale."""
    clock = Counted()
    backend = MemoryBackend(clock, [a_pool()], [a_vm(user="ann")])
    async with following(backend, clock):
        backend.disconnect_watchers()
        await asyncio.sleep(0)
        backend.watch = Away(clock).watch
        await clock.advance(hours=4)
        waits = clock.waits
        for _ in range(1000):
            await asyncio.sleep(0)

    assert clock.waits < waits + 10
