"""The reference backend keeps the contract."""

import pytest

from tests.backends.contract import BackendContract, ResetButtonContract, watching
from tests.builders import a_pool, a_vm
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.broker.ports import PoolDeleted, VmDeleted
from vmpool_ext.domain.errors import BackendUnavailable
from vmpool_ext.domain.machine import MachineState, RequestedState


@pytest.fixture
async def backend(clock):
    backend = MemoryBackend(
        clock, [a_pool("demo", login_on_assignment=True)], [a_vm("demo-1", pool="demo"), a_vm("demo-2", pool="demo")]
    )
    await backend.start()
    yield backend
    await backend.stop()


@pytest.fixture
def look():
    async def look(display, offer):
        assert offer.password

    return look


@pytest.fixture
def greeting():
    return b"", b"RFB 003.00"


class TestMemoryBackend(BackendContract, ResetButtonContract):
    pass


async def test_what_was_deleted_is_told(backend):
    async with watching(backend) as seen:
        backend.delete_vm("demo-2")
        backend.delete_pool("demo")

        assert isinstance(await seen.next(), VmDeleted)
        assert isinstance(await seen.next(), PoolDeleted)


async def test_a_killed_machine_is_told_with_a_reason(backend):
    async with watching(backend) as seen:
        await backend.request_state(await seen.vm("demo-1"), RequestedState.RUNNING)
        await seen.vm("demo-1", lambda vm: vm.booted)

        backend.crash("demo-1")

        failed = await seen.vm("demo-1", lambda vm: not vm.running)
        assert failed.state is MachineState.FAILED
        assert failed.running.message


async def test_a_lost_connection_ends_the_watch_with_an_error(backend):
    async with watching(backend) as seen:
        backend.disconnect_watchers()

        with pytest.raises(BackendUnavailable):
            await seen.next()
