"""A guest's agent greets; a server that comes back in the middle of that hears it all the same."""

import asyncio

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.machines import VM, processes, start, until_it_has
from tests.backends.qemu.standin import MISSES_HANGING_UP, a_standin
from tests.builders import NOON
from vmpool_ext.backends.qemu import happenings
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.backends.resources import VM_KIND


def forget_the_greeting(home):
    """As though the server had been killed before it could write it down."""
    store = Store(home / "state" / "store.sqlite")
    store.write(VM_KIND, VM, lambda vm: happenings.reset(vm, NOON))
    store.close()


async def found(backend, seen):
    await (await until_it_has(backend, lambda: backend.connect_display(seen.vms[VM]))).close()


async def test_a_guest_that_boots_is_heard_however_often_its_server_comes_and_goes(serving, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.running)
    for _ in range(3):
        async with serving(vms_live_on=True) as backend, watching(backend) as seen:
            await found(backend, seen)
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        vm = await seen.vm(VM, lambda vm: vm.booted)
        await backend.reset(vm)
    for _ in range(3):
        async with serving(vms_live_on=True) as backend, watching(backend) as seen:
            await found(backend, seen)

    async with serving() as backend, watching(backend) as seen:
        await seen.vm(VM, lambda vm: vm.booted)
        assert len(processes(home)) == 1


async def test_an_agent_that_missed_the_hanging_up_is_called_until_it_greets(serving, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.booted)
    for _ in range(4):
        await asyncio.to_thread(forget_the_greeting, home)

        async with serving(vms_live_on=True) as backend, watching(backend) as seen:
            assert not (await seen.vm(VM)).booted
            await seen.vm(VM, lambda vm: vm.booted)


async def test_nobody_calls_again_before_the_guest_has_hung_up(serving, home):
    """Played by a stand-in: a real guest misses it only now and then."""
    async with serving(qemu=a_standin(home, MISSES_HANGING_UP)) as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM, guest=None, powerdownTimeout=0))

        await start(backend, seen)

        await seen.vm(VM, lambda vm: vm.booted)
