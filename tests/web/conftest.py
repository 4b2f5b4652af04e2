"""A real Jupyter Server with the extension, on the reference backend."""

import asyncio
import json

import pytest

from tests.builders import a_pool, a_vm
from tests.moving_clock import MovingClock
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.domain.permission import EVERY_PERMISSION, Grant

pytest_plugins = ("pytest_jupyter.jupyter_server",)

STRANGE = ("a b", 'say "hi"', "ü", "50%")


class SmallBackend(MemoryBackend):
    """A pool that ann may use wholly, one that only lets her look, one that is bob's, and some with strange names."""

    def __init__(self, clock, parent):
        anns = (Grant(EVERY_PERMISSION, user="ann"),)
        bobs = (Grant(EVERY_PERMISSION, user="bob"),)
        super().__init__(
            MovingClock(),
            [
                a_pool("demo", grants=anns),
                a_pool("looking", may=["accessConsole"]),
                a_pool("foreign", grants=bobs),
                a_pool("void", grants=anns),
                *(a_pool(name, grants=anns) for name in STRANGE),
            ],
            [a_vm("demo-1", pool="demo"), a_vm("demo-2", pool="demo"), a_vm("looking-1", pool="looking")],
        )


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
        "VmPoolExtension": {"backend_class": f"{__name__}.SmallBackend", "user": "ann"},
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
def call(extension, jp_fetch):
    """Call an address of the API with the server's token; give status and body, whatever the status is."""

    async def call(method, path, body=None, **options):
        response = await jp_fetch(
            "vmpool", "api", "v1", *path.split("/"), method=method, raise_error=False,
            body=(body if body is not None else "{}") if method == "POST" else None, **options,
        )  # fmt: skip
        return response.code, json.loads(response.body)

    return call
