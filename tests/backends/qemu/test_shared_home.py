"""A home that VMs share: whichever of them a user gets, it is their home, and nobody else's."""

import asyncio
import os
import stat
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.backends.contract import PATIENCE
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.keyboard import type_into
from tests.backends.qemu.machines import says
from tests.broker.conftest import following
from tests.builders import a_user
from vmpool_ext.backends.qemu.homes import HOME_ANNOTATION

ANN, BOB = a_user("ann"), a_user("bob")
GRANTS = [{"user": name, "may": ["*"]} for name in ("ann", "bob")]


@pytest.fixture
def lab(serving, clock):
    """A broker on a pool of two VMs with one home, and its backend."""

    @asynccontextmanager
    async def lab(**traits):
        async with serving(**traits) as backend:
            pool = a_pool_resource(permissions=GRANTS, loginOnAssignment=True)
            pool["metadata"]["annotations"] = {HOME_ANNOTATION: "lab"}
            await backend.apply(pool)
            for name in ("vm-1", "vm-2"):
                await backend.apply(a_vm_resource(name))
            async with following(backend, clock) as broker:
                yield broker, backend

    return lab


async def at_work(broker, user):
    """Start, and wait until the user is logged in; give the name of their VM."""

    def is_in(pool):
        return pool.vm and pool.vm.logged_in_user == user.name and "console" not in pool.why

    async with asyncio.timeout(PATIENCE), aclosing(broker.watch(user)) as pictures:
        await broker.start(user, "demo")
        return await anext(picture.pools[0].vm.name async for picture in pictures if is_in(picture.pools[0]))


async def test_what_a_user_wrote_in_one_vm_is_theirs_in_the_other(lab, home):
    async with lab() as (broker, backend):
        first = await at_work(broker, ANN)
        await type_into(backend, first, "echo kept > ~/note\nls -l ~/note > /dev/ttyS0\n")
        await says(home, "ann      ann              5", first)
        await broker.release(ANN, "demo")
        await at_work(broker, BOB)

        second = await at_work(broker, ANN)

        assert second != first
        await type_into(backend, second, "ls -l ~/note > /dev/ttyS0\ncat ~/note > /dev/ttyS0\n")
        await says(home, "ann      ann              5", second)
        await says(home, "kept", second)


def _lay_a_file(path):
    path.parent.mkdir(parents=True)
    path.write_text("not a home")


def _number(folder):
    """Tell the group that guests see: on the host all belongs to one account."""
    return int.from_bytes(os.getxattr(folder, "user.virtfs.gid"), "little")


async def test_a_link_in_a_home_leads_nowhere_on_this_machine(lab, home):
    async with lab() as (broker, backend):
        vm = await at_work(broker, ANN)
        await type_into(backend, vm, "ln -s /etc/passwd ~/link\nls -l ~/link > /dev/ttyS0\n")
        await says(home, "-> /etc/passwd", vm)

    link = home / "state" / "homes" / "lab" / "ann" / "link"
    assert stat.S_ISREG(link.lstat().st_mode)
    assert link.read_bytes() == b"/etc/passwd"


async def test_two_who_are_new_at_the_same_moment_are_two(lab, home):
    async with lab() as (broker, _):
        vms = await asyncio.gather(at_work(broker, ANN), at_work(broker, BOB))

        assert set(vms) == {"vm-1", "vm-2"}
        numbers = {name: _number(home / "state" / "homes" / "lab" / name) for name in ("ann", "bob")}
        assert sorted(numbers.values()) == [1100, 1101]


async def test_a_session_goes_on_when_the_server_comes_back(lab, home):
    """Our agent ends none when its line is closed: it greets the next server, and has the user still."""
    async with lab(vms_live_on=True) as (broker, backend):
        vm = await at_work(broker, ANN)
        await type_into(backend, vm, "mkdir here\ncd here\necho begun > /dev/ttyS0\n")
        await says(home, "begun", vm)

    async with lab() as (broker, backend):
        assert await at_work(broker, ANN) == vm
        await type_into(backend, vm, "pwd > /dev/ttyS0\n")
        await says(home, "/home/ann/here", vm)


async def test_a_home_that_says_no_number_is_told_in_the_agents_words(lab, home):
    async with lab() as (broker, _):
        await asyncio.to_thread(_lay_a_file, home / "state" / "homes" / "lab" / "ann")

        async with asyncio.timeout(PATIENCE), aclosing(broker.watch(ANN)) as pictures:
            await broker.start(ANN, "demo")
            pool = await anext(
                picture.pools[0] async for picture in pictures if (vm := picture.pools[0].vm) and vm.fault
            )

        assert (pool.vm.fault.code, pool.why["console"].code) == ("login-failed", "login-failed")
        assert pool.vm.fault.message.startswith("451 /home/ann is not a directory")
