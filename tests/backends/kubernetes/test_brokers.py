"""Brokers on one real API server: no VM with two users, no user with two VMs, no start lost.

What happened is told by a watch of its own, from the first write to the last; it is judged when all is over.
"""

import asyncio
import itertools
import random
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import backend_with, requests_to, started
from tests.cluster.history import History
from tests.cluster.requests import Namespace
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.errors import BackendUnavailable, Contention, NothingAssigned, PoolExhausted

BROKERS, USERS, VMS = 10, 24, 30
SEED = 20261124


@asynccontextmanager
async def brokers(control_plane, namespace, count=BROKERS):
    """Give so many brokers, each with a backend and connections of its own, that all see the pool."""
    async with AsyncExitStack() as stack:
        running = []
        for _ in range(count):
            options = {"kubeconfig": control_plane.kubeconfig(), "namespace": namespace.name, "request_timeout": 5}
            backend = await stack.enter_async_context(started(backend_with(**options)))
            broker = PoolBroker(backend, SystemClock())
            task = asyncio.create_task(broker.run())
            stack.push_async_callback(_ended, task)
            await broker.drawn()
            running.append(broker)
        yield running


async def _ended(task):
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def define(namespace, vms, **spec):
    await namespace.post("vmpools", a_pool("demo", permissions=[{"role": "student", "may": ["*"]}], **spec))
    for number in range(vms):
        await namespace.post("vms", a_vm(f"vm{number:02}"))


def students(count):
    return [a_user(f"user{number:02}", "student") for number in range(count)]


async def pressed(broker, user):
    """Press Start until an answer is more than that it should be pressed again."""
    while True:
        try:
            return (await broker.start(user, "demo")).pool.vm.name
        except (BackendUnavailable, Contention):
            await asyncio.sleep(0.1)
        except PoolExhausted as refused:
            return refused


def judge(history, told):
    """Hold what users were told to what happened."""
    for name, owners in history.owners().items():
        for before, after in itertools.pairwise(owners):
            assert None in (before, after), f"{name} went from {before} to {after} while {before} had it"
    for user, answers in told.items():
        vms = {answer for answer in answers if isinstance(answer, str)}
        assert len(vms) <= 1, f"{user} was told of {vms}"
        assert history.of(user) == sorted(vms)


async def test_ten_brokers_give_every_user_one_vm_and_no_vm_to_two(control_plane, namespace):
    await define(namespace, VMS)
    told = {}
    async with brokers(control_plane, namespace) as running, History(namespace).written() as history:

        async def press(user):
            # In three tabs at once, each served by another broker.
            tabs = random.Random(f"{SEED} {user.name}").sample(running, 3)  # noqa: S311  # to be repeated
            told[user.name] = await asyncio.gather(*(pressed(broker, user) for broker in tabs))

        await asyncio.gather(*map(press, students(USERS)))

    judge(history, told)
    assert all(isinstance(answer, str) for answers in told.values() for answer in answers)


async def test_when_there_are_too_few_everybody_is_told_and_none_is_left_over(control_plane, namespace):
    await define(namespace, 5)
    told = {}
    async with brokers(control_plane, namespace, 3) as running, History(namespace).written() as history:

        async def press(number, user):
            told[user.name] = [await pressed(running[number % 3], user)]

        await asyncio.gather(*(press(number, user) for number, user in enumerate(students(9))))

    judge(history, told)
    refused = [answers for answers in told.values() if isinstance(answers[0], PoolExhausted)]
    assert len(refused) == 4


async def test_a_vm_that_is_given_back_goes_to_whoever_presses_next_at_another_broker(control_plane, namespace):
    await define(namespace, 1)
    ann, bob = students(2)
    async with brokers(control_plane, namespace, 2) as [one, two]:
        assert await pressed(one, ann) == "vm00"
        assert isinstance(await pressed(two, bob), PoolExhausted)

        await one.release(ann, "demo")

        async for picture in two.watch(bob):
            if picture.pools[0].free:
                break
        assert await pressed(two, bob) == "vm00"
        with pytest.raises(NothingAssigned):
            await one.release(ann, "demo")


@pytest.fixture
async def own_namespace(own_control_plane):
    async with requests_to(own_control_plane) as requests:
        yield await Namespace(requests, "own").create()


async def during(control_plane, namespace, mishap):
    """Have users press while something goes wrong; give what happened and what they were told."""
    await define(namespace, 12)
    told = {}
    async with brokers(control_plane, namespace, 2) as running, History(namespace).written() as history:

        async def press(number, user):
            told[user.name] = [await pressed(running[number % 2], user)]

        presses = [asyncio.create_task(press(number, user)) for number, user in enumerate(students(10))]
        await asyncio.to_thread(mishap)
        await asyncio.wait_for(asyncio.gather(*presses), 120)
        # Whoever asks again, when all is well again, has what they were told of.
        again = await asyncio.gather(*(pressed(running[0], user) for user in students(10)))
    assert again == [told[user.name][0] for user in students(10)]
    return history, told


async def test_an_api_server_that_is_killed_and_comes_back_costs_no_start(own_control_plane, own_namespace):
    judge(*await during(own_control_plane, own_namespace, own_control_plane.restart_api_server))


async def test_an_api_server_that_is_frozen_for_a_while_costs_no_start(own_control_plane, own_namespace):
    def freeze():
        own_control_plane.freeze()
        own_control_plane.wait(7)
        own_control_plane.thaw()

    judge(*await during(own_control_plane, own_namespace, freeze))


async def test_a_server_that_has_forgotten_what_happened_costs_no_start(own_control_plane, own_namespace):
    def forget():
        own_control_plane.kill_api_server()
        own_control_plane.compact()
        own_control_plane.start_api_server()

    judge(*await during(own_control_plane, own_namespace, forget))
