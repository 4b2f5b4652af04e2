"""A real QEMU that does not come up says why."""

import os
import sys

import pytest

from tests.backends.contract import watching
from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.machines import (
    VM,
    a_program,
    an_empty_vm,
    failed,
    start,
)
from vmpool_ext.domain.machine import BOOT_TIMEOUT, START_FAILED, MachineState, RequestedState


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


HANGS_UP_FIRST = """\
import re, socket, sys, time
path = re.search(r"id=mon,path=([^,]+)", " ".join(sys.argv))[1]
with socket.socket(socket.AF_UNIX) as server:
    server.bind(path)
    server.listen()
    server.accept()[0].close()
time.sleep(0.3)
sys.exit("it had to end")
"""


async def test_a_program_that_hangs_up_before_it_ends_is_told_in_its_own_words(serving, home):
    (home / "ends.py").write_text(HANGS_UP_FIRST)
    ending = a_program(home, f'exec {sys.executable} "$(dirname "$0")/ends.py" "$@"')
    async with serving(qemu=ending) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        assert "QEMU ended with status 1: it had to end" in (await failed(seen)).running.message


async def test_a_guest_that_never_says_that_it_is_up_goes_on_running(serving):
    async with serving(boot_timeout=0.5) as backend, watching(backend) as seen:
        await backend.apply(an_empty_vm())

        await start(backend, seen)

        vm = await seen.vm(VM, lambda vm: vm.booted.reason == BOOT_TIMEOUT)
        assert vm.state is MachineState.RUNNING
        assert "serial.log" in vm.booted.message
