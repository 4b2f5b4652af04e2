"""A user's own server hands everything on to the service, for its owner and for nobody else."""

import asyncio
import json

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from tests.hub import conftest
from tests.hub.a_hub import HubBesideService
from tests.hub.conftest import Door, cut, names
from vmpool_ext.backends.memory import GREETING
from vmpool_ext.web.relay import TICKET_NOT_GOOD

HUB = HubBesideService
OPTIONS = [*conftest.OPTIONS, "--VmPoolService.hub_timeout=3"]
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def anns(hub):
    """Give ann's door at her own server, which runs."""
    await hub.start_server("ann")
    return Door(hub, "/user/ann", await hub.token_of("ann"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def straight(hub):
    """Give ann's door at the service itself."""
    return Door(hub, "/services/vmpool", await hub.token_of("ann"))


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "me", {}),
        ("GET", "health", {}),
        ("GET", "pools", {}),
        ("GET", "pools/shared", {}),
        ("GET", "pools/nope", {}),
        ("GET", "pools/..", {}),
        ("GET", "pools/%2e%2e", {}),
        ("GET", "pools/a%2Fb", {}),
        ("GET", "pools/%C3%BC%20%25", {}),
        ("GET", "vms", {}),
        ("GET", "nothing", {}),
        ("POST", "pools/nope/start", {}),
        ("POST", "pools/shared/stop", {}),
        ("POST", "pools/shared/start", {"content": "{"}),
        ("POST", "pools/shared/start", {"json": {"more": 1}}),
        ("POST", "vms/nope/start", {}),
        ("PUT", "pools", {}),
        ("DELETE", "pools/shared/start", {}),
    ],
)
async def test_it_answers_as_the_service_does(anns, straight, method, path, options):
    assert await anns.ask(method, path, **options) == await straight.ask(method, path, **options)


async def test_the_contract_is_the_services(hub, anns, straight):
    said = [await hub.ask("GET", f"{at}/vmpool/api/v1/openapi.yaml", straight.token) for at in (anns.at, straight.at)]

    assert [each.headers["Content-Type"].partition(";")[0] for each in said] == ["application/yaml"] * 2
    assert said[0].text == said[1].text


async def test_a_vm_is_had_looked_into_and_given_back_through_it(anns):
    async with anns.socket("updates") as panel:
        assert names(await panel.recv()) == ["lab", "shared"]
        status, _ = await anns.ask("POST", "pools/lab/start")
        assert status == 201
        while _state(await panel.recv()) != "running":
            pass
        status, offer = await anns.ask("POST", "pools/lab/console")
        assert status == 200

        async with anns.socket(f"{offer['url']}?ticket={offer['ticket']}") as console:
            assert await console.recv() == GREETING
            await console.send(GREETING)
            assert (await anns.ask("POST", "pools/lab/release"))[0] == 202
            code = await cut(console)

    assert 4000 < code < 5000


async def test_a_ticket_that_is_none_is_told_by_the_same_code(anns):
    async with anns.socket("vms/lab-1/display?ticket=none") as console:
        code = await cut(console)

    assert code == TICKET_NOT_GOOD


@pytest.mark.parametrize("visitor", ["root-admin"])
async def test_a_visitor_who_may_come_to_the_server_does_nothing_in_its_owners_name(hub, anns, visitor):
    visitors = Door(hub, "/user/ann", await hub.token_of(visitor))

    for method, path in [("GET", "me"), ("GET", "pools"), ("POST", "pools/lab/start"), ("POST", "pools/lab/console")]:
        status, body = await visitors.ask(method, path)
        assert (status, body["code"]) == (403, "not-your-server")
        assert '"ann"' in body["message"]
    with pytest.raises(InvalidStatus) as refused:
        async with visitors.socket("updates"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_named_server_is_its_owners_too(hub):
    await hub.start_server("ann", "second")
    status, me = await Door(hub, "/user/ann/second", await hub.token_of("ann")).ask("GET", "me")

    assert (status, me["user"], me["mode"]) == (200, "ann", "hub")


async def test_another_user_does_not_come_to_the_server(hub, anns):
    answer = await hub.ask("GET", f"{anns.at}/vmpool/api/v1/me", await hub.token_of("bob"))

    assert answer.status_code in (401, 403)


async def test_an_open_panel_is_no_activity_and_a_click_is_one(hub, anns):
    """Neither to the server itself, nor to the hub, whose proxy counts whatever a browser sends: what idle servers are culled by."""
    async with anns.socket("updates") as panel:
        await panel.recv()
        await asyncio.sleep(2)  # the hub has asked its proxy
        before = await hub.last_activity("ann")
        await asyncio.sleep(3)  # and again, after some pings of the server's, if there were any
        while_open = await hub.last_activity("ann")
        by_itself = await _activity(hub, anns)
        await anns.pools()
        assert await _activity(hub, anns) == by_itself
    await anns.ask("POST", "pools/nope/start")

    assert while_open == before
    assert await _activity(hub, anns) > by_itself


async def test_a_service_that_is_gone_is_told_as_that_and_found_again(hub, anns):
    async with anns.socket("updates") as panel:
        await panel.recv()
        await hub.kill_service()
        await cut(panel)
    status, body = await anns.ask("GET", "pools")
    assert (status, body["code"]) == (503, "service-unavailable")

    await hub.restart_service()
    assert await anns.pools() == ["lab", "shared"]


async def test_a_hub_that_does_not_answer_takes_nothing_away_and_lets_nobody_do_anything_new(hub, anns, straight):
    async with straight.socket("updates") as panel:
        await panel.recv()
        with hub.frozen():
            asked = [await door.ask("POST", "pools/shared/start") for door in (straight, anns)]
            await asyncio.sleep(1)  # the open panel was asked about, in vain
        await anns.ask("POST", "pools/shared/start")
        while json.loads(await panel.recv())["pools"][1]["vm"] is None:
            pass
        await anns.ask("POST", "pools/shared/release")

    assert [(status, body["code"]) for status, body in asked] == [(503, "hub-unavailable")] * 2


async def test_no_token_and_no_ticket_is_in_a_log(hub, anns, straight):
    text = hub.log.read_text()

    assert "pools/lab/start" in text
    assert not [token for token in (anns.token, straight.token, hub.token) if token in text]
    assert "ticket=" not in text


def _state(message):
    [lab] = [each for each in json.loads(message)["pools"] if each["name"] == "lab"]
    return lab["vm"] and lab["vm"]["state"]


async def _activity(hub, door):
    answer = await hub.ask("GET", f"{door.at}/api/status", door.token)
    return answer.json()["last_activity"]
