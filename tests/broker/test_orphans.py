"""When a pool is deleted its assignments go; but only when it is really gone, and no faster than one can see (R11)."""

import asyncio
from dataclasses import replace

import pytest

from tests.broker.conftest import following, until
from tests.builders import a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.keeper import AGAIN_AFTER, ORPHANS_EVERY
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import Assignment

BOB = a_user("bob")
BOTH = frozenset({"gone", "win11"})


def orphan(name="vm1", **more):
    return a_vm(name, pool="gone", user="ann", **more)


def owner(backend, name="vm1"):
    return (assignment := backend.vm(name).assignment) and assignment.user


class Asked(MemoryBackend):
    """Counts how often it was asked for a pool, and how often it was told to disconnect."""

    asked = 0
    disconnected = 0

    async def pool_is_gone(self, name):
        self.asked += 1
        return await super().pool_is_gone(name)

    async def disconnect(self, vm):
        self.disconnected += 1
        await super().disconnect(vm)


async def settle():
    """Let everything go on that needs no time to pass."""
    for _ in range(60):
        await asyncio.sleep(0)


async def rounds(clock, number, **by):
    """Let time pass in steps, with everything that comes of each."""
    for _ in range(number):
        await clock.advance(**by)
        await settle()


async def test_what_a_pool_has_given_goes_with_it_and_other_pools_keep_theirs(clock):
    kept = a_vm("vm2", user="bob"), a_vm("vm3", pool="win11", pools=BOTH, user="carol")
    backend = MemoryBackend(clock, [a_pool("gone"), a_pool()], [orphan(), *kept])
    before = backend.vm("vm2"), backend.vm("vm3")
    async with following(backend, clock):
        await settle()
        assert owner(backend) == "ann"
        backend.delete_pool("gone")
        await until(lambda: owner(backend) is None)

    assert (backend.vm("vm2"), backend.vm("vm3")) == before


async def test_also_when_it_was_deleted_while_nobody_was_looking(clock):
    backend = MemoryBackend(clock, [a_pool()], [orphan()])
    async with following(backend, clock):
        await until(lambda: owner(backend) is None)


async def test_a_vm_that_its_pool_gave_is_given_on_by_another_when_that_pool_is_gone(clock):
    backend = MemoryBackend(clock, [a_pool()], [orphan(pools=BOTH)])
    async with following(backend, clock) as broker:
        await until(lambda: broker.pool(BOB, "win11").free == 1)

        assert (await broker.start(BOB, "win11")).newly


async def test_who_is_connected_to_an_orphan_is_disconnected(clock):
    backend = MemoryBackend(clock, [a_pool("gone")], [orphan(running=True)])
    async with following(backend, clock) as broker:
        offer = await broker.open_console(a_user("ann"), "gone")
        console = await broker.connect_console(a_user("ann"), "vm1", offer.ticket)
        await console.display.read()
        backend.delete_pool("gone")

        assert await console.display.read() == b""
        await until(lambda: owner(backend) is None)


class NotTold(Asked):
    """Its picture lacks a pool that is there."""

    async def watch(self):
        async for event in super().watch():
            yield replace(event, pools=()) if hasattr(event, "pools") else event


class CannotBeAsked(Asked):
    """Does not answer whether a pool is there, as when the pools' own definition is missing."""

    async def pool_is_gone(self, name):
        self.asked += 1
        message = "pools cannot be asked for"
        raise BackendUnavailable(message)


@pytest.mark.parametrize(("kind", "pools"), [(NotTold, [a_pool("gone")]), (CannotBeAsked, [])])
async def test_a_pool_that_is_only_not_seen_is_not_gone(clock, kind, pools):
    """It is asked for again as long as it is not seen."""
    backend = kind(clock, pools, [orphan()])
    async with following(backend, clock):
        await until(lambda: backend.asked == 1)
        await clock.advance(seconds=AGAIN_AFTER.total_seconds())
        await until(lambda: backend.asked == 2)

    assert owner(backend) == "ann"


async def test_a_misconfigured_pool_is_not_gone(clock):
    backend = Asked(clock, [a_pool("gone", misconfigured="retention")], [orphan()])
    async with following(backend, clock):
        await rounds(clock, 3, hours=9)

    assert (backend.asked, owner(backend)) == (0, "ann")


async def test_by_a_picture_that_may_be_stale_no_pool_is_gone(clock):
    backend = Asked(clock, [a_pool("gone")], [orphan()])
    async with following(backend, clock):
        backend.disconnect_watchers()
        await settle()
        backend.delete_pool("gone")
        await settle()

    assert (backend.asked, owner(backend)) == (0, "ann")


async def test_by_a_clock_that_has_jumped_nothing_is_removed(clock):
    backend = Asked(clock, [a_pool("gone")], [orphan()])
    async with following(backend, clock):
        await clock.jump(hours=1)
        backend.delete_pool("gone")
        await rounds(clock, 3, seconds=5)

    assert (backend.asked, owner(backend)) == (0, "ann")


async def test_a_pool_deleted_and_made_again_keeps_what_could_not_be_removed_in_between(clock):
    class Slow(Asked):
        async def pool_is_gone(self, name):
            self.put_pool(a_pool("gone"))
            return await super().pool_is_gone(name)

    backend = Slow(clock, [a_pool("gone")], [orphan()])
    async with following(backend, clock):
        backend.delete_pool("gone")
        await until(lambda: backend.asked == 1)
        await settle()

    assert owner(backend) == "ann"


async def test_ten_a_second_are_removed_at_most(clock):
    names = [f"vm{n}" for n in range(30)]
    backend = MemoryBackend(clock, [], [orphan(name) for name in names])

    def left():
        return sum(owner(backend, name) is not None for name in names)

    async with following(backend, clock):
        for removed in range(1, 31):
            await until(lambda removed=removed: left() == 30 - removed)
            await settle()
            assert left() == 30 - removed, "not one more before its time"
            await clock.advance(seconds=ORPHANS_EVERY.total_seconds())


async def test_one_that_waited_its_turn_and_is_in_use_again_is_left_alone(clock):
    """Another broker removed its assignment meanwhile, and somebody has it from another pool."""
    backend = Asked(clock, [a_pool()], [orphan("vm1"), orphan("vm2"), orphan("vm3")])
    async with following(backend, clock):
        await until(lambda: sum(owner(backend, name) is None for name in ("vm1", "vm2", "vm3")) == 1)
        waiting = [name for name in ("vm1", "vm2", "vm3") if owner(backend, name)]
        for name in waiting:
            backend.put_vm(replace(backend.vm(name), assignment=Assignment("win11", "bob", clock.now())))
        await rounds(clock, 5, seconds=1)

    assert backend.disconnected == 1, "only who was connected to the orphan"
    assert [owner(backend, name) for name in waiting] == ["bob", "bob"]
