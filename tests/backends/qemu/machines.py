"""What tests of real machines do again and again."""

import asyncio
import json
import os
import resource
import signal
import sqlite3
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from tests.backends.contract import PATIENCE
from tests.backends.qemu.definitions import a_vm_resource
from vmpool_ext.backends.qemu.places import short_name
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.backends.resources import VM_KIND, with_requested_state
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable
from vmpool_ext.domain.machine import MachineState, RequestedState

VM = "vm-1"


def an_empty_vm(**vm):
    """A machine with nothing to boot: up at once, and deaf to its power button."""
    return a_vm_resource(VM, guest=None, **{"powerdownTimeout": 0, **vm})


async def start(backend, seen, name=VM):
    return await want(backend, seen, RequestedState.RUNNING, name)


async def want(backend, seen, state, name=VM):
    """As a user does: whoever was too late looks again."""
    while True:
        try:
            return await backend.request_state(await seen.vm(name), state)
        except AssignmentConflict:
            await seen.next()


async def started(backend, seen, name=VM):
    await start(backend, seen, name)
    return await seen.vm(name, lambda vm: vm.running)


async def stopped(backend, seen, name=VM):
    await want(backend, seen, RequestedState.STOPPED, name)
    return await seen.vm(name, lambda vm: not vm.running)


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


async def says(home, words, name=VM):
    """Wait until the VM's serial log has these words in it, and give all of it."""
    log = home / "run" / short_name(str(home / "state" / name)) / "serial.log"
    async with asyncio.timeout(PATIENCE):
        while words not in (said := await asyncio.to_thread(_read, log)):  # noqa: ASYNC110  # the guest says when
            await asyncio.sleep(0.01)
    return said


def _read(log):
    return log.read_text() if log.exists() else ""


async def until_it_has(backend, ask):
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await ask()
            except BackendUnavailable:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def deciding(backend, clock):
    """Give a broker that has a picture of the backend."""
    broker = PoolBroker(backend, clock)
    following = asyncio.create_task(broker.run())
    await broker.drawn()
    yield broker
    following.cancel()
    await asyncio.wait({following})


@contextmanager
def frozen(process):
    """Stop the process as a debugger does: it lives, and does nothing."""
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGCONT)


ITSELF = 0


@contextmanager
def no_room_for(*processes):
    """Let these processes write no byte to any file, as though their disk were full."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (0, most))
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))


@contextmanager
def locked(store):
    """Lock the store as another program does, such as a backup."""
    other = sqlite3.connect(store, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()
