"""A real API server, beside VM-Operator played, keeps the contract."""

import pytest

from tests.backends.contract import BackendContract
from tests.cluster.definitions import a_pool, a_vm
from tests.cluster.fixtures import *  # noqa: F403  # a cluster and what a test does with it
from tests.cluster.ports import free_ports
from tests.cluster.runner import GREETING, PlayedOperator


@pytest.fixture
async def backend(serving, namespace):
    await namespace.post("vmpools", a_pool("demo", loginOnAssignment=True))
    for number, port in enumerate(free_ports(2), start=1):
        await namespace.post("vms", a_vm(f"demo-{number}", port=port))
    async with PlayedOperator(namespace):
        yield await serving()


@pytest.fixture
def look():
    async def look(display, offer):
        assert offer.password
        assert offer.address.host == "127.0.0.1"

    return look


@pytest.fixture
def greeting():
    return GREETING, GREETING


class TestKubernetesBackend(BackendContract):
    pass
