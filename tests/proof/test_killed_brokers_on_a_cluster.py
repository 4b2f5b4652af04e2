"""A broker that is killed at any of its awaits costs nothing: on a real API server, judged by what was stored.

Somebody presses at a broker that is ended at the first await, at the second, and so on until it gets through. What it had sent by then
arrives, or it does not. Then another broker comes, and whoever presses there has exactly one VM, with nobody else's session in it.

`make test` takes every third await, of the two cases not the same; `make soak` takes each.
"""

import asyncio
import os

import pytest

from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import *  # noqa: F403  # a cluster, and a namespace of it
from tests.proof.cluster_world import ClusterWorld
from tests.proof.cut import Cut, cutting, to_cut
from tests.proof.steps import made
from vmpool_ext.broker.broker import Started
from vmpool_ext.broker.consoles import ConsoleOffer

POOL = "win"
MANY = 200
STRIDE = 1 if os.environ.get("VMPOOL_SOAK") else 3
EVERYBODY = [f"user{number}" for number in range(MANY)]


class Scene:
    """What is there before, and what is pressed then."""

    vms = 3

    def __init__(self, world):
        self.world = world

    async def before(self, broker, user):
        """Nothing."""

    async def press(self, broker, user, cut):
        """Have the user press at this broker, for as long as it lives."""
        then = getattr(self, "then", lambda broker: broker.start(user, POOL))
        task = self.world.press(broker, self.what, user, POOL, lambda broker: cut.through(then(broker)))
        await asyncio.wait([task])

    what = "start"


class StartsFirst(Scene):
    """The user has none yet."""


class StartsAgain(Scene):
    """The user has one that is off."""

    async def before(self, broker, user):
        await self.world.start(broker, user, POOL)
        await self.world.quiet()
        await self.world.press(broker, "stop", user, POOL, lambda broker: broker.stop(user, POOL))
        await self.world.quiet()


class GivesBack(Scene):
    """The user looks at one, and gives it back."""

    what = "release"

    async def before(self, broker, user):
        self.then = lambda broker: broker.release(user, POOL)
        await looks(self.world, broker, user)


class TakesOver(Scene):
    """The only VM holds the session of somebody else; nobody presses anything while it is ended."""

    vms = 1

    async def before(self, broker, user):
        other = a_user(EVERYBODY[-1])
        await looks(self.world, broker, other)
        self.world.operator.look_away("vm0")
        await self.world.press(broker, "release", other, POOL, lambda broker: broker.release(other, POOL))
        await self.world.quiet()

    async def press(self, broker, user, cut):
        await self.world.start(broker, user, POOL)
        through = asyncio.create_task(self.world.quiet())
        await asyncio.wait([through, asyncio.create_task(cut.happened.wait())], return_when=asyncio.FIRST_COMPLETED)
        through.cancel()
        await asyncio.wait([through])


async def looks(world, broker, user):
    """Have the user start, and look into the display."""
    await world.start(broker, user, POOL)
    await world.quiet()
    assert isinstance(await world.console(broker, user, POOL), ConsoleOffer)
    await world.quiet()


@pytest.fixture
async def cut_keepers():
    """Have the steps that nobody clicks be cut too, of brokers that are begun to be cut."""
    loop = asyncio.get_running_loop()
    loop.set_task_factory(cutting("Keeper._do"))
    yield
    loop.set_task_factory(None)


@pytest.mark.parametrize("arrives", [True, False], ids=["what was sent arrives", "nothing arrives"])
@pytest.mark.parametrize("scene", [StartsFirst, StartsAgain, GivesBack, TakesOver])
@pytest.mark.usefixtures("cut_keepers")
async def test_wherever_it_is_killed_the_next_start_has_one_vm(control_plane, namespace, scene, arrives):
    world = ClusterWorld(control_plane, namespace)
    everybody = [{"user": user, "may": ["*"]} for user in EVERYBODY]
    async with world.open():
        await world.namespace.post("vmpools", a_pool(POOL, permissions=everybody, retention="PT1h"))
        for number in range(scene.vms):
            await world.namespace.post("vms", a_vm(f"vm{number}", pools=[POOL]))
        awaits = await killed_at_each(scene(world), arrives)
    made["awaits on a cluster"] += awaits
    assert awaits, "there was nothing to be killed at"


async def killed_at_each(scene, arrives):
    """Play the scene, killed at one await after the other; tell how many there were."""
    first = 1 if arrives else STRIDE // 2 + 1
    for number in range(first, MANY, STRIDE):
        user = a_user(EVERYBODY[number])
        cut = Cut(number)
        await _played(scene, user, cut, arrives)
        if not cut.happened.is_set():
            return cut.awaits
    raise AssertionError(scene)


async def _played(scene, user, cut, arrives):
    world = scene.world
    cutting_of = to_cut.set(cut if isinstance(scene, TakesOver) else None)
    ready = await world.start_broker()
    to_cut.reset(cutting_of)
    await world.quiet()
    await scene.before(ready, user)
    await scene.press(ready, user, cut)
    world.astray = True
    ready.proxy.is_cut = not arrives
    await world.kill(ready)

    another = await world.start_broker()
    await world.quiet()
    outcome = await world.start(another, user, POOL)
    assert isinstance(outcome, Started), outcome
    await world.rest()
    assert (await world.owners()).count((POOL, user.name)) == 1
    assert isinstance(await world.console(another, user, POOL), ConsoleOffer)
    await world.quiet()
    world.operator.look_away(outcome.pool.vm.name)
    await world.press(another, "release", user, POOL, lambda broker: broker.release(user, POOL))
    await world.quiet()
    await world.kill(another)
