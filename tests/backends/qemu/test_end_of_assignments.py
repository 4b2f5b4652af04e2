"""What becomes of real VMs when they are given back, or when their retention ends: also while no server was running."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.backends.contract import PATIENCE
from tests.backends.qemu.definitions import a_pool_resource
from tests.backends.qemu.machines import VM, processes, says
from tests.backends.qemu.tiny_guests import a_counting_image, a_vm_with
from tests.broker.conftest import following
from tests.builders import a_user
from vmpool_ext.backends.resources import END_ACTION, POOL_KIND
from vmpool_ext.domain.errors import PoolExhausted

ANN, BOB = a_user("ann"), a_user("bob")
GRANTS = [{"user": "ann", "may": ["*"]}, {"user": "bob", "may": ["*"]}]


def a_pool(end_action, **spec):
    pool = a_pool_resource(permissions=GRANTS, retention="PT4h", **spec)
    pool["metadata"]["annotations"] = {END_ACTION: end_action}
    return pool


@pytest.fixture
def pool_of_one(serving, clock, home):
    """A broker on a pool with one VM, whose guest counts how often it booted from its disk; again and again."""
    image = a_counting_image(home)

    @asynccontextmanager
    async def pool_of_one(end_action=None, **traits):
        async with serving(**traits) as backend:
            if end_action:
                await backend.apply(a_pool(end_action))
                await backend.apply(a_vm_with(image))
            async with following(backend, clock) as broker:
                broker.backend = backend
                yield broker

    return pool_of_one


async def until(broker, user, holds):
    """Wait until the pool is to the user as wanted."""
    async with asyncio.timeout(PATIENCE):
        async for picture in broker.watch(user):
            if holds(picture.pools[0]):
                break


async def boots(broker, home, user):
    """Start the user's VM, have its guest say how often it was booted, and switch it off."""
    await broker.start(user, "demo")
    await until(broker, user, lambda pool: pool.vm.state == "running")
    said = await says(home, "\n")
    await broker.stop(user, "demo")
    await until(broker, user, lambda pool: pool.vm.state == "stopped")
    return said


@pytest.mark.parametrize(("end_action", "said"), [("keep", "boot 3\n"), ("stop", "boot 3\n"), ("discard", "boot 1\n")])
async def test_what_the_next_user_finds_on_the_disk(pool_of_one, home, end_action, said):
    async with pool_of_one(end_action) as broker:
        assert await boots(broker, home, ANN) == "boot 1\n"
        assert await boots(broker, home, ANN) == "boot 2\n", "stopping is no giving back"
        await broker.release(ANN, "demo")

        assert await boots(broker, home, BOB) == said


@pytest.mark.parametrize("end_action", ["stop", "discard"])
async def test_a_running_vm_that_is_given_back_goes_off(pool_of_one, home, end_action):
    async with pool_of_one(end_action) as broker:
        await broker.start(ANN, "demo")
        await says(home, "boot 1\n")

        await broker.release(ANN, "demo")

        async with asyncio.timeout(PATIENCE):
            while processes(home):  # noqa: ASYNC110  # what ends the wait is another process
                await asyncio.sleep(0.01)


async def test_retention_goes_on_while_no_server_runs_and_ends_in_time(pool_of_one, clock, home):
    """Four hours after the last use, to the second; what the pool wants then is done by whoever comes next."""
    async with pool_of_one("discard") as broker:
        assert await boots(broker, home, ANN) == "boot 1\n"
    await clock.advance(hours=3, minutes=59, seconds=59)

    async with pool_of_one() as broker:
        assert broker.pool(ANN, "demo").vm.name == VM
        with pytest.raises(PoolExhausted):
            await broker.start(BOB, "demo")
    await clock.advance(seconds=1)

    async with pool_of_one() as broker:
        await until(broker, ANN, lambda pool: pool.vm is None)
        assert await boots(broker, home, BOB) == "boot 1\n"


async def test_who_comes_back_in_time_finds_what_they_left(pool_of_one, clock, home):
    async with pool_of_one("discard") as broker:
        assert await boots(broker, home, ANN) == "boot 1\n"
    await clock.advance(hours=3)

    async with pool_of_one() as broker:
        assert await boots(broker, home, ANN) == "boot 2\n"


async def test_a_pool_that_was_deleted_while_no_broker_looked_leaves_no_assignment(pool_of_one, home):
    async with pool_of_one("keep") as broker:
        await boots(broker, home, ANN)
        await broker.backend.delete(POOL_KIND, "demo")
        await broker.backend.apply({**a_pool("keep"), "metadata": {"name": "other"}})
    vm = a_vm_with(home / "base.raw")
    vm["spec"]["pools"] = ["other"]

    async with pool_of_one() as broker:
        await broker.backend.apply(vm)
        await until(broker, BOB, lambda pool: pool.free == 1)
        assert (await broker.start(BOB, "other")).pool.vm.name == VM
