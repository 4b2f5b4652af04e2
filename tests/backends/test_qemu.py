"""Real QEMU VMs keep the contract."""

import pytest

from tests.backends.contract import BackendContract, ResetButtonContract
from tests.backends.qemu import viewer
from tests.backends.qemu.conftest import *  # noqa: F403  # the fixtures of real machines
from tests.backends.qemu.definitions import a_pool_resource, a_vm_resource


@pytest.fixture
async def backend(serving):
    async with serving() as backend:
        await backend.apply(a_pool_resource("demo", loginOnAssignment=True))
        await backend.apply(a_vm_resource("demo-1"))
        await backend.apply(a_vm_resource("demo-2"))
        yield backend


@pytest.fixture
def look():
    return viewer.look


@pytest.fixture
def greeting():
    return b"", b"RFB 003.00"


class TestQemuBackend(BackendContract, ResetButtonContract):
    pass
