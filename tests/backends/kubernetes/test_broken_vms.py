"""VMs that are not written down as they should be: administrators are told of each, and everybody else works on."""

import asyncio
from dataclasses import replace

import pytest

from tests.broker.conftest import following
from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.requests import GROUP
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.errors import PoolExhausted

ANN, BOB = a_user("ann"), a_user("bob")
ROOT = replace(a_user("root"), administrator=True)
TIME = "2026-01-15T12:30:00Z"


def a_condition(type_, since=TIME):
    return {"type": type_, "status": "True", "reason": "", "message": "", "lastTransitionTime": since}


STATUSES = {
    "half": {"assignment": {"user": "bob"}},
    "untimed": {"assignment": {"pool": "demo", "user": "bob", "lastUsed": "yesterday"}},
    "noon": {"conditions": [a_condition("Running", since="noon")]},
    "odd": {"conditions": [a_condition("Odd")]},
}
TOLD = {
    "bare": "The definition has no spec",
    "half": "The assignment lacks pool, lastUsed",
    "untimed": "The assignment's lastUsed is no time",
    "stray": 'There is no pool "void"',
    "noon": 'When the condition "Running" has changed is no time',
    "odd": 'The condition "Odd" is not known here',
}


async def define(namespace):
    await namespace.post("vmpools", a_pool())
    await namespace.post("vms", {"apiVersion": GROUP, "kind": "VirtualMachine", "metadata": {"name": "bare"}})
    await namespace.post("vms", a_vm("stray", pools=["void"]))
    for name, status in STATUSES.items():
        await namespace.post("vms", a_vm(name))
        await namespace.merge("vms", name, {"status": status}, "status")


async def notices(broker, count):
    """Wait until an administrator is told of so many things."""
    async with asyncio.timeout(30):
        async for picture in broker.watch(ROOT):
            if len(picture.notices) == count:
                return picture.notices
    raise AssertionError


async def test_administrators_are_told_of_each_and_users_of_none(serving, namespace):
    await define(namespace)
    async with following(await serving(), SystemClock()) as broker:
        told = await notices(broker, len(TOLD))

        for notice, (name, words) in zip(told, TOLD.items(), strict=True):
            assert notice.message.startswith(f'VM "{name}": {words}')
            assert (notice.pool, notice.severity) == ("void" if name == "stray" else "", "vm")
        assert broker.overview(ANN).notices == ()


async def test_what_is_mended_is_told_no_more(serving, namespace):
    await define(namespace)
    async with following(await serving(), SystemClock()) as broker:
        await notices(broker, len(TOLD))

        await namespace.delete("vms", "bare")
        await namespace.post("vmpools", a_pool("void"))
        await namespace.merge("vms", "half", {"status": {"assignment": None}}, "status")

        assert len(await notices(broker, len(TOLD) - 3)) == len(TOLD) - 3


async def test_a_part_of_an_assignment_is_never_overwritten_by_another_users(serving, namespace):
    """Of two VMs that are free by what can be read, one has a part of an assignment."""
    await namespace.post("vmpools", a_pool())
    for name in ("half", "whole"):
        await namespace.post("vms", a_vm(name))
    await namespace.merge("vms", "half", {"status": STATUSES["half"]}, "status")
    async with following(await serving(), SystemClock()) as broker:
        assert broker.overview(ANN).pools[0].free == 1

        assert (await broker.start(ANN, "demo")).pool.vm.name == "whole"

    assert (await namespace.get("vms", "half"))["status"]["assignment"] == {"user": "bob"}


@pytest.fixture
async def untimed(namespace):
    """Give a pool's one VM, which is Ann's since nobody knows when."""
    everything = [{"user": name, "may": ["*"]} for name in ("ann", "bob")]
    await namespace.post("vmpools", a_pool(permissions=everything))
    await namespace.post("vms", a_vm("untimed"))
    anns = {"assignment": {"pool": "demo", "user": "ann", "lastUsed": "yesterday"}}
    await namespace.merge("vms", "untimed", {"status": anns}, "status")


async def test_whose_vm_it_is_mends_its_time_by_pressing_start(serving, namespace, untimed):
    async with following(await serving(), SystemClock()) as broker:
        with pytest.raises(PoolExhausted):
            await broker.start(BOB, "demo")

        await broker.start(ANN, "demo")

        assert (await namespace.get("vms", "untimed"))["status"]["assignment"]["lastUsed"].startswith("20")
        assert broker.overview(ROOT).notices == ()


async def test_what_whose_it_is_gives_back_is_free_at_once(serving, namespace, untimed):
    async with following(await serving(), SystemClock()) as broker:
        await broker.release(ANN, "demo")

        assert (await broker.start(BOB, "demo")).newly
        assert broker.overview(ROOT).notices == ()
