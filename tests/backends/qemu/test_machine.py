"""Real QEMU processes, and what befalls them."""

import asyncio
import json
import logging
import os
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.backends.contract import PATIENCE, watching
from tests.backends.qemu import viewer
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.builders import a_user
from tests.moving_clock import MovingClock
from vmpool_ext.backends.qemu.backend import QemuBackend
from vmpool_ext.backends.qemu.places import Places, default_run_dir, prepare_run_dir, short_name
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.backends.resources import VM_KIND, with_requested_state
from vmpool_ext.broker.ports import DisplayOffer, VmDeleted
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable, InvalidDefinition
from vmpool_ext.domain.machine import BOOT_TIMEOUT, CRASHED, START_FAILED, Assignment, MachineState, RequestedState

VM = "vm-1"


def an_empty_vm(**vm):
    """A machine with nothing to boot: up at once, and deaf to its power button."""
    return a_vm_resource(VM, guest=None, **{"powerdownTimeout": 0, **vm})


async def start(backend, seen):
    while True:
        try:
            return await backend.request_state(await seen.vm(VM), RequestedState.RUNNING)
        except AssignmentConflict:
            await seen.next()


async def started(backend, seen):
    await start(backend, seen)
    return await seen.vm(VM, lambda vm: vm.running)


def want_to_run(path):
    store = Store(path)
    store.write(VM_KIND, VM, lambda vm: with_requested_state(vm, RequestedState.RUNNING))
    store.close()


async def failed(seen):
    return await seen.vm(VM, lambda vm: vm.state is MachineState.FAILED)


def words_of(process):
    return Path(f"/proc/{process}/cmdline").read_text()


def process_of(home):
    return json.loads((home / "state" / "machines" / f"{short_name(VM)}.json").read_text())["pid"]


def processes(home):
    """Tell which QEMUs have their files in this folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if str(home).encode() in words and b"guest=" in words:
            found.append(int(folder.name))
    return found


def a_program(home, script):
    program = home / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return str(program)


# It does not come up.


async def test_a_machine_without_qemu_says_how_to_get_it(serving, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        vm = await failed(seen)
        assert vm.running.reason == START_FAILED
        assert "apt install qemu-system-x86" in vm.running.message
        assert vm.requested is RequestedState.STOPPED


async def test_a_program_that_is_not_there_is_named(serving):
    async with serving(qemu="/nowhere/qemu") as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        assert '"/nowhere/qemu"' in (await failed(seen)).running.message


async def test_a_guest_that_is_not_built_says_how_to_build_it(serving, home):
    async with serving(image_cache=str(home / "cache")) as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))

        await start(backend, seen)

        assert "jupyter vmpool demo" in (await failed(seen)).running.message


async def test_what_qemu_refuses_is_told_in_its_own_words_and_can_be_mended(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(maximumRam="16T"))
        await start(backend, seen)
        refused = await failed(seen)

        await backend.apply(an_empty_vm(maximumRam="128Mi"))
        await start(backend, seen)

        assert "QEMU ended with status 1" in refused.running.message
        assert "qemu-system-x86_64:" in refused.running.message
        up = await seen.vm(VM, lambda vm: vm.running)
        assert up.running.message == ""


async def test_a_definition_that_makes_no_sense_is_told(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(maximumRam="a lot"))

        await start(backend, seen)

        assert "a lot" in (await failed(seen)).running.message


async def test_a_program_that_does_not_answer_is_ended(serving, home):
    silent = a_program(home, 'echo $$ > "$(dirname "$0")/pid"; exec sleep 60')
    async with serving(qemu=silent, start_timeout=0.5) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        assert "did not answer within 0.5 seconds" in (await failed(seen)).running.message
        with pytest.raises(ProcessLookupError):
            os.kill(int((home / "pid").read_text()), 0)


async def test_a_guest_that_never_says_that_it_is_up_goes_on_running(serving):
    async with serving(boot_timeout=0.5) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        vm = await seen.vm(VM, lambda vm: vm.booted.reason == BOOT_TIMEOUT)
        assert vm.state is MachineState.RUNNING
        assert "serial.log" in vm.booted.message


# It does not last.


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


async def test_a_crash_while_the_store_is_locked_is_told_afterwards(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)
        other = sqlite3.connect(home / "state" / "store.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")

        os.kill(process_of(home), signal.SIGKILL)
        vm = await seen.vm(VM)
        with pytest.raises(BackendUnavailable):
            await backend.release(vm)
        other.execute("ROLLBACK")
        other.close()

        assert (await failed(seen)).running.reason == CRASHED


class BrokenClock(MovingClock):
    broken = False

    def now(self):
        if self.broken:
            raise ArithmeticError
        return super().now()


class Logged(logging.Handler):
    """Tells when an error was logged."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.event = asyncio.Event()

    def emit(self, record):
        self.event.set()


