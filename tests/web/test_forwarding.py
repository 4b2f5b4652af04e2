"""What a user's server says where there is no service, or none that it goes together with. A whole hub is in tests/hub."""

import json
from contextlib import asynccontextmanager

import pytest
from jupyter_server.auth import IdentityProvider, User
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from tests.cluster.ports import free_ports
from tests.hub.a_hub import until
from vmpool_ext._version import __version__
from vmpool_ext.web.versions import VERSION

OWNER, TOKEN = "ann", "the-servers-own"


class AlwaysAnn(IdentityProvider):
    def get_user(self, handler):
        return User(OWNER)


class Page(RequestHandler):
    """What a proxy says in place of a service."""

    def get(self):
        self.set_status(404)
        self.finish("<h1>404</h1>")


class OtherVersion(RequestHandler):
    def get(self):
        self.set_header(VERSION, "9.0.0")
        self.set_header("Content-Type", "application/json")
        self.finish(b'{"pools": []}')


class Keeping(RequestHandler):
    """Keeps with what it was asked."""

    def get(self):
        self.application.settings["asked"].append(dict(self.request.headers))
        self.set_header(VERSION, __version__)
        self.set_header("Content-Type", "application/json")
        self.finish(b'{"pools": []}')


class Far(WebSocketHandler):
    """Keeps whether a socket came and went."""

    def open(self):
        self.application.settings["asked"].append("opened")

    def on_close(self):
        self.application.settings["asked"].append("closed")


@asynccontextmanager
async def serving(handler):
    socket, port = bind_unused_port()
    application = Application([(".*", handler)], asked=[])
    server = HTTPServer(application)
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}", application.settings["asked"]
    server.stop()
    await server.close_all_connections()


@pytest.fixture
async def asked(request, monkeypatch):
    """Serve what the test names, or nothing; give with what it was asked."""
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", TOKEN)
    monkeypatch.setenv("JUPYTERHUB_USER", OWNER)
    if request.param is None:
        monkeypatch.setenv("VMPOOL_SERVICE_URL", f"http://127.0.0.1:{free_ports(1)[0]}/services/vmpool/")
        yield []
        return
    async with serving(request.param) as (url, asked):
        monkeypatch.setenv("VMPOOL_SERVICE_URL", f"{url}/services/vmpool/")
        yield asked


@pytest.fixture
def jp_server_config(asked):
    return {
        "ServerApp": {
            "jpserver_extensions": {"vmpool_ext": True, "jupyterlab": False},
            "allow_unauthenticated_access": False,
            "identity_provider_class": f"{__name__}.AlwaysAnn",
        }
    }


async def asked_for_pools(bare_fetch, **headers):
    response = await bare_fetch("vmpool/api/v1/pools", "GET", headers)
    return response.code, json.loads(response.body)


@pytest.mark.parametrize("asked", [None, Page], indirect=True)
async def test_nobody_there_and_a_page_in_place_of_the_service_are_the_same(bare_fetch):
    code, body = await asked_for_pools(bare_fetch)

    assert (code, body["code"]) == (503, "service-unavailable")
    assert "/services/vmpool" in body["message"]


@pytest.mark.parametrize("asked", [OtherVersion], indirect=True)
async def test_a_service_of_another_line_of_versions_is_not_believed(bare_fetch):
    code, body = await asked_for_pools(bare_fetch)

    assert (code, body["code"]) == (503, "versions-differ")
    assert f"9.0.0 there, {__version__} here" in body["message"]


@pytest.mark.parametrize("asked", [Keeping], indirect=True)
async def test_only_the_servers_own_token_is_handed_on(bare_fetch, asked):
    """Not that of whoever asks, nor their cookies."""
    code, _ = await asked_for_pools(bare_fetch, Authorization="token somebodys", Cookie="session=somebodys")

    [headers] = asked
    assert code == 200
    assert headers["Authorization"] == f"token {TOKEN}"
    assert "somebodys" not in str(headers)


@pytest.mark.parametrize("asked", [Far], indirect=True)
async def test_where_there_is_no_socket_to_be_had_here_none_stays_open_there(bare_fetch, asked):
    """What asks speaks another version of the protocol."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x", "Sec-WebSocket-Version": "99"}

    response = await bare_fetch("vmpool/api/v1/updates", "GET", upgrade)

    async def closed():
        return "closed" in asked

    assert response.code == 426
    await until(closed)
