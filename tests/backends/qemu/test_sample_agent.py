"""Guests with VM-Operator's sample agent instead of ours: as its protocol is described, played in a real guest.

It answers with 102 in between, takes who is logged in already for done, and ends the session when its line is closed.
"""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.backends.contract import PATIENCE
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.backends.qemu.machines import says
from tests.broker.conftest import following
from tests.builders import a_user
from vmpool_ext.backends.qemu.command_line import AGENT
from vmpool_ext.backends.qemu.guest_image import build, cpio, find_image
from vmpool_ext.backends.qemu.qmp import Qmp

ANN, BOB = a_user("ann"), a_user("bob")
GRANTS = [{"user": name, "may": ["*"]} for name in ("ann", "bob")]
VM = "vm-1"

SAMPLE_AGENT = """#!/bin/sh
exec <>/dev/virtio-ports/org.jdrupes.vmop_agent.0 >&0
user=""
say() { echo "sample: $1" >/dev/ttyS0; }
close() {
    [ -z "$user" ] || say "ended the session of $user"
    user=""
}
echo "220 Hello"
while read -r command name _; do
    case $command in
        login)
            if [ "$name" = root ]; then
                echo "504 There is no user root here"
            elif [ "$name" = "$user" ]; then
                echo "201 User already logged in"
            else
                close
                echo "102 Desktop stopped"
                user=$name
                number=$(($(cat /run/number 2>/dev/null) + 1))
                echo $number >/run/number
                say "session $number is of $user"
                echo "201 User logged in successfully"
            fi ;;
        logout)
            close
            echo "102 Desktop stopped"
            echo "202 User logged out" ;;
    esac
done
close
"""


@pytest.fixture
def image_with_sample_agent(home, image_cache):
    """The demo guest with another agent in the place of ours."""
    image = find_image(image_cache)
    folder = home / "cache" / build._key()
    folder.mkdir(parents=True)
    (folder / image.kernel.name).symlink_to(image.kernel)
    agent = cpio.file(build._AGENT, SAMPLE_AGENT.encode(), executable=True)
    # Linux unpacks several archives one after the other.
    (folder / image.initrd.name).write_bytes(image.initrd.read_bytes() + cpio.pack([agent]))
    return str(folder.parent)


@pytest.fixture
def pool(serving, clock, image_with_sample_agent):
    @asynccontextmanager
    async def pool(**traits):
        async with serving(image_cache=image_with_sample_agent, **traits) as backend:
            await backend.apply(a_pool_resource(permissions=GRANTS, loginOnAssignment=True))
            await backend.apply(a_vm_resource(VM))
            async with following(backend, clock) as broker:
                yield broker

    return pool


async def logged_in(broker, user):
    """Wait until the user is logged in and may look; tell since when the VM runs."""

    def is_in(pool):
        return pool.vm and pool.vm.logged_in_user == user.name and "console" not in pool.why

    async with asyncio.timeout(PATIENCE), aclosing(broker.watch(user)) as pictures:
        return await anext(picture.pools[0].vm.since async for picture in pictures if is_in(picture.pools[0]))


async def test_its_users_are_logged_in_and_out(pool, home):
    async with pool() as broker:
        await broker.start(ANN, "demo")
        before = await logged_in(broker, ANN)

        await broker.release(ANN, "demo")
        await says(home, "sample: ended the session of ann", VM)
        await broker.start(BOB, "demo")

        assert await logged_in(broker, BOB) == before, "no restart was needed"


async def test_a_server_that_comes_back_logs_in_again_whom_the_agent_had_logged_out(pool, home):
    """That agent ends the session when its line is closed, so the user begins a new one; ours keeps it."""
    async with pool(vms_live_on=True) as broker:
        await broker.start(ANN, "demo")
        before = await logged_in(broker, ANN)
        await says(home, "sample: session 1 is of ann", VM)

    await _noticed_by_the_guest(home)
    async with pool() as broker:
        assert await logged_in(broker, ANN) == before, "no restart was needed"
        await says(home, "sample: session 2 is of ann", VM)


async def _noticed_by_the_guest(home):
    """Wait until the agent has let go of its line: a guest may miss a server that hangs up and calls again at once."""
    monitor = await Qmp.connect(next((home / "run").rglob("qmp.sock")), PATIENCE)
    async with asyncio.timeout(PATIENCE):
        while any(line["frontend-open"] for line in await monitor.execute("query-chardev") if line["label"] == AGENT):  # noqa: ASYNC110  # the guest says when
            await asyncio.sleep(0.01)
    await monitor.close()
