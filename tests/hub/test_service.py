"""The service of a real hub: who asks is found out there, and what they may by their groups."""

import asyncio

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.hub.a_hub import ACCESS
from tests.hub.conftest import Door, cut, names
from vmpool_ext.backends.memory import GREETING
from vmpool_ext.web.relay import NOT_YOURS, TICKET_NOT_GOOD

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT = "/services/vmpool"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def door(hub):
    """Give a user's door."""

    async def door(user, *scopes):
        return Door(hub, AT, await hub.token_of(user, *scopes))

    return door


async def test_who_asks_is_who_the_hub_says_with_their_groups_as_roles(door):
    status, me = await (await door("ann")).ask("GET", "me")

    assert status == 200
    assert (me["user"], me["roles"], me["administrator"], me["mode"]) == ("ann", ["lab"], False, "hub")


async def test_an_administrator_of_the_hub_is_one_of_the_pools(door):
    _, me = await (await door("root-admin")).ask("GET", "me")

    assert me["administrator"]


async def test_each_sees_the_pools_of_their_groups(door):
    assert await (await door("ann")).pools() == ["lab", "shared"]
    assert await (await door("bob")).pools() == ["shared"]


async def test_a_pool_of_others_looks_like_none(door):
    bobs = await door("bob")

    there, not_there = [await bobs.ask("POST", f"pools/{name}/start") for name in ("lab", "nope")]

    assert there[0] == not_there[0] == 404
    assert there[1] == {**not_there[1], "message": not_there[1]["message"].replace("nope", "lab")}


@pytest.mark.parametrize("path", ["me", "pools", "anything", "openapi.yaml"])
@pytest.mark.parametrize("token", ["", "wrong"])
async def test_a_stranger_gets_nowhere(hub, path, token):
    status, body = await Door(hub, AT, token).ask("GET", path)

    assert (status, body["code"]) == (401, "unauthenticated")


async def test_a_token_in_the_address_is_none(hub):
    token = await hub.token_of("ann")

    status, _ = await Door(hub, AT, "").ask("GET", f"me?token={token}")

    assert status == 401


async def test_a_service_is_nobody_who_has_vms(hub):
    status, body = await Door(hub, AT, hub.token).ask("GET", "me")

    assert (status, body["code"]) == (403, "not-a-user")


async def test_a_token_that_was_given_for_something_else_opens_nothing(door):
    status, body = await (await door("ann", "access:servers!user=ann", "read:users!user=ann")).ask("GET", "pools")

    assert (status, body["code"]) == (403, "scope-missing")
    assert f'c.JupyterHub.extra_user_scopes = ["{ACCESS}"]' in body["message"]


async def test_whoever_leaves_a_group_can_start_nothing_of_it_from_that_moment(hub, door):
    leavers = await door("leaver")
    assert await leavers.pools() == ["lab", "shared"]

    await hub.administer("DELETE", "groups/lab/users", {"users": ["leaver"]})
    status, body = await leavers.ask("POST", "pools/lab/start")
    await hub.administer("POST", "groups/lab/users", {"users": ["leaver"]})

    assert (status, body["code"]) == (404, "pool-not-found")


async def test_a_pool_goes_from_an_open_panel_with_the_group_and_comes_back_with_it(hub, door):
    async with (await door("leaver")).socket("updates") as panel:
        assert names(await panel.recv()) == ["lab", "shared"]

        await hub.administer("DELETE", "groups/lab/users", {"users": ["leaver"]})
        assert names(await panel.recv()) == []

        await hub.administer("POST", "groups/lab/users", {"users": ["leaver"]})
        assert names(await panel.recv()) == ["lab", "shared"]


async def test_a_revoked_token_starts_nothing_and_its_open_panel_is_cut(hub):
    made = await hub.administer("POST", "users/ann/tokens", {})
    anns = Door(hub, AT, made["token"])
    async with anns.socket("updates") as panel:
        await panel.recv()

        await hub.administer("DELETE", f"users/ann/tokens/{made['id']}")
        status, _ = await anns.ask("POST", "pools/lab/start")
        code = await cut(panel)

    assert status == 401
    assert code == NOT_YOURS


@pytest_asyncio.fixture(loop_scope="module")
async def ticket(hub, door):
    """Give the door of one who has a VM of the lab's, and a ticket for its display; at the end it is given back."""
    users = await door("leaver")
    async with users.socket("updates") as panel:
        await users.ask("POST", "pools/lab/start")
        while '"state": "running"' not in await panel.recv():
            pass
    _, offer = await users.ask("POST", "pools/lab/console")
    yield users, f"{offer['url']}?ticket={offer['ticket']}"
    await users.ask("POST", "pools/lab/release")


async def test_anothers_ticket_opens_nothing(door, ticket):
    """Nor does it for whoever had it: a wrong try spends it."""
    users, address = ticket

    for each in (await door("ann"), users):
        async with each.socket(address) as display:
            assert await cut(display) == TICKET_NOT_GOOD


async def test_a_console_is_cut_when_its_user_leaves_the_group(hub, ticket):
    users, address = ticket
    async with users.socket(address) as display:
        assert await display.recv() == GREETING

        await hub.administer("DELETE", "groups/lab/users", {"users": ["leaver"]})
        code = await cut(display)
        status, _ = await users.ask("POST", "pools/lab/console")
        await hub.administer("POST", "groups/lab/users", {"users": ["leaver"]})

    assert code in (NOT_YOURS, TICKET_NOT_GOOD)
    assert status == 404


async def test_no_page_gets_a_socket_whosever_token_it_has(door):
    with pytest.raises(InvalidStatus) as refused:
        async with (await door("ann")).socket("updates", Origin="http://evil.example"):
            pass

    assert refused.value.response.status_code == 403


async def test_a_body_that_is_too_large_or_never_ends_holds_nobody_up(hub, door):
    anns = await door("ann")

    async def slow():
        yield b"{"
        await asyncio.sleep(3600)

    never = asyncio.create_task(hub.ask("POST", f"{AT}/vmpool/api/v1/pools/lab/start", "", content=slow()))
    large = await hub.ask("POST", f"{AT}/vmpool/api/v1/pools/lab/start", "", content=b" " * 100_000)
    status, _ = await anns.ask("GET", "me")
    never.cancel()

    assert large.is_error
    assert status == 200


async def test_who_floods_the_service_is_told_to_wait_and_others_are_not(door):
    flooders, bobs = await door("flooder"), await door("bob")

    answers = await asyncio.gather(*(flooders.ask("POST", "pools/shared/stop") for _ in range(60)))

    refused = [body["code"] for status, body in answers if status == 429]
    assert len(refused) > 20
    assert set(refused) == {"too-many-requests"}
    assert (await bobs.ask("POST", "pools/shared/stop"))[1]["code"] == "nothing-assigned"
