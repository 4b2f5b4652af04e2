"""What QEMU is kept from, should a guest ever get hold of it."""

import asyncio
import os
import shutil
import signal
from contextlib import suppress

import pytest

from tests.backends.qemu.definitions import a_vm_resource
from vmpool_ext.backends.qemu.accelerator import TCG
from vmpool_ext.backends.qemu.command_line import Media, command_line
from vmpool_ext.backends.qemu.places import Places
from vmpool_ext.backends.qemu.process import Process, spawn
from vmpool_ext.backends.qemu.qmp import MonitorError, Qmp


@pytest.fixture
async def machine(home):
    """A process, and its monitor."""
    places = Places(home)
    argv = command_line(a_vm_resource(guest=None), places, shutil.which("qemu-system-x86_64"), TCG, Media())
    process = Process(spawn(argv, "demo-1", places, home / "record"))
    monitor = await Qmp.connect(places.qmp, 30)
    yield process, monitor
    await monitor.close()
    process.kill()
    await process.exited
    process.close()


async def test_a_machine_that_begins_a_program_is_ended_before_it_has(machine, home):
    process, monitor = machine

    with suppress(MonitorError):
        await monitor.execute("migrate", uri=f"exec:touch {home}/begun")

    assert await asyncio.wait_for(process.exited, 30) == f"QEMU was ended by {signal.SIGSYS.name}"
    assert not (home / "begun").exists()


async def test_the_guests_memory_is_in_no_core_dump(machine):
    _, monitor = machine

    assert await monitor.execute("qom-get", path="/machine", property="dump-guest-core") is False


async def test_what_the_server_has_open_for_every_program_a_machine_has_not(home):
    """However many there are: such as a pipe of whoever started the server."""
    program = home / "program"
    program.write_text("#!/bin/sh\nls -l /proc/self/fd\n")
    program.chmod(0o700)
    ends = os.pipe()
    for end in ends:
        os.set_inheritable(end, True)  # noqa: FBT003  # its own name says it

    process = Process(spawn([str(program)], "demo-1", Places(home), home / "record"))
    await asyncio.wait_for(process.exited, 30)
    process.close()

    for end in ends:
        os.close(end)
    assert "/dev/null" in (home / "qemu.log").read_text()
    assert "pipe:" not in (home / "qemu.log").read_text()
