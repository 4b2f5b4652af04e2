"""A hub for all tests of a module: it takes seconds to start, and each test has users or a VM of its own."""

import json
from contextlib import asynccontextmanager

import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.hub.a_hub import Hub

API = "/vmpool/api/v1/"
GROUPS = {"lab": {"users": ["ann", "leaver"]}, "class": {"users": ["bob", "flooder"]}}
OPTIONS = [
    "--VmPoolService.backend_class=tests.hub.pools.HubPools",
    "--VmPoolService.recheck=1",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(request, tmp_path_factory):
    """Give a hub; a module may say of which kind, and with which options of the service."""
    kind, options = getattr(request.module, "HUB", Hub), getattr(request.module, "OPTIONS", OPTIONS)
    async with kind(tmp_path_factory.mktemp("hub"), GROUPS, options).running() as hub:
        yield hub


class Door:
    """The API at one address, for whoever's token it is."""

    def __init__(self, hub, at, token):
        self._hub = hub
        self.at = at
        self.token = token

    async def ask(self, method, path, **options):
        answer = await self._hub.ask(method, self.at + API + path, self.token, **options)
        return answer.status_code, answer.json()

    async def pools(self):
        _, body = await self.ask("GET", "pools")
        return [each["name"] for each in body["pools"]]

    @asynccontextmanager
    async def socket(self, path, **headers):
        url = self._hub.url.replace("http", "ws", 1) + self.at + API + path
        said = {"Authorization": f"token {self.token}", **headers}
        tls = {"ssl": self._hub.tls} if url.startswith("wss") else {}
        async with connect(url, additional_headers=said, proxy=None, **tls) as socket:
            yield socket


def names(message):
    """Give the names of the pools of a picture."""
    return [each["name"] for each in json.loads(message)["pools"]]


async def cut(socket):
    """Give the code that a socket is closed with; what comes before does not matter."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd and closed.rcvd.code
