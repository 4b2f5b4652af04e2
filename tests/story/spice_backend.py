"""VMs that exist only in the server's process, but for their displays: those are of real machines with SPICE."""

import asyncio
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tests.builders import a_pool, a_vm
from tests.spice_machine import SpiceMachine
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.tickets import TICKET_LIFE
from vmpool_ext.domain.connection_file import DisplayAddress
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant

MACHINES = "VMPOOL_TEST_MACHINES"
"""The variable with the folder of the machines, each called like its VM."""
DESK, LAB = "desk-1", "lab-1"


class SpiceBackend(MemoryBackend):
    """A pool with a VM that runs, and a VM of ann's own."""

    def __init__(self, clock, parent):
        anns = (Grant(EVERY_PERMISSION, user="ann"),)
        on = {"display": "spice", "running": True}
        super().__init__(
            clock,
            [a_pool("desk", grants=anns)],
            [a_vm(DESK, pool="desk", **on), a_vm(LAB, pool="nobodys", grants=anns, **on)],
        )
        self._folder = Path(os.environ[MACHINES])

    async def offer_display(self, vm, user):
        offer = await super().offer_display(vm, user)
        machine = self._machine(vm)
        await asyncio.to_thread(machine.let_in, offer.password, int(TICKET_LIFE.total_seconds()))
        return replace(offer, address=DisplayAddress("127.0.0.1", machine.port))

    async def connect_display(self, vm):
        streams = await asyncio.open_connection("127.0.0.1", self._machine(vm).port)
        display = SpiceDisplay(self, vm.name, *streams)
        self._displays[vm.name].add(display)
        self.set_console(vm.name, connected=True)
        return display

    async def disconnect(self, vm):
        await asyncio.to_thread(self._machine(vm).shut_out)
        await super().disconnect(vm)

    def _machine(self, vm):
        return SpiceMachine(self._folder / vm.name)


class SpiceDisplay:
    """One channel."""

    def __init__(self, backend, vm, reader, writer):
        self._backend, self._vm, self._reader, self._writer = backend, vm, reader, writer

    async def read(self):
        try:
            return await self._reader.read(65536)
        except OSError:
            return b""

    async def write(self, data):
        with suppress(OSError):
            self._writer.write(data)
            await self._writer.drain()

    async def close(self):
        self.end()
        self._backend.forget_display(self._vm, self)

    def end(self):
        self._writer.close()
