"""A real Jupyter Server with tokens on, and both faces of the client in front of it."""

import asyncio

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403  # fixtures for the tests here: as a plugin it rules all tests

from tests.client.backends import PacedBackend
from tests.web.conftest import extension, jp_asyncio_loop, settled  # noqa: F401  # fixtures
from vmpool_ext.client import AsyncClient, Client


class Blocking:
    """Calls of the blocking face: in a thread, since the server has the loop of the test."""

    client = Client

    @staticmethod
    async def do(call, *args, **kwargs):
        return await asyncio.to_thread(call, *args, **kwargs)


class Awaiting:
    """Calls of the other face."""

    client = AsyncClient

    @staticmethod
    async def do(call, *args, **kwargs):
        return await call(*args, **kwargs)


@pytest.fixture
def jp_server_config():
    return {
        "ServerApp": {
            "jpserver_extensions": {"vmpool_ext": True, "jupyterlab": False},
            "allow_unauthenticated_access": False,
        },
        "VmPoolExtension": {"backend_class": f"{PacedBackend.__module__}.PacedBackend", "user": "ann"},
    }


@pytest.fixture
def backend(extension):  # noqa: F811
    backend = extension._backend
    yield backend
    backend.may_start.set()
    backend.may_log_in.set()


@pytest.fixture
def url(backend, http_server, jp_http_port, jp_base_url):
    return f"http://127.0.0.1:{jp_http_port}{jp_base_url}"


@pytest.fixture
def token(jp_serverapp):
    return jp_serverapp.identity_provider.token


@pytest.fixture(params=[Blocking, Awaiting])
def face(request):
    return request.param


@pytest.fixture
def do(face):
    """Call a method of either face, and give what it comes to."""
    return face.do


@pytest.fixture
def client(face, url, token):
    return face.client(url, token)


@pytest.fixture
def called(do):
    """Call a method while the test goes on."""
    return lambda call, *args, **kwargs: asyncio.ensure_future(do(call, *args, **kwargs))


@pytest.fixture
async def phases():
    """Note what was told of the waiting, without repetitions; `until` one was."""
    return Phases()


class Phases(list):
    def __init__(self):
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Condition()

    def __call__(self, progress):
        asyncio.run_coroutine_threadsafe(self._note(progress.phase), self._loop)

    async def until(self, phase):
        async with self._told:
            await self._told.wait_for(lambda: phase in self)

    async def _note(self, phase):
        async with self._told:
            if phase not in self[-1:]:
                self.append(phase)
            self._told.notify_all()


class Road:
    """A way to a server that can be closed."""

    def __init__(self, port):
        self._to = port
        self._at = 0
        self._open = set()
        self.refused = 0

    async def open(self):
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._at)
        self._at = self._server.sockets[0].getsockname()[1]
        return self._at

    async def close(self):
        self._server.close()
        for each in self._open:
            each.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, back}
        await asyncio.gather(self._one_way(reader, back), self._one_way(there, writer))
        self._open -= {writer, back}

    @staticmethod
    async def _one_way(reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
async def client_by(face, url, token, jp_http_port, jp_base_url):
    """A client that reaches the server by a road that can be closed."""
    road = Road(jp_http_port)
    port = await road.open()
    yield face.client(f"http://127.0.0.1:{port}{jp_base_url}", token), road
    await road.close()
