"""Pools over HTTP: statuses and bodies as docs/api.md says."""

from datetime import UTC, datetime
from urllib.parse import quote

import pytest

from tests.builders import NOON, a_vm
from tests.web.small_backend import STRANGE

ACTIONS = ["start", "stop", "reset", "release", "console"]


async def test_one_sees_the_pools_on_which_one_has_a_permission(call):
    status, body = await call("GET", "pools")

    assert status == 200
    assert set(body) == {"pools"}
    assert [pool["name"] for pool in body["pools"]] == sorted(["demo", "looking", "void", *STRANGE])


async def test_a_pool_is_shown_field_by_field(call):
    _, pool = await call("GET", "pools/demo")

    assert pool == {
        "name": "demo",
        "free": 2,
        "total": 2,
        "retention": "PT4h",
        "may": ["accessConsole", "reset", "start", "stop", "takeConsole"],
        "vm": None,
        "waiting": None,
        "why": {
            action: {"code": "nothing-assigned", "permission": None}
            for action in ("stop", "reset", "console", "release")
        },
    }


async def test_an_own_vm_is_shown_field_by_field(call, settled):
    await call("POST", "pools/demo/start")
    await settled()

    _, pool = await call("GET", "pools/demo")

    assert pool["vm"] == {
        "name": "demo-1",
        "state": "running",
        "booted": True,
        "loggedInUser": None,
        "console": "closed",
        "display": "vnc",
        "connectionFile": False,
        "restartsForReset": False,
        "since": pool["vm"]["since"],
        "retainedUntil": pool["vm"]["retainedUntil"],
        "os": "Nothing at all",
        "may": [],
        "fault": None,
    }
    assert all(pool["vm"][time].endswith("Z") for time in ("since", "retainedUntil"))


async def test_the_first_start_assigns_and_the_second_gives_the_same(call):
    created, first = await call("POST", "pools/demo/start")
    accepted, second = await call("POST", "pools/demo/start")

    assert (created, accepted) == (201, 202)
    assert first["vm"]["name"] == second["vm"]["name"]


async def test_the_way_of_a_vm_from_start_to_release(call, settled):
    await call("POST", "pools/demo/start")
    await settled()
    assert (await call("POST", "pools/demo/reset"))[0] == 202
    await settled()
    status, stopping = await call("POST", "pools/demo/stop")
    assert (status, stopping["vm"]["state"]) == (202, "stopping")
    await settled()
    assert (await call("GET", "pools/demo"))[1]["vm"]["state"] == "stopped"
    status, released = await call("POST", "pools/demo/release")
    assert (status, released["vm"], released["free"]) == (202, None, 2)


async def test_a_console_is_offered_once_the_vm_runs(call, settled, jp_fetch):
    assert (await call("POST", "pools/demo/console"))[1]["code"] == "nothing-assigned"
    await call("POST", "pools/demo/start")
    await settled()

    response = await jp_fetch("vmpool", "api", "v1", "pools", "demo", "console", method="POST", body="")

    assert response.headers["Cache-Control"] == "no-store"
    status, offer = await call("POST", "pools/demo/console")
    assert status == 200
    assert set(offer) == {"vm", "engine", "ticket", "password", "expiresAt", "url", "file"}
    assert (offer["vm"], offer["engine"], offer["url"]) == ("demo-1", "vnc", "vms/demo-1/display")


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        ("stop", 403, "permission-missing"),
        ("reset", 403, "permission-missing"),
    ],
)
async def test_a_missing_permission_is_told_and_named(call, settled, act, status, code):
    await call("POST", "pools/looking/start")
    await settled()

    got, body = await call("POST", f"pools/looking/{act}")

    assert (got, body["code"]) == (status, code)
    assert act in body["message"]


@pytest.mark.parametrize("act", ACTIONS)
async def test_a_foreign_pool_looks_like_an_unknown_one(call, act):
    foreign = await call("POST", f"pools/foreign/{act}")
    unknown = await call("POST", f"pools/unknown/{act}")

    assert foreign[0] == unknown[0] == 404
    assert foreign[1] == {**unknown[1], "message": unknown[1]["message"].replace("unknown", "foreign")}


async def test_an_empty_pool_says_so(call):
    status, body = await call("POST", "pools/void/start")

    assert (status, body["code"]) == (409, "pool-empty")


async def test_an_exhausted_pool_says_when_to_ask_again(backend, jp_fetch, settled):
    for name in ("demo-1", "demo-2"):
        backend.put_vm(a_vm(name, pool="demo", user="bob", used_ago=NOON - datetime.now(UTC)))  # noqa: TID251
    await settled()

    response = await jp_fetch(
        "vmpool", "api", "v1", "pools", "demo", "start", method="POST", body="", raise_error=False
    )

    assert response.code == 409
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.parametrize("name", STRANGE)
async def test_a_pool_with_a_strange_name_is_reached_by_its_encoded_name(call, name):
    status, pool = await call("GET", f"pools/{quote(name, safe='')}")

    assert (status, pool["name"]) == (200, name)


async def test_me_says_who_asks(call):
    status, me = await call("GET", "me")

    assert status == 200
    assert me["user"] == "ann"
    assert (me["roles"], me["administrator"], me["mode"]) == ([], False, "local")
    assert me["version"]


async def test_health_says_that_all_is_well_or_what_is_not(backend, call, settled):
    assert (await call("GET", "health"))[1]["status"] == "ok"
    backend.disconnect_watchers()
    await settled()

    status, health = await call("GET", "health")

    assert (status, health["status"], health["problem"]["code"]) == (200, "degraded", "backend-unavailable")


async def test_while_the_picture_is_stale_one_may_look_but_nothing_is_decided(backend, call, settled):
    backend.disconnect_watchers()
    await settled()

    assert (await call("GET", "pools"))[0] == 200
    status, body = await call("POST", "pools/demo/start")
    assert (status, body["code"]) == (503, "backend-unavailable")
