"""Nobody gets in without being known; nobody else's page makes the browser act."""

import json

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from vmpool_ext.web.routes import ROUTES

ADDRESSES = {
    "vmpool/api/v1/me": "GET",
    "vmpool/api/v1/health": "GET",
    "vmpool/api/v1/openapi.yaml": "GET",
    "vmpool/api/v1/pools": "GET",
    "vmpool/api/v1/pools/demo": "GET",
    "vmpool/api/v1/pools/demo/start": "POST",
    "vmpool/api/v1/vms": "GET",
    "vmpool/api/v1/vms/looking-1/start": "POST",
    "vmpool/api/v1/updates": "WS",
    "vmpool/api/v1/vms/demo-1/display": "WS",
    "vmpool/anything": "GET",
}
TOKENS = [{}, {"Authorization": "token wrong"}, {"Authorization": "token "}, {"Authorization": "Basic YW5uOng="}]


def test_every_route_is_in_the_table_of_this_test():
    assert len(ROUTES) == len(ADDRESSES)


@pytest.mark.parametrize("headers", TOKENS)
@pytest.mark.parametrize("path", [path for path, method in ADDRESSES.items() if method != "WS"])
async def test_a_stranger_gets_nowhere_by_http(bare_fetch, path, headers):
    response = await bare_fetch(path, ADDRESSES[path], headers)

    assert response.code == 401
    assert json.loads(response.body)["code"] == "unauthenticated"
    assert "Location" not in response.headers


@pytest.mark.parametrize("path", [path for path, method in ADDRESSES.items() if method == "WS"])
async def test_a_stranger_gets_no_socket(extension, http_server, jp_http_port, jp_base_url, path):
    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(f"ws://127.0.0.1:{jp_http_port}{jp_base_url}{path}")

    assert refused.value.code in (401, 403)


@pytest.fixture
async def cookie(bare_fetch, jp_serverapp):
    """What a browser has after logging in with the token."""
    response = await bare_fetch(f"api/status?token={jp_serverapp.identity_provider.token}")
    cookies = [each.split(";")[0] for each in response.headers.get_list("Set-Cookie")]
    return {each.split("=", 1)[0]: each.split("=", 1)[1] for each in cookies}


def _as_header(cookie):
    return "; ".join(f"{name}={value}" for name, value in cookie.items())


@pytest.mark.parametrize(("origin", "opens"), [("http://evil.example", False), ("http://127.0.0.1:{}", True)])
async def test_only_the_servers_own_pages_get_a_socket(cookie, jp_http_port, jp_base_url, origin, opens):
    """The browser sends the cookie along whoever asks it to connect."""
    request = HTTPRequest(
        f"ws://127.0.0.1:{jp_http_port}{jp_base_url}vmpool/api/v1/updates",
        headers={"Cookie": _as_header(cookie), "Origin": origin.format(jp_http_port)},
    )
    try:
        socket = await websocket_connect(request)
        socket.close()
        opened = True
    except HTTPClientError:
        opened = False

    assert opened is opens


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_page_whose_own_name_leads_to_this_machine_is_forbidden_to_ask(bare_fetch, cookie, method):
    """A site can have its name resolved to 127.0.0.1: to the browser it is then the same site."""
    path = {"GET": "vmpool/api/v1/pools", "POST": "vmpool/api/v1/pools/demo/start"}[method]
    headers = {"Cookie": _as_header(cookie), "Host": "evil.example", "Origin": "http://evil.example"}

    response = await bare_fetch(path, method, headers)

    assert (response.code, json.loads(response.body)["code"]) == (403, "forbidden")


async def test_a_page_whose_own_name_leads_to_this_machine_gets_no_socket(cookie, jp_http_port, jp_base_url):
    request = HTTPRequest(
        f"ws://127.0.0.1:{jp_http_port}{jp_base_url}vmpool/api/v1/updates",
        headers={"Cookie": _as_header(cookie), "Host": "evil.example", "Origin": "http://evil.example"},
    )

    with pytest.raises(HTTPClientError) as refused:
        await websocket_connect(request)

    assert refused.value.code == 403


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_another_sites_page_is_forbidden_to_ask(bare_fetch, cookie, method):
    path = {"GET": "vmpool/api/v1/pools", "POST": "vmpool/api/v1/pools/demo/start"}[method]

    response = await bare_fetch(path, method, {"Cookie": _as_header(cookie), "Origin": "http://evil.example"})

    assert (response.code, json.loads(response.body)["code"]) == (403, "forbidden")


async def test_a_click_needs_the_xsrf_token_of_the_page(bare_fetch, cookie, backend):
    headers = {"Cookie": _as_header(cookie)}
    assert (await bare_fetch("vmpool/api/v1/pools", headers=headers)).code == 200

    response = await bare_fetch("vmpool/api/v1/pools/demo/start", "POST", headers)

    assert response.code == 403
    assert json.loads(response.body)["code"] == "forbidden"
    assert backend.vm("demo-1").assignment is None


async def test_a_click_with_the_xsrf_token_counts(bare_fetch, cookie, jp_serverapp):
    page = await bare_fetch("login")
    xsrf = {**cookie, **dict(each.split(";")[0].split("=", 1) for each in page.headers.get_list("Set-Cookie"))}
    headers = {"Cookie": _as_header(xsrf), "X-XSRFToken": xsrf["_xsrf"]}

    assert (await bare_fetch("vmpool/api/v1/pools/demo/start", "POST", headers)).code == 201


async def test_the_authorizer_of_the_server_is_asked(jp_serverapp, call):
    asked = []

    def is_authorized(handler, user, action, resource):
        asked.append((action, resource))
        return action == "read"

    jp_serverapp.authorizer.is_authorized = is_authorized

    assert (await call("GET", "pools"))[0] == 200
    assert (await call("POST", "pools/demo/start"))[0] == 403
    assert asked == [("read", "vmpool"), ("write", "vmpool")]


async def test_looking_is_no_activity_and_clicking_is(call, jp_serverapp):
    settings = jp_serverapp.web_app.settings
    before = settings.get("api_last_activity")
    for path in ("pools", "pools/demo", "me", "health"):
        await call("GET", path)
    assert settings.get("api_last_activity") == before

    await call("POST", "pools/demo/start")

    assert settings["api_last_activity"] != before
