"""What is done at a start or a change does not grow with the number of VMs: counted in calls, which no other load changes."""

import asyncio
import sys

import pytest

from tests.broker.conftest import following
from tests.builders import a_pool, a_user, a_vm
from vmpool_ext.backends.memory import MemoryBackend

FEW, MANY = 50, 1000
SLACK = 1.05
"""Sorted lists are cut into pieces: a call more or less by where a VM stands."""


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


async def calls_of(act):
    """Count the calls, of Python and of C, until nothing is left to do."""
    calls = 0

    def count(_, event, __):
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await act()
        await settled()
    finally:
        sys.setprofile(before)
    return calls


async def start(broker, _):
    await broker.start(a_user("ann"), "win11")


async def change_a_vm(_, backend):
    backend.put_vm(a_vm("vm1", running=True, os="another"))


async def change_another_pool(_, backend):
    backend.put_pool(a_pool("debian", retention="PT1m"))


@pytest.mark.parametrize("act", [start, change_a_vm, change_another_pool])
async def test_no_more_is_done_with_many_vms_than_with_few(clock, act):
    calls = []
    for number in (FEW, MANY):
        vms = [a_vm(f"vm{n}", running=True) for n in range(number)]
        backend = MemoryBackend(clock, [a_pool(), a_pool("debian")], [*vms, a_vm("other", pool="debian")])
        async with following(backend, clock) as broker:
            broker.overview(a_user("ann"))
            await settled()
            calls.append(await calls_of(lambda: act(broker, backend)))  # noqa: B023  # called at once

    few, many = calls
    assert few > 0
    assert many <= few * SLACK