@pytest.fixture
async def logged():
    handler = Logged()
    logging.getLogger("vmpool_ext").addHandler(handler)
    yield handler
    logging.getLogger("vmpool_ext").removeHandler(handler)


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
        await asyncio.wait_for(logged.event.wait(), PATIENCE)
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


# Wanted and not wanted.


async def test_a_stop_while_it_starts_is_heard(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await start(backend, seen)
        starting = await seen.vm(VM, lambda vm: vm.running.reason == "RunnerStarted")
        assert starting.state is MachineState.STARTING

        await backend.request_state(starting, RequestedState.STOPPED)

        vm = await seen.vm(VM, lambda vm: vm.running.reason == "VmStopped")
        assert vm.state is MachineState.STOPPED
        assert not processes(home)


async def test_a_start_while_it_stops_starts_it_again_when_it_is_off(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(powerdownTimeout=1))
        first = await started(backend, seen)
        await backend.request_state(first, RequestedState.STOPPED)
        stopping = await seen.vm(VM, lambda vm: vm.running.reason == "VmTerminating")
        assert stopping.state is MachineState.STOPPING

        await backend.request_state(stopping, RequestedState.RUNNING)

        await seen.vm(VM, lambda vm: not vm.running)
        assert (await seen.vm(VM, lambda vm: vm.running)).state is MachineState.RUNNING


async def test_asking_for_what_is_so_already_changes_nothing(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await seen.vm(VM)

        assert await backend.request_state(vm, RequestedState.STOPPED) == vm
        assert await backend.release(vm) == vm


async def test_a_deleted_vm_is_shut_down_first(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm(powerdownTimeout=1))
        await started(backend, seen)

        await backend.delete(VM_KIND, VM)

        assert (await seen.vm(VM, lambda vm: vm.being_deleted)).running
        while not isinstance(await seen.next(), VmDeleted):
            pass
        assert not processes(home)


async def test_a_vm_defined_anew_goes_on_as_it_was(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        up = await started(backend, seen)

        await backend.apply({**an_empty_vm(), "spec": {**an_empty_vm()["spec"], "pools": ["other"]}})

        vm = await seen.vm(VM, lambda vm: vm.pools == {"other"})
        assert (vm.running, vm.requested) == (up.running, RequestedState.RUNNING)


@pytest.mark.parametrize("definition", [{}, {"kind": "Pod", "metadata": {"name": "a"}}, a_pool_resource("../etc")])
async def test_what_is_no_definition_is_refused(serving, definition):
    async with serving() as backend:
        with pytest.raises(InvalidDefinition):
            await backend.apply(definition)


# The server goes and comes back.


async def test_a_machine_outlives_its_server_and_is_found_again(serving, clock, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        mine = await backend.assign(await seen.vm(VM), Assignment("demo", "ann", clock.now()))
        await backend.request_state(mine, RequestedState.RUNNING)
        before = await seen.vm(VM, lambda vm: vm.booted)
    [process] = processes(home)
    await clock.advance(hours=1)

    # The default folder depends on how the server is begun; the machine's sockets stay where they are.
    async with serving(run_dir=str(home / "another")) as backend, watching(backend) as seen:
        # It can be stopped and looked at again as soon as it was found; that changes nothing of what is known of it.
        display = await until_it_has(backend, lambda: backend.connect_display(before))
        await display.close()
        again = await seen.vm(VM)
        assert again == before
        assert processes(home) == [process]

        await backend.request_state(again, RequestedState.STOPPED)

        after = await seen.vm(VM, lambda vm: not vm.running)
        assert after.assignment == before.assignment
        assert after.running.reason == "VmStopped"
        assert not processes(home)


async def until_it_has(backend, ask):
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await ask()
            except BackendUnavailable:
                await asyncio.sleep(0.01)


async def test_a_machine_that_went_while_no_server_looked_is_told(serving, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)
    os.kill(pid := process_of(home), signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, pid, 0)

    async with serving() as backend, watching(backend) as seen:
        vm = await failed(seen)
        assert vm.running.reason == CRASHED
        assert "while no server was looking" in vm.running.message


async def test_another_process_with_the_same_number_is_left_alone(serving, home):
    """Numbers are given again: the start time tells."""
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        await started(backend, seen)
    record = home / "state" / "machines" / f"{short_name(VM)}.json"
    known = json.loads(record.read_text())
    record.write_text(json.dumps({**known, "started": "1"}))

    async with serving() as backend, watching(backend) as seen:
        assert (await failed(seen)).running.reason == CRASHED
        os.kill(known["pid"], 0)
    os.kill(known["pid"], signal.SIGKILL)
    await asyncio.to_thread(os.waitpid, known["pid"], 0)


async def test_no_start_is_lost_with_its_server(serving, home):
    async with serving() as backend:
        await backend.apply(an_empty_vm())
    # Pressed, and written; then the server was gone before it could do anything.
    await asyncio.to_thread(want_to_run, home / "state" / "store.sqlite")

    async with serving() as backend, watching(backend) as seen:
        assert (await seen.vm(VM, lambda vm: vm.running)).state is MachineState.RUNNING


async def test_machines_end_with_their_server_if_that_is_wanted(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_resource(VM))
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.booted)
    assert not processes(home)

    async with serving() as backend, watching(backend) as seen:
        assert (await seen.vm(VM)).state is MachineState.STOPPED


@pytest.mark.parametrize("vms_live_on", [False, True])
async def test_nothing_goes_on_after_a_stop(serving, home, vms_live_on):
    before = asyncio.all_tasks()
    async with serving(vms_live_on=vms_live_on) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        # It is attended to when it has shown its display.
        await (await backend.connect_display(vm)).close()

    assert asyncio.all_tasks() == before
    for process in processes(home):
        os.kill(process, signal.SIGKILL)
        await asyncio.to_thread(os.waitpid, process, 0)
    with pytest.raises(BackendUnavailable):
        await anext(backend.watch())
    await backend.stop()


async def test_a_second_server_decides_nothing_until_the_first_is_gone(serving, make_backend):
    second = make_backend()
    async with serving() as first, watching(first) as seen:
        await first.apply(an_empty_vm())
        vm = await seen.vm(VM)

        await second.start()

        asked = [
            anext(second.watch()),
            second.assign(vm, Assignment("demo", "ann", vm.running.since)),
            second.release(vm),
            second.request_state(vm, RequestedState.RUNNING),
            second.reset(vm),
            second.offer_display(vm, a_user()),
            second.connect_display(vm),
        ]
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, BackendUnavailable)
            assert answer.code == "store-in-use"
            assert f"process {os.getpid()}" in str(answer)

    first_event = await until_it_has(second, lambda: anext(second.watch()))
    assert [vm.name for vm in first_event.vms] == [VM]
    await second.stop()


# The display.


async def test_a_viewer_that_does_not_know_the_password_is_nobody(serving):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        offer = await backend.offer_display(vm, a_user("ann"))
        stranger, ann = [await backend.connect_display(vm) for _ in range(2)]

        with pytest.raises(PermissionError):
            await viewer.look(stranger, DisplayOffer("vnc", "guessed!"))
        await viewer.look(ann, offer)
        open_ = await seen.vm(VM, lambda vm: vm.console_open)
        await stranger.close()
        await ann.close()

        closed = await seen.vm(VM, lambda vm: not vm.console_open)
        # Nothing in between: what the stranger did is no news.
        assert closed.version == open_.version + 1


async def test_a_console_ends_with_its_machine(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        display = await backend.connect_display(vm)
        await viewer.look(display, await backend.offer_display(vm, a_user("ann")))
        await seen.vm(VM, lambda vm: vm.console_open)

        os.kill(process_of(home), signal.SIGKILL)

        off = await failed(seen)
        assert not off.console_connected
        while await asyncio.wait_for(display.read(), PATIENCE):
            pass
        await display.write(b"to nobody")
        await display.close()


async def test_a_password_is_in_no_log_and_in_no_process_list(serving, home, caplog):
    caplog.set_level(logging.DEBUG)
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)

        offer = await backend.offer_display(vm, a_user("ann"))

        assert len(offer.password) == 8
        assert offer.password not in caplog.text
        [process] = processes(home)
        assert offer.password not in words_of(process)


async def test_a_machine_that_is_frozen_is_unavailable(serving, home):
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())
        vm = await started(backend, seen)
        os.kill(process_of(home), signal.SIGSTOP)

        with pytest.raises(BackendUnavailable) as error:
            await backend.offer_display(vm, a_user("ann"))

        assert "set_password" in str(error.value)
        # It does not answer; it can be stopped all the same.
        await backend.request_state(await seen.vm(VM, lambda vm: vm.console_user), RequestedState.STOPPED)
        await seen.vm(VM, lambda vm: vm.running.reason == "VmStopped")
        assert not processes(home)


# Its files.


async def test_a_folder_that_others_can_enter_is_not_used_until_it_is_mended(make_backend, home):
    (home / "run").mkdir(mode=0o755)
    backend = make_backend()
    await backend.start()

    with pytest.raises(BackendUnavailable, match="mode 0700"):
        await anext(backend.watch())
    (home / "run").chmod(0o700)

    await until_it_has(backend, lambda: anext(backend.watch()))
    await backend.stop()


def test_a_folder_of_somebody_else_is_refused(tmp_path):
    (tmp_path / "link").symlink_to("/")

    with pytest.raises(BackendUnavailable):
        prepare_run_dir(tmp_path / "link")


def test_a_path_too_long_for_sockets_is_refused(tmp_path):
    with pytest.raises(BackendUnavailable, match="too long"):
        prepare_run_dir(tmp_path / ("x" * 80))


def test_the_default_folder_is_short_and_one_for_each_store(monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    one, two = default_run_dir(Path("/home/ann/" + "deep/" * 50)), default_run_dir(Path("/home/bob"))

    assert one != two
    assert len(str(Places(one / short_name("x" * 253)).agent)) < 60
