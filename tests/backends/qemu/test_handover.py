"""From one user to the next with real machines: nothing of the first is left to the second, and nothing is lost in vain (R10)."""

import asyncio
from contextlib import aclosing, asynccontextmanager

import pytest

from tests.backends.contract import PATIENCE
from tests.backends.qemu import viewer
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource
from tests.broker.conftest import following
from tests.builders import a_user
from vmpool_ext.backends.qemu.display import VncDisplay
from vmpool_ext.broker.ports import DisplayOffer
from vmpool_ext.domain.errors import AgentMissing, InvalidTicket, VmNotFound

ANN, BOB, CAROL = a_user("ann"), a_user("bob"), a_user("carol")
GRANTS = [{"user": "ann", "may": ["*"]}, {"user": "bob", "may": ["*"]}]
VM = "vm-1"


@pytest.fixture
def pool_of_one(serving, clock):
    """A broker on a real pool with one VM, into which carol may look."""

    @asynccontextmanager
    async def pool_of_one(*, agent_patience=30, boot_timeout=120, guest="demo", **pool):
        async with serving(login_timeout=agent_patience, boot_timeout=boot_timeout) as backend:
            definition = a_vm_resource(VM, guest=guest)
            definition["spec"]["permissions"] = [{"user": "carol", "may": ["takeConsole"]}]
            await backend.apply(a_pool_resource(permissions=GRANTS, **pool))
            await backend.apply(definition)
            async with following(backend, clock) as broker:
                yield broker

    return pool_of_one


async def pool_of(broker, user, holds):
    """Wait until the pool is to the user as wanted."""
    async with asyncio.timeout(PATIENCE), aclosing(broker.watch(user)) as pictures:
        return await anext(picture.pools[0] async for picture in pictures if holds(picture.pools[0]))


async def shown(broker, user, holds):
    """Wait until the user's VM is shown to them as wanted."""
    return (await pool_of(broker, user, lambda pool: pool.vm and holds(pool.vm, pool.why))).vm


async def up(broker, user):
    """Start, and wait until the console could be opened."""
    await pool_of(broker, user, lambda pool: pool.vm or pool.free)
    await broker.start(user, "demo")
    return await shown(broker, user, lambda vm, why: vm.booted and "console" not in why)


@pytest.fixture
async def looked():
    """Look at the console that was offered; when the test is over nobody looks any more."""
    consoles = []

    async def looked(broker, user, offer):
        consoles.append(await broker.connect_console(user, VM, offer.ticket))
        await viewer.look(consoles[-1].display, offer)
        return consoles[-1]

    yield looked
    for console in consoles:
        await console.display.close()


async def test_who_keeps_yesterdays_connection_gets_nowhere_with_it_after_the_handover(pool_of_one, looked, home):
    async with pool_of_one() as broker:
        anns = await up(broker, ANN)
        offer = await broker.open_console(ANN, "demo")
        console = await looked(broker, ANN, offer)
        unused = await broker.open_console(ANN, "demo")

        await broker.release(ANN, "demo")

        assert isinstance(await asyncio.wait_for(console.ended(), PATIENCE), VmNotFound)
        bobs = await up(broker, BOB)
        assert bobs.since > anns.since, "another run, with nothing of the first in it"
        for ticket, error in ((unused.ticket, VmNotFound), (offer.ticket, InvalidTicket)):
            with pytest.raises(error):
                await broker.connect_console(ANN, VM, ticket)
        await looked(broker, BOB, await broker.open_console(BOB, "demo"))
        for password in (offer.password, unused.password):
            await _refused(home, password)


async def _refused(home, password):
    """Past all of ours, at the display's own socket: QEMU itself takes the password no more."""
    (socket,) = (home / "run").rglob("vnc.sock")
    display = await VncDisplay.connect(socket, PATIENCE)
    with pytest.raises(PermissionError):
        await viewer.look(display, DisplayOffer("vnc", password))
    await display.close()


async def test_a_password_is_worth_nothing_from_the_moment_the_vm_is_given_back(pool_of_one, home):
    async with pool_of_one(loginOnAssignment=True) as broker:
        await up(broker, ANN)
        unused = await broker.open_console(ANN, "demo")

        await broker.release(ANN, "demo")

        await _refused(home, unused.password)


async def test_an_administrator_looks_in_and_the_users_own_session_survives(pool_of_one, looked):
    async with pool_of_one() as broker:
        before = await up(broker, ANN)
        anns = await looked(broker, ANN, await broker.open_console(ANN, "demo"))

        await shown(broker, ANN, lambda vm, why: vm.console == "open")
        carols = await looked(broker, CAROL, await broker.open_vm_console(CAROL, VM))
        async with asyncio.timeout(PATIENCE):
            while await anns.display.read():
                pass
        await carols.display.close()
        await shown(broker, ANN, lambda vm, why: vm.console == "closed")

        await looked(broker, ANN, await broker.open_console(ANN, "demo"))
        after = await shown(broker, ANN, lambda vm, why: vm.console == "open")
        assert (after.state, after.since) == ("running", before.since)


async def test_where_the_pool_logs_in_the_agent_hands_over_and_the_run_goes_on(pool_of_one, looked):
    async with pool_of_one(loginOnAssignment=True) as broker:
        anns = await up(broker, ANN)
        assert anns.logged_in_user == "ann"
        await looked(broker, ANN, await broker.open_console(ANN, "demo"))
        await broker.release(ANN, "demo")

        bobs = await up(broker, BOB)

        assert bobs.logged_in_user == "bob"
        assert bobs.since == anns.since


async def test_a_user_is_logged_in_again_when_the_guest_was_reset(pool_of_one):
    async with pool_of_one(loginOnAssignment=True) as broker:
        await up(broker, ANN)

        await broker.reset(ANN, "demo")

        await shown(broker, ANN, lambda vm, why: vm.logged_in_user is None)
        await shown(broker, ANN, lambda vm, why: vm.logged_in_user == "ann" and "console" not in why)


async def test_a_pool_that_logs_in_says_when_the_guest_has_no_agent(pool_of_one):
    async with pool_of_one(guest=None, boot_timeout=0.5, loginOnAssignment=True) as broker:
        await pool_of(broker, ANN, lambda pool: pool.free)
        await broker.start(ANN, "demo")

        vm = await shown(broker, ANN, lambda vm, why: "console" in why and why["console"].code == "agent-missing")

        assert (vm.state, vm.fault.code) == ("running", "boot-timeout")
        with pytest.raises(AgentMissing):
            await broker.open_console(ANN, "demo")


async def test_an_agent_that_is_silent_is_told_and_nobody_is_shown_a_console(pool_of_one):
    async with pool_of_one(agent_patience=0, loginOnAssignment=True) as broker:
        await broker.start(ANN, "demo")

        vm = await shown(broker, ANN, lambda vm, why: vm.fault is not None)

        assert (vm.fault.code, vm.fault.message) == (
            "login-failed",
            "The guest's agent has not answered for 0 seconds.",
        )
        assert broker.pool(ANN, "demo").why["console"].code == "login-failed"
