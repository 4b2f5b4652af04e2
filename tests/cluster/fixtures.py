"""A control plane for all tests of a process, and what a test does with it."""

import asyncio
import atexit
import secrets
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache

import aiohttp
import pytest
from traitlets.config import Config, Configurable

from tests.cluster.build import build
from tests.cluster.control_plane import ControlPlane
from tests.cluster.proxy import FaultyProxy
from tests.cluster.requests import GROUP, Namespace, RequestFailed, Requests
from vmpool_ext.backends.kubernetes.backend import KubernetesBackend
from vmpool_ext.backends.manifests import crds
from vmpool_ext.broker.clock import SystemClock

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@cache
def shared():
    """Start the one that all tests of this process share, however many modules take the fixture in."""
    build()
    control_plane = ControlPlane()
    atexit.register(control_plane.stop)
    control_plane.start()
    return control_plane


@pytest.fixture(scope="session")
def control_plane():
    """Give a cluster that all tests share: each has a namespace of its own there."""
    return shared()


@pytest.fixture
def own_control_plane():
    """Give a cluster that a test may do anything to."""
    build()
    control_plane = ControlPlane()
    control_plane.start()
    yield control_plane
    control_plane.stop()


@asynccontextmanager
async def requests_to(control_plane):
    """Ask as an administrator, where pools and VMs are known."""
    async with Requests(*control_plane.access) as requests:
        await define_resources(requests)
        yield requests


async def define_resources(requests):
    defined = {each["metadata"]["name"] for each in (await requests.ask("GET", DEFINITIONS))["items"]}
    for definition in crds.definitions():
        name = definition["metadata"]["name"]
        if name not in defined:
            await requests.ask("POST", DEFINITIONS, definition)
            await _established(requests, name)
            await _served(requests, definition["spec"]["names"]["plural"])


async def _established(requests, name):
    async with requests.watch(DEFINITIONS, fieldSelector=f"metadata.name={name}") as events:
        async for event in events:
            conditions = event["object"].get("status", {}).get("conditions") or ()
            if any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
                return


async def _served(requests, plural):
    """Wait until the resource is really watched: what is established is not served everywhere yet."""
    while True:
        try:
            async with requests.watch(
                f"/apis/{GROUP}/{plural}", sendInitialEvents="true", resourceVersionMatch="NotOlderThan"
            ) as events:
                await anext(events)
        except (aiohttp.ClientError, RequestFailed):
            await asyncio.sleep(0.05)
        else:
            return


@pytest.fixture
async def requests(control_plane):
    async with requests_to(control_plane) as requests:
        yield requests


@pytest.fixture
async def namespace(requests):
    """Give an empty namespace."""
    return await Namespace(requests, f"test-{secrets.token_hex(4)}").create()


@pytest.fixture
async def proxy(control_plane):
    """Give a proxy before the API server that passes everything on, until it is told otherwise."""
    async with FaultyProxy(control_plane).serving() as proxy:
        yield proxy


@pytest.fixture
async def serving(control_plane, namespace):
    """Give what makes a backend of the test's namespace that serves until the test ends."""
    async with AsyncExitStack() as stack:

        async def serve(**traits):
            traits = {"kubeconfig": control_plane.kubeconfig(), "namespace": namespace.name, **traits}
            return await stack.enter_async_context(started(backend_with(**traits)))

        yield serve


def backend_with(clock=None, **traits):
    """Make a backend with these options set, as a configuration file would."""
    parent = Configurable(config=Config(KubernetesBackend=traits))
    return KubernetesBackend(clock or SystemClock(), parent)


@asynccontextmanager
async def started(backend):
    await backend.start()
    try:
        yield backend
    finally:
        await backend.stop()
