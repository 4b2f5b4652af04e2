"""A cluster, and a backend that reaches it through a proxy that fails as it is told."""

import pytest

from tests.backends.contract import watching
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import *  # noqa: F403  # a cluster and what a test does with it


@pytest.fixture
async def defined(namespace):
    """Give the namespace with a pool of three VMs that nobody runs."""
    await namespace.post("vmpools", a_pool("demo", permissions=[{"role": "student", "may": ["*"]}]))
    for number in range(1, 4):
        await namespace.post("vms", a_vm(f"demo-{number}"))
    return namespace


@pytest.fixture
async def backend(serving, control_plane, proxy, defined):
    """Give a backend that waits for answers no longer than a test would like to."""
    return await serving(kubeconfig=control_plane.kubeconfig(server=proxy.url), request_timeout=2)


@pytest.fixture
async def seen(backend):
    async with watching(backend) as seen:
        yield seen
