"""What happens is written in the order in which it happened, even if the disk makes it wait."""

import asyncio
import json
import sqlite3

import pytest

from tests.backends.qemu.definitions import a_vm_resource
from tests.backends.qemu.standin import messages
from vmpool_ext.backends.qemu.chronicle import Chronicle
from vmpool_ext.backends.qemu.definitions import applied
from vmpool_ext.backends.qemu.ledger import Ledger
from vmpool_ext.backends.qemu.qmp import Qmp
from vmpool_ext.backends.resources import VM_KIND, vm_from_resource

VM = "vm-1"


@pytest.fixture
async def ledger(tmp_path, clock):
    ledger = Ledger(tmp_path, "a test")
    await ledger.open()
    await ledger.put(VM_KIND, VM, lambda old: applied(old, a_vm_resource(VM), clock.now()))
    yield ledger
    await ledger.close()


async def test_what_had_to_wait_is_not_written_over_what_came_later(ledger, tmp_path, clock, logged):
    chronicle = Chronicle(VM, ledger, clock)
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    first, second = asyncio.create_task(chronicle.reset()), asyncio.create_task(chronicle.booted())
    await logged("has it locked")
    other.execute("ROLLBACK")
    other.close()

    await asyncio.gather(first, second)

    stored = await ledger.get(VM_KIND, VM)
    assert vm_from_resource(stored.resource, 1).booted


async def test_a_guest_that_resets_itself_without_end_does_not_fill_the_memory(home):
    reset = {"event": "RESET", "data": {}, "timestamp": {"seconds": 0, "microseconds": 0}}
    ended = {**reset, "event": "SHUTDOWN"}

    async def monitor(reader, writer):
        def say(*messages):
            writer.writelines(json.dumps(message).encode() + b"\n" for message in messages)

        say({"QMP": {"version": {}, "capabilities": []}})
        asking = messages(reader)
        await anext(asking)
        say({"return": {}})
        asked = await anext(asking)
        say(*[reset] * 1000, ended, {"return": {}, "id": asked["id"]})
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(monitor, home / "qmp.sock")
    client = await Qmp.connect(home / "qmp.sock", 10)
    await client.execute("query-status")
    events = client.events()

    assert [(await anext(events))["event"] for _ in range(2)] == ["RESET", "SHUTDOWN"]

    await events.aclose()
    await client.close()
    server.close()
    await server.wait_closed()
