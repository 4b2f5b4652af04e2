"""A real Jupyter Server with the extension, on the reference backend."""

import asyncio
import json

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403  # fixtures for the tests here: as a plugin it rules all tests
from tornado.httpclient import AsyncHTTPClient

from tests.web.contract import require_kept
from tests.web.small_backend import SmallBackend

API = "vmpool/api/v1/"


@pytest.fixture(autouse=True)
async def jp_asyncio_loop():
    """The loop of the test: one for fixtures, server and test."""
    return asyncio.get_running_loop()


@pytest.fixture
def jp_server_config():
    return {
        "ServerApp": {
            "jpserver_extensions": {"vmpool_ext": True, "jupyterlab": False},
            "allow_unauthenticated_access": False,
        },
        "VmPoolExtension": {"backend_class": f"{SmallBackend.__module__}.SmallBackend", "user": "ann"},
    }


@pytest.fixture
async def extension(jp_serverapp):
    await jp_serverapp.extension_manager.start_all_extensions()
    (extension,) = jp_serverapp.extension_manager.extension_apps["vmpool_ext"]
    yield extension
    await jp_serverapp.extension_manager.stop_all_extensions()


@pytest.fixture
def backend(extension):
    return extension._backend


@pytest.fixture
def bare_fetch(extension, http_server, jp_http_port, jp_base_url):
    """Send just what the test says, to an address that is written as it is sent; the answer is held to the contract."""

    async def bare_fetch(path, method="GET", headers=None, body=""):
        response = await AsyncHTTPClient().fetch(
            f"http://127.0.0.1:{jp_http_port}{jp_base_url}{path}",
            method=method, headers=headers or {}, body=body if method == "POST" else None,
            raise_error=False, follow_redirects=False, allow_nonstandard_methods=True,
        )  # fmt: skip
        if path.startswith(API):
            require_kept(method, path.removeprefix(API), response)
        return response

    return bare_fetch


@pytest.fixture
def call(bare_fetch, jp_auth_header):
    """Call an address of the API with the server's token; give status and body, whatever the status is."""

    async def call(method, path, body="{}"):
        response = await bare_fetch(f"vmpool/api/v1/{path}", method, jp_auth_header, body)
        return response.code, json.loads(response.body)

    return call


@pytest.fixture
def settled(backend):
    """Wait until the machines have followed and the broker has seen it."""

    async def settled():
        await asyncio.gather(*backend._machines)
        for _ in range(5):
            await asyncio.sleep(0)

    return settled


@pytest.fixture
async def open_socket(extension, jp_ws_fetch):
    """Open a socket of the API with the server's token; closed at the end of the test."""
    opened = []

    async def open_socket(path, headers=None, **params):
        opened.append(await jp_ws_fetch("vmpool", "api", "v1", *path.split("/"), headers=headers, params=params))
        return opened[-1]

    yield open_socket
    for socket in opened:
        socket.close()
