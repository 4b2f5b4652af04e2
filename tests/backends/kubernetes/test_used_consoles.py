"""What the use of a console does to an assignment, and to others: a real API server, runners and displays played.

That a console is open is told by the runner; what stands in the status is asked of the API server.
"""

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from tests.backends.kubernetes.test_beside_a_manager import seen
from tests.backends.kubernetes.test_brokers import brokers
from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.ports import free_ports
from tests.cluster.runner import PlayedOperator
from vmpool_ext.domain.errors import ConsoleInUse, PoolExhausted

ANN, BOB, CAROL = (a_user(name) for name in ("ann", "bob", "carol"))
TAKES = [{"user": "carol", "may": ["takeConsole"]}]


@pytest.fixture
async def desk(control_plane, namespace):
    """Give a broker, and ann's running VM of a pool that keeps it only as long as it is used."""
    [port] = free_ports(1)
    grants = [{"user": name, "may": ["accessConsole"]} for name in ("ann", "bob")]
    await namespace.post("vmpools", a_pool("demo", permissions=grants, retention="PT0S"))
    await namespace.post("vms", a_vm("vm1", port=port, permissions=TAKES))
    async with PlayedOperator(namespace), brokers(control_plane, namespace, 1) as [broker]:
        await broker.start(ANN, "demo")
        await seen(broker, ANN, lambda picture: picture.pools[0].vm and picture.pools[0].vm.booted)
        yield Desk(namespace, broker, port)


class Desk:
    def __init__(self, namespace, broker, port):
        self.broker = broker
        self._namespace = namespace
        self._port = port

    @asynccontextmanager
    async def connected(self):
        """Look at the display from elsewhere, until the runner says so and that it is over."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            yield await self.told("ConsoleConnected", "True")
        finally:
            writer.close()
            await writer.wait_closed()
        await self.told("ConsoleConnected", "False")

    async def told(self, type_, status):
        """Give the time at which the condition became so."""
        return await self._until(lambda vm: _since(vm, type_, status))

    async def last_use(self, moment):
        """Wait until that is the last use."""
        return await self._until(lambda vm: _last_use(vm) == moment)

    async def _until(self, look):
        listed = await self._namespace.list("vms")
        if found := look(listed["items"][0]):
            return found
        since = listed["metadata"]["resourceVersion"]
        async with asyncio.timeout(20), self._namespace.watch("vms", resourceVersion=since) as events:
            async for event in events:
                if found := look(event["object"]):
                    return found
        raise AssertionError


def _since(vm, type_, status):
    conditions = vm["status"]["conditions"]
    times = (each["lastTransitionTime"] for each in conditions if (each["type"], each["status"]) == (type_, status))
    return next(map(datetime.fromisoformat, times), None)


def _last_use(vm):
    return datetime.fromisoformat(vm["status"]["assignment"]["lastUsed"])


async def test_the_opening_and_the_closing_of_its_console_are_uses_of_a_vm(desk):
    await desk.broker.open_console(ANN, "demo")
    async with desk.connected() as opened:
        assert await desk.last_use(opened)

    closed = await desk.told("ConsoleConnected", "False")

    assert closed > opened
    assert await desk.last_use(closed)


async def test_a_vm_whose_console_is_open_elsewhere_is_given_to_nobody_however_little_its_pool_keeps_it(desk):
    async with desk.connected():
        await seen(desk.broker, BOB, lambda picture: picture.pools[0].free == 0)
        with pytest.raises(PoolExhausted):
            await desk.broker.start(BOB, "demo")

    await seen(desk.broker, BOB, lambda picture: picture.pools[0].free == 1)
    assert (await desk.broker.start(BOB, "demo")).pool.vm.name == "vm1"


async def test_a_console_that_somebody_else_has_open_is_not_opened_and_its_user_is_not_named(desk):
    await desk.broker.open_vm_console(CAROL, "vm1")
    async with desk.connected():
        await seen(desk.broker, ANN, lambda picture: picture.pools[0].vm.console == "inUse")

        with pytest.raises(ConsoleInUse) as refused:
            await desk.broker.open_console(ANN, "demo")

        assert "carol" not in str(refused.value)


async def test_who_may_take_a_console_over_is_told_whom_that_disconnects_and_may(desk):
    await desk.broker.open_console(ANN, "demo")
    async with desk.connected():
        [vm] = (await seen(desk.broker, CAROL, lambda picture: picture.vms[0].used_by)).vms
        assert vm.used_by == "ann"

        offer = await desk.broker.open_vm_console(CAROL, "vm1")

        assert offer.engine == "spice"
        assert offer.password
