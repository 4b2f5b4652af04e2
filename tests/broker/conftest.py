"""A broker on the reference backend, following it."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.broker import PoolBroker


@asynccontextmanager
async def following(backend, clock, **options):
    """Give a broker that keeps its picture current."""
    broker = PoolBroker(backend, clock, **options)
    running = asyncio.create_task(broker.run())
    await broker.drawn()
    yield broker
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(holds):
    """Let everything go on until it is so."""
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110  # what it waits for is many things
            await asyncio.sleep(0)


@pytest.fixture
def backend(clock):
    return MemoryBackend(clock, [a_pool()], [a_vm("vm1"), a_vm("vm2")])


@pytest.fixture
async def broker(backend, clock):
    async with following(backend, clock) as broker:
        yield broker


@pytest.fixture
def settled(backend, broker):
    """Wait until the machines have followed and the broker has seen it."""

    async def settled():
        await backend.stop()
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    return settled
