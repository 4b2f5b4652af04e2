"""A server of its own, to be killed: it says on lines what it has come to, and goes on until then."""

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

from tests.backends.contract import PATIENCE, watching
from tests.backends.qemu.definitions import a_pool_resource
from tests.backends.qemu.machines import VM, an_empty_vm
from tests.builders import a_user
from vmpool_ext.backends.qemu.backend import QemuBackend
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock

STARTS = "starts"
DIES_BEFORE_IT_STARTS_THE_VM = "dies before it starts the VM"
DIES_BEFORE_IT_NOTES_THE_PROCESS = "dies before it notes the process"

_ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def a_server(home, what=STARTS):
    """Give a process that serves the store there, and has pressed Start for Ann."""
    command = (sys.executable, "-m", "tests.backends.qemu.server", str(home), what)
    process = await asyncio.create_subprocess_exec(*command, cwd=_ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def says(process, word):
    line = await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    assert line.decode().strip() == word


async def died(process):
    assert await asyncio.wait_for(process.wait(), PATIENCE) == -signal.SIGKILL


async def kill(process):
    process.kill()
    await died(process)


# What follows is done in the process.


def _die():
    os.kill(os.getpid(), signal.SIGKILL)


class _DiesBeforeItStarts(QemuBackend):
    async def request_state(self, vm, state):
        _die()


def _die_before_the_process_is_noted():
    begun = False

    def look(event, arguments):
        nonlocal begun
        if begun and event == "open" and str(arguments[0]).startswith(sys.argv[1]):
            _die()
        begun = begun or event == "os.posix_spawn"

    sys.addaudithook(look)


async def _serve(home, what):
    clock = SystemClock()
    backend = (_DiesBeforeItStarts if what == DIES_BEFORE_IT_STARTS_THE_VM else QemuBackend)(clock)
    backend.state_dir, backend.run_dir, backend.accelerator = f"{home}/state", f"{home}/run", "tcg"
    await backend.start()
    await backend.apply(a_pool_resource("demo"))
    await backend.apply(an_empty_vm())
    broker = PoolBroker(backend, clock)
    async with asyncio.TaskGroup() as group, watching(backend) as seen:
        group.create_task(broker.run())
        await broker.drawn()
        if what == DIES_BEFORE_IT_NOTES_THE_PROCESS:
            _die_before_the_process_is_noted()
        await broker.start(a_user("ann"), "demo")
        await seen.vm(VM, lambda vm: vm.running)
        print("running", flush=True)  # noqa: T201  # to the test
        await seen.until(lambda seen: seen.behind)
        print("behind", flush=True)  # noqa: T201  # to the test


if __name__ == "__main__":
    asyncio.run(_serve(*sys.argv[1:]))
