"""The command beside a Jupyter server that serves the same pools: the panel follows."""

import asyncio
import signal

from tests.app.test_commands import POOL
from tests.backends.qemu.machines import processes

EMPTY_VM = """\
apiVersion: vmoperator.jdrupes.org/v1
kind: VirtualMachine
metadata:
  name: lab-1
spec:
  pools: [lab]
  vm: {maximumCpus: 1, maximumRam: 128Mi, powerdownTimeout: 1}
"""
EVERYTHING = POOL.replace("user: ann", "user: ann\n      may: ['*']") + "---\n" + EMPTY_VM


async def test_the_panel_follows_what_a_command_does(home):
    async with home.server() as server, server.pictures() as until:
        await until(lambda pools: not pools)

        assert await home.did("apply", "-f", "-", given=EVERYTHING.encode()) == [
            "vmpool/lab created", "virtualmachine/lab-1 created",
        ]  # fmt: skip
        await until(lambda pools: pools and pools["lab"]["total"] == 1)

        again = EVERYTHING.replace("spec:\n  permissions", "spec:\n  retention: P1D\n  permissions")
        assert await home.did("apply", "-f", "-", given=again.encode()) == [
            "vmpool/lab configured", "virtualmachine/lab-1 unchanged",
        ]  # fmt: skip
        await until(lambda pools: pools["lab"]["retention"] == "P1D")

        assert await home.did("delete", "vmpool", "lab") == ["vmpool/lab deleted"]
        await until(lambda pools: not pools)


async def test_a_vm_that_is_used_is_shown_and_shut_down_before_it_is_deleted(home):
    async with home.server() as server, server.pictures() as until:
        await home.did("apply", "-f", "-", given=EVERYTHING.encode())
        await until(lambda pools: pools and pools["lab"]["total"] == 1)
        await server.ask("pools/lab/start", "POST")
        await until(lambda pools: pools["lab"]["vm"]["state"] == "running")

        assert (await home.did("get", "vms"))[1].split()[:4] == ["lab-1", "lab", "running", "ann"]
        assert await home.did("apply", "-f", "-", given=EVERYTHING.encode()) == [
            "vmpool/lab unchanged", "virtualmachine/lab-1 unchanged",
        ]  # fmt: skip

        assert await home.did("delete", "vm", "lab-1") == [
            "virtualmachine/lab-1 being deleted", "virtualmachine/lab-1 deleted",
        ]  # fmt: skip
        assert not processes(home.folder)
        assert (await server.ask("pools/lab"))["vm"] is None


async def test_a_refusal_changes_nothing_of_what_is_served(home):
    async with home.server() as server:
        told = await home.refused("apply", "-f", "-", given=EVERYTHING.replace("128Mi", "much").encode())

        assert told[0].startswith("<stdin>:16: spec.vm.maximumRam: ")
        assert (await server.ask("pools"))["pools"] == []


async def test_whom_the_command_waits_for_may_be_interrupted(home):
    async with home.server() as server, server.pictures() as until:
        await home.did(
            "apply", "-f", "-", given=EVERYTHING.replace("powerdownTimeout: 1", "powerdownTimeout: 9").encode()
        )
        await until(lambda pools: pools and pools["lab"]["total"] == 1)
        await server.ask("pools/lab/start", "POST")
        await until(lambda pools: pools["lab"]["vm"]["state"] == "running")

        process = await home.run("vmpool_ext.app", "delete", "vm", "lab-1")
        assert b"being deleted" in await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complained = await process.communicate()

        assert process.returncode == 130
        assert b"Traceback" not in complained
        await until(lambda pools: pools["lab"]["total"] == 0)


async def test_commands_find_the_next_server_after_one_was_killed(home):
    async with home.server() as server:
        await home.did("apply", "-f", "-", given=EVERYTHING.encode())
        server.process.kill()
        await server.process.wait()
        assert (home.folder / "state" / "control.sock").is_socket()

    assert await home.did("get", "-o", "name") == ["virtualmachine/lab-1", "vmpool/lab"]
    async with home.server() as server:
        assert await home.did("delete", "vmpool", "lab") == ["vmpool/lab deleted"]
        assert (await server.ask("pools"))["pools"] == []


async def test_many_commands_at_once_reach_one_server(home):
    async with home.server() as server, server.pictures() as until:
        pools = [POOL.replace("lab", f"lab-{number}") for number in range(5)]

        await asyncio.gather(*(home.did("apply", "-f", "-", given=pool.encode()) for pool in pools))

        await until(lambda seen: len(seen) == len(pools))
