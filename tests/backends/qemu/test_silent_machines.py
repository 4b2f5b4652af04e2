"""Machines that live and do not answer."""

import pytest

from tests.backends.contract import watching
from tests.backends.qemu import viewer
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    frozen,
    process_of,
    processes,
    started,
    want,
)
from tests.builders import a_user
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import MachineState, RequestedState

_FROZEN = r"not answered for 0\.5 seconds: it is frozen.*stop the VM"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr("vmpool_ext.backends.qemu.qmp._PATIENCE", 0.5)


async def test_a_frozen_machine_is_said_to_be_frozen_and_serves_again_afterwards(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        with frozen(process_of(home)):
            with pytest.raises(BackendUnavailable, match=_FROZEN):
                await backend.offer_display(await latest(backend), a_user("ann"))
            with pytest.raises(BackendUnavailable, match=_FROZEN):
                await backend.reset(await latest(backend))

        offer = await backend.offer_display(await latest(backend), a_user("ann"))
        display = await backend.connect_display(await latest(backend))
        await viewer.look(display, offer)
        await display.close()


async def test_a_frozen_machine_can_be_stopped(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        with frozen(process_of(home)):
            await want(backend, seen, RequestedState.STOPPED)

            assert (await seen.vm(VM, lambda vm: not vm.running)).state is MachineState.STOPPED
            assert not processes(home)


async def test_a_connection_that_is_lost_is_said_to_be(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        await backend._machine(VM).monitor.close()

        with pytest.raises(BackendUnavailable, match="connection to the VM's monitor is lost; it is made anew"):
            await backend.reset(await latest(backend))


async def latest(backend):
    async with watching(backend) as seen:
        return seen.vms[VM]
