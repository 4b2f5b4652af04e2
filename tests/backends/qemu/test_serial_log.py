"""What guests say on their serial ports fills no disk."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.backends.contract import PATIENCE, watching
from tests.backends.qemu.machines import VM, processes, says, start, started
from tests.backends.qemu.tiny_guests import a_chatting_image, a_counting_image, a_vm_with
from vmpool_ext.backends.qemu.places import Places
from vmpool_ext.backends.qemu.serial_log import KEPT, LONGEST, record

MOST = LONGEST + 2**16


@pytest.fixture
def line(home):
    """Play the machine's end of the line: give a function that says something on it and hangs up."""

    async def say(said):
        async def serve(_, writer):
            writer.write(said)
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(serve, Places(home).tty)
        async with server:
            await asyncio.wait_for(record(Places(home)), PATIENCE)

    return say


def open_files(process):
    return [str(file.readlink()) for file in Path(f"/proc/{process}/fd").iterdir()]


async def test_what_a_guest_says_is_kept_for_its_owner_only(line, home):
    await line(b"one\n")
    await line(b"two\n")

    log = Places(home).serial
    assert log.read_bytes() == b"one\ntwo\n"
    assert log.stat().st_mode & 0o777 == 0o600


async def test_of_much_the_last_is_kept(line, home):
    await line(b"x" * 5 * LONGEST + b"the last words\n")

    log = Places(home).serial
    assert KEPT <= log.stat().st_size <= MOST
    assert log.read_bytes().endswith(b"xxthe last words\n")
    assert log.stat().st_mode & 0o777 == 0o600


async def test_a_full_disk_does_not_hold_a_guest_up(line, home):
    Places(home).serial.symlink_to("/dev/full")

    await line(b"x" * 2 * LONGEST)


async def test_a_guest_is_heard_from_its_first_word_on_whatever_its_server_has_to_wait_for(serving, home):
    """As for a disk that is slow to take that the machine runs: the guest does not wait for it."""
    async with serving() as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_counting_image(home)))
        other = sqlite3.connect(home / "state" / "store.sqlite", isolation_level=None)
        await start(backend, seen)
        await seen.vm(VM, lambda vm: vm.running.reason == "RunnerStarted")

        other.execute("BEGIN IMMEDIATE")

        assert await says(home, "\n") == "boot 1\n"
        other.close()


async def test_a_guest_that_never_falls_silent_fills_no_disk(serving, home):
    async with serving(vms_live_on=True) as backend, watching(backend) as seen:
        await backend.apply(a_vm_with(a_chatting_image(home)))
        await started(backend, seen)
        await says(home, "x" * KEPT)
    [process] = processes(home)

    # While no server hears it, QEMU has nothing open to write it to; the next server hears it again.
    files = open_files(process)
    assert any(file.endswith(".qcow2") for file in files)
    assert not any("serial" in file for file in files)
    [log] = home.glob("run/*/serial.log")
    log.unlink()
    async with serving():
        assert len(await says(home, "x" * (LONGEST - KEPT))) <= MOST
