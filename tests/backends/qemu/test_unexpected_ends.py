"""Real QEMU processes end, or fall silent, without being told to."""

import asyncio
import os
import signal

from tests.backends.contract import watching
from tests.backends.qemu import viewer
from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.machines import (
    VM,
    an_empty_vm,
    failed,
    process_of,
    processes,
    start,
    started,
    until_it_has,
)
from tests.backends.qemu.standin import GIVES_UP, a_standin
from tests.builders import a_user
from tests.moving_clock import MovingClock
from vmpool_ext.backends.qemu.backend import QemuBackend
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import CRASHED, MachineState, RequestedState


async def test_a_killed_machine_is_told_at_once_and_not_started_again(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        os.kill(process_of(home), signal.SIGKILL)

        vm = await failed(seen)
        assert vm.running.reason == CRASHED
        assert "SIGKILL" in vm.running.message
        assert "Press Start" in vm.running.message
        assert vm.requested is RequestedState.STOPPED
        assert not processes(home)

        await started(backend, seen)


async def test_a_guest_that_shuts_itself_down_is_off_and_not_broken(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.booted)

        # Pressed behind the backend's back, as by somebody inside.
        pressing = asyncio.create_task(backend._machine(VM)._press_power_button_until_off())
        vm = await seen.vm(VM, lambda vm: not vm.running)
        await pressing

        assert vm.state is MachineState.STOPPED
        assert vm.running.message == "The guest shut itself down."
        assert vm.requested is RequestedState.STOPPED
        assert not vm.booted
        assert not vm.agent_connected


class BrokenClock(MovingClock):
    broken = False

    def now(self):
        if self.broken:
            raise ArithmeticError
        return super().now()


async def test_an_error_of_ours_is_logged_and_shown_and_passes(home, caplog, logged):
    clock = BrokenClock()
    backend = QemuBackend(clock)
    backend.state_dir, backend.run_dir, backend.stop_vms_on_exit = str(home / "state"), str(home / "run"), True
    await backend.start()
    async with watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)

        clock.broken = True
        os.kill(process_of(home), signal.SIGKILL)
        await logged("cannot be followed")
        clock.broken = False

        vm = await failed(seen)
        assert "An error in the server" in vm.running.message
        assert "cannot be followed" in caplog.text
        assert "ArithmeticError" in caplog.text
        await started(backend, seen)
    await backend.stop()


async def test_a_monitor_that_hung_up_is_called_again(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)

        await backend._machine(VM).monitor.close()

        display = await backend.connect_display(vm)
        offer = await until_it_has(backend, lambda: offer_anew(backend, seen))
        await viewer.look(display, offer)
        assert (await seen.vm(VM, lambda vm: vm.console_open)).running == vm.running
        await display.close()


async def offer_anew(backend, seen):
    """The first attempt notes the user before it finds that nobody answers."""
    try:
        return await backend.offer_display(await seen.vm(VM), a_user("ann"))
    except AssignmentConflict:
        await seen.next()
        raise BackendUnavailable(VM) from None


async def test_a_guest_that_the_accelerator_gave_up_has_failed(serving, home):
    """Played by a stand-in: only hardware acceleration does that."""
    async with serving(qemu=a_standin(home, GIVES_UP)) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        vm = await failed(seen)
        assert vm.running.reason == CRASHED
        assert "QemuBackend.accelerator to tcg" in vm.running.message
        assert vm.requested is RequestedState.STOPPED
        assert not processes(home)


async def test_a_machine_that_is_paused_goes_on_being_served(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        monitor = backend._machine(VM).monitor

        await monitor.execute("stop")

        offer = await backend.offer_display(await seen.vm(VM), a_user("ann"))
        display = await backend.connect_display(vm)
        await viewer.look(display, offer)
        assert (await seen.vm(VM, lambda vm: vm.console_open)).running == vm.running
        await display.close()
