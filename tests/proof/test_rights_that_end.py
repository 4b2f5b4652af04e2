"""A broker whose token ends, whose verbs are taken away, or whose pools are not known any more, while people press Start.

Nobody's start is lost: it is told why it cannot be now, and as soon as it can be everybody has one VM; judged by what was stored.
"""

import asyncio
from http import HTTPStatus

import pytest

from tests.builders import a_user
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import *  # noqa: F403  # a cluster, and a namespace of it
from tests.cluster.fixtures import DEFINITIONS, define_resources, requests_to
from tests.cluster.kubeconfigs import write_kubeconfig
from tests.cluster.requests import Namespace, RequestFailed, Requests
from tests.cluster.service_accounts import ROLES, add_account, is_allowed, may
from tests.proof.cluster_world import ClusterWorld
from vmpool_ext.backends.kubernetes.permissions import NEEDS
from vmpool_ext.broker.broker import Started
from vmpool_ext.domain.errors import Unavailable

GROUP = "vmoperator.jdrupes.org"
POOL = "demo"
USERS = [a_user(f"user{number}") for number in range(8)]
AGAIN_AFTER = 0.05


def rules(*, but=()):
    """Give the rules of a Role that allows all that is needed, but for this."""
    needs = [need for need in NEEDS if need.resource not in but]
    return [{"apiGroups": [need.group], "resources": [need.resource], "verbs": list(need.verbs)} for need in needs]


async def define(world):
    everybody = [{"user": user.name, "may": ["*"]} for user in USERS]
    await world.namespace.post("vmpools", a_pool(POOL, permissions=everybody))
    for number in range(len(USERS)):
        await world.namespace.post("vms", a_vm(f"vm{number}"))


async def pressed(world, broker, user):
    """Press Start until the answer is more than that it should be pressed again; give all that was told."""
    told = [await world.start(broker, user, POOL)]
    while isinstance(told[-1], Unavailable):
        await asyncio.sleep(AGAIN_AFTER)
        told.append(await world.start(broker, user, POOL))
    return told


async def everybody_has_one(world, presses):
    for told in await asyncio.gather(*presses):
        assert isinstance(told[-1], Started)
    owners = await world.owners()
    assert sorted(owners) == sorted((POOL, user.name) for user in USERS)


@pytest.fixture
async def world(control_plane, namespace, tmp_path):
    """Give a world with one broker that may what it needs, by a token that stands in a file."""
    world = ClusterWorld(control_plane, namespace)
    world.token = await account(world, "before")
    world.token_file = tmp_path / "token"
    world.token_file.write_text(world.token)
    users = {"broker": {"tokenFile": "token"}}

    def kubeconfig(url):
        return write_kubeconfig(tmp_path / "config", control_plane, users, current="broker", server=url)

    async with world.open():
        await define(world)
        await world.start_broker(kubeconfig)
        await world.quiet()
        yield world


async def account(world, name):
    token = await add_account(world.namespace, name)
    await may(world.namespace, name, rules())
    world.secrets.add(token)
    return token


async def refused(world, token):
    """Return when the API server does not know the token any more."""
    url, certificate, _ = world.control_plane.access
    async with Requests(url, certificate, token) as requests:
        await until(lambda: _is_refused(requests, world.namespace))


async def _is_refused(requests, namespace):
    try:
        await requests.ask("GET", namespace.path("vms"))
    except RequestFailed as error:
        return error.status == HTTPStatus.UNAUTHORIZED
    return False


async def _is_told(world, broker, user, code):
    return getattr(await world.start(broker, user, POOL), "code", "") == code


async def _is_shown(broker, user):
    picture = broker.broker.overview(user)
    return picture.pools and not picture.problem


async def until(holds):
    while True:
        if await holds():
            return
        await asyncio.sleep(AGAIN_AFTER)


@pytest.mark.parametrize("in_time", [True, False], ids=["the next one is there", "the next one comes later"])
async def test_when_a_token_ends_no_start_is_lost(world, in_time):
    [broker] = world.running
    next_token = await account(world, "after")
    early = [asyncio.create_task(pressed(world, broker, user)) for user in USERS[:2]]
    if in_time:
        world.token_file.write_text(next_token)
    await world.namespace.delete("serviceaccounts", "before")
    await refused(world, world.token)

    presses = [asyncio.create_task(pressed(world, broker, user)) for user in USERS[2:]]
    if not in_time:
        assert (await world.start(broker, USERS[2], POOL)).code == "cluster-credentials"
        world.token_file.write_text(next_token)

    await everybody_has_one(world, [*early, *presses])
    if in_time:
        assert all(len(told) == 1 for told in await asyncio.gather(*presses)), "nobody had to press again"


async def test_when_a_verb_is_taken_away_it_is_named_and_no_start_is_lost(world):
    [broker] = world.running
    await world.start(broker, USERS[0], POOL)
    await allow(world, rules(but=["vms/status"]))

    presses = [asyncio.create_task(pressed(world, broker, user)) for user in USERS]
    assert (await world.start(broker, USERS[1], POOL)).code == "cluster-forbids"
    await allow(world, rules())

    await everybody_has_one(world, presses)


async def allow(world, allowed):
    """Change what the broker's account may, and return when the API server goes by it."""
    await world.namespace.requests.ask(
        "PUT",
        f"{ROLES.format(world.namespace.name, 'roles')}/before",
        {"metadata": {"name": "before"}, "rules": allowed},
    )
    is_in = any("vms/status" in rule["resources"] for rule in allowed)

    async def is_so():
        return is_in == await is_allowed(world.namespace, "before", "patch", GROUP, "vms/status")

    await until(is_so)


async def test_when_pools_are_not_known_any_more_that_is_told_and_no_start_is_lost(own_control_plane):
    """Somebody takes the definition of pools away; then it comes back, and a pool of the same name.

    The API server deletes the pools one by one, and answers for the others until it has: a deleted pool's assignments may go.
    """
    async with requests_to(own_control_plane) as requests:
        world = ClusterWorld(own_control_plane, await Namespace(requests, "own").create())
        async with world.open():
            await define(world)
            broker = await world.start_broker()
            await world.quiet()
            had = [asyncio.create_task(pressed(world, broker, user)) for user in USERS[:4]]
            await asyncio.gather(*had)

            await requests.ask("DELETE", f"{DEFINITIONS}/vmpools.{GROUP}")
            await until(lambda: _is_told(world, broker, USERS[0], "resources-missing"))
            world.clock.advance(minutes=1)
            await define_resources(requests)
            everybody = [{"user": user.name, "may": ["*"]} for user in USERS]
            await world.namespace.post("vmpools", a_pool(POOL, permissions=everybody))
            await until(lambda: _is_shown(broker, USERS[0]))

            await everybody_has_one(world, [asyncio.create_task(pressed(world, broker, user)) for user in USERS])
