"""What a subscriber is shown: the whole picture, at every change, also when only time has passed."""

import asyncio
from contextlib import aclosing
from dataclasses import fields, replace

import pytest

from tests.broker.conftest import following
from tests.builders import a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.following import FIRST_PAUSE
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant

ANN, BOB = a_user("ann"), a_user("bob")


async def _next(pictures):
    return await asyncio.wait_for(anext(pictures), 5)


async def _until(pictures, holds):
    while not holds(picture := await _next(pictures)):
        pass
    return picture


async def test_the_first_picture_comes_at_once(broker):
    async with aclosing(broker.watch(ANN)) as pictures:
        (pool,) = (await _next(pictures)).pools

        assert (pool.name, pool.free, pool.total, pool.vm, pool.retention) == ("win11", 2, 2, None, "PT4h")


async def test_what_another_does_is_shown_as_far_as_it_concerns_one(broker):
    async with aclosing(broker.watch(BOB)) as pictures:
        await _next(pictures)
        await broker.start(ANN, "win11")

        (pool,) = (await _until(pictures, lambda picture: picture.pools[0].free == 1)).pools

        assert pool.vm is None
        assert "ann" not in repr(pool)


async def test_the_last_picture_is_the_overview(broker, settled):
    async with aclosing(broker.watch(ANN)) as pictures:
        await _next(pictures)
        await broker.start(ANN, "win11")
        await settled()

        last = await _until(pictures, lambda picture: picture.pools[0].vm and picture.pools[0].vm.booted)

        assert replace(last, revision=0) == replace(broker.overview(ANN), revision=0)


async def test_revisions_grow(broker):
    async with aclosing(broker.watch(ANN)) as pictures:
        first = await _next(pictures)
        await broker.start(ANN, "win11")
        second = await _next(pictures)

        assert second.revision > first.revision


async def test_a_vm_that_becomes_free_by_the_passing_of_time_is_shown(broker, clock):
    await broker.start(ANN, "win11")
    async with aclosing(broker.watch(BOB)) as pictures:
        assert (await _next(pictures)).pools[0].free == 1
        later = asyncio.create_task(_next(pictures))
        await asyncio.sleep(0)

        await clock.advance(hours=4)

        assert (await later).pools[0].free == 2


@pytest.mark.parametrize("grants", [(Grant(EVERY_PERMISSION, user="bob"),), ()])
async def test_a_pool_disappears_with_the_last_permission_on_it(broker, backend, grants):
    async with aclosing(broker.watch(ANN)) as pictures:
        await _next(pictures)

        backend.put_pool(a_pool(grants=grants))

        assert (await _next(pictures)).pools == ()


async def test_a_deleted_pool_and_a_deleted_vm_disappear(broker, backend):
    async with aclosing(broker.watch(ANN)) as pictures:
        await _next(pictures)
        backend.delete_vm("vm1")
        assert (await _next(pictures)).pools[0].total == 1
        backend.delete_pool("win11")
        assert (await _next(pictures)).pools == ()


async def test_pools_come_sorted_by_name(broker, backend, settled):
    for name in ("b", "c", "a"):
        backend.put_pool(a_pool(name))
    await settled()

    assert [pool.name for pool in broker.overview(ANN).pools] == ["a", "b", "c", "win11"]


async def test_a_lost_backend_is_told_with_the_last_picture_and_its_return_too(broker, backend, clock):
    async with aclosing(broker.watch(ANN)) as pictures:
        await _next(pictures)
        backend.disconnect_watchers()

        lost = await _next(pictures)
        assert (lost.problem.code, lost.problem.since) == ("backend-unavailable", clock.now())
        assert lost.pools[0].total == 2
        backend.put_vm(a_vm("vm3"))
        await clock.advance(seconds=FIRST_PAUSE.total_seconds())

        back = await _next(pictures)
        assert back.problem is None
        assert back.pools[0].total == 3


async def test_an_own_vm_is_shown_with_what_it_may_be_used_for(broker, backend, settled, clock):
    await broker.start(ANN, "win11")
    await settled()

    view = broker.pool(ANN, "win11")

    assert set(view.why) == {"start"}
    assert view.why["start"].code == "already-running"
    assert view.vm.retained_until == backend.vm("vm1").assignment.last_used.replace(hour=16)
    assert (view.vm.name, view.vm.state, view.vm.booted, view.vm.console) == ("vm1", "running", True, "closed")


async def test_an_open_console_has_no_end_of_retention(broker, backend, settled):
    await broker.start(ANN, "win11")
    await settled()
    offer = await broker.open_console(ANN, "win11")
    await broker.connect_console(ANN, offer.vm, offer.ticket)
    await settled()

    view = broker.pool(ANN, "win11").vm

    assert (view.console, view.retained_until) == ("open", None)


async def test_a_missing_permission_is_named(broker, backend, settled):
    backend.put_pool(a_pool(may=["accessConsole"]))
    await settled()
    await broker.start(ANN, "win11")
    await settled()

    why = broker.pool(ANN, "win11").why

    assert (why["stop"].code, why["stop"].permission) == ("permission-missing", "stop")
    assert (why["reset"].code, why["reset"].permission) == ("permission-missing", "reset")


async def test_a_crash_is_told_in_the_backends_words(broker, backend, settled):
    await broker.start(ANN, "win11")
    await settled()
    backend.crash("vm1")
    await settled()

    view = broker.pool(ANN, "win11").vm

    assert (view.state, view.fault.code, view.fault.message) == ("failed", "crashed", "The machine was killed.")


async def test_no_view_has_a_field_that_is_not_in_the_contract(broker, settled):
    """docs/api.md lists the fields; whoever adds one has to decide that browsers may know it."""
    await broker.start(ANN, "win11")
    pool = broker.pool(ANN, "win11")

    assert {field.name for field in fields(pool)} == {
        "name", "free", "total", "retention", "may", "vm", "waiting", "why",
    }  # fmt: skip
    assert {field.name for field in fields(pool.vm)} == {
        "name", "state", "booted", "logged_in_user", "console", "display", "connection_file", "restarts_for_reset", "since",
        "retained_until", "os", "may", "fault",
    }  # fmt: skip


async def test_what_time_changes_while_a_picture_is_sent_is_shown_too(clock):
    """The socket took a while; the retention of another's VM ended meanwhile."""
    backend = MemoryBackend(clock, [a_pool()], [a_vm("vm1", user="bob")])
    async with following(backend, clock) as broker, aclosing(broker.watch(ANN)) as pictures:
        assert (await anext(pictures)).pools[0].free == 0
        await clock.advance(hours=4)

        assert (await asyncio.wait_for(anext(pictures), 5)).pools[0].free == 1
