"""Pools and VMs to measure on: the same in memory and in SQLite.

The VMs run, so that a start is one write; no QEMU does, so that what is measured is the broker and the store.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

from benchmarks.timing import settle
from vmpool_ext.backends import resources
from vmpool_ext.backends.memory import MemoryBackend
from vmpool_ext.backends.qemu import happenings
from vmpool_ext.backends.qemu.backend import QemuBackend
from vmpool_ext.backends.qemu.definitions import applied
from vmpool_ext.backends.qemu.fleet import Fleet
from vmpool_ext.backends.qemu.guest_image import default_cache
from vmpool_ext.backends.qemu.ledger import Ledger
from vmpool_ext.backends.qemu.store import Store
from vmpool_ext.backends.resources import POOL_KIND, VM_KIND
from vmpool_ext.broker.broker import PoolBroker
from vmpool_ext.broker.clock import SystemClock
from vmpool_ext.domain.assignment import warm_first
from vmpool_ext.domain.machine import Assignment, RequestedState
from vmpool_ext.domain.user import User

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from contextlib import AbstractAsyncContextManager

    from vmpool_ext.backends.resources import Resource
    from vmpool_ext.broker.candidates import Prefer
    from vmpool_ext.broker.ports import Backend

ROLE = "student"
CLOCK = SystemClock()


def a_user(number: int) -> User:
    """Make one of those who may use every pool."""
    return User(f"user{number}", frozenset({ROLE}))


def pool_name(number: int) -> str:
    """Name a pool."""
    return f"pool-{number}"


def vm_name(number: int) -> str:
    """Name a VM."""
    return f"vm-{number}"


class BareStore(Protocol):
    """What a store does for an assignment, and nothing else: a write on condition that nobody wrote in between."""

    async def assign(self, number: int) -> None:
        """Write an assignment."""

    async def release(self, number: int) -> None:
        """Take it away."""


class Field(Protocol):
    """Pools and VMs in some store; every backend and bare store has them for itself."""

    store: str

    def backend(self) -> AbstractAsyncContextManager[Backend]:
        """Give a backend that serves them."""

    def bare(self) -> AbstractAsyncContextManager[BareStore]:
        """Give the store without what is above it."""


class MemoryField:
    """In the reference backend."""

    store = "memory"

    def __init__(self, vms: int, pools: int = 1) -> None:
        self.pools = [resources.pool_from_resource(each, 0) for each in _pools(pools)]
        self.vms = [resources.vm_from_resource(each, 0) for each in _vms(vms, pools)]

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[MemoryBackend]:
        """Give a backend that serves them."""
        yield MemoryBackend(CLOCK, self.pools, self.vms)

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[BareStore]:
        """Give the store without what is above it."""
        async with self.backend() as backend:
            yield _BareMemory(backend)


class SqliteField:
    """In a database on the disk where the user's own would be, with `synchronous = FULL`."""

    store = "SQLite"

    def __init__(self, vms: int, pools: int = 1) -> None:
        self._resources = [*_pools(pools), *_vms(vms, pools)]

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[QemuBackend]:
        """Give a backend that serves them."""
        with a_directory() as directory:
            self.fill(directory)
            backend = Unfollowed(CLOCK)
            backend.state_dir = str(directory)
            await backend.start()
            yield backend
            await backend.stop()

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[BareStore]:
        """Give the store without what is above it."""
        with a_directory() as directory:
            self.fill(directory)
            ledger = Ledger(directory, "benchmarks")
            await ledger.open()
            bare = _BareSqlite(ledger)
            await bare.know(len(self._resources))
            yield bare
            await ledger.close()

    def fill(self, directory: Path) -> None:
        """Write everything there."""
        store = Store(directory / "store.sqlite")
        for each in self._resources:
            store.write(each["kind"], each["metadata"]["name"], partial(_as_it_is, each))
        store.close()


class Unfollowed(QemuBackend):
    """The backend of one machine, but for the followers of its VMs: what is requested is written, and stays so."""

    async def _begin(self, ledger: Ledger) -> bool:
        await ledger.open()
        # Never begun.
        self._fleet = Fleet(ledger, CLOCK, self._settings())
        return True


class _BareMemory:
    def __init__(self, backend: MemoryBackend) -> None:
        self._backend = backend

    async def assign(self, number: int) -> None:
        await self._backend.assign(self._backend.vm(vm_name(number)), _assignment(number))

    async def release(self, number: int) -> None:
        await self._backend.release(self._backend.vm(vm_name(number)))


class _BareSqlite:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._versions: dict[int, int] = {}

    async def assign(self, number: int) -> None:
        await self._write(number, _assignment(number))

    async def release(self, number: int) -> None:
        await self._write(number, None)

    async def _write(self, number: int, assignment: Assignment | None) -> None:
        def change(vm: Resource) -> Resource:
            return {**vm, "status": resources.with_assignment(vm["status"], assignment)}

        stored = await self._ledger.edit(VM_KIND, vm_name(number), change, self._versions[number])
        self._versions[number] = stored.version

    async def know(self, vms: int) -> None:
        """Read the versions that the conditions name."""
        for number in range(vms):
            stored = await self._ledger.get(VM_KIND, vm_name(number))
            self._versions[number] = stored.version if stored else 0


@asynccontextmanager
async def following(backend: Backend, prefer: Prefer = warm_first) -> AsyncIterator[PoolBroker]:
    """Give a broker that has its picture."""
    broker = PoolBroker(backend, CLOCK, prefer)
    running = asyncio.create_task(broker.run())
    await broker.drawn()
    # The picture is drawn to the end when somebody first looks at it: not a part of any start.
    broker.overview(a_user(0))
    await settle()
    yield broker
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@contextmanager
def a_directory() -> Iterator[Path]:
    """Give a new directory on a disk, where syncing costs what it costs the user."""
    default_cache().parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="bench-", dir=default_cache().parent) as name:
        yield Path(name)


def _as_it_is(resource: Resource, _: Resource | None) -> Resource:
    return resource


def _assignment(number: int) -> Assignment:
    return Assignment(pool_name(0), a_user(number).name, CLOCK.now())


def _pools(number: int) -> list[Resource]:
    may = [{"role": ROLE, "may": ["*"]}]
    return [_resource(POOL_KIND, pool_name(each), permissions=may) for each in range(number)]


def _vms(number: int, pools: int) -> list[Resource]:
    return [_running(vm_name(each), pool_name(each % pools)) for each in range(number)]


def _running(name: str, pool: str) -> Resource:
    """Give a VM as it is in the store when its machine runs and its guest is up."""
    hardware = {"maximumCpus": 1, "maximumRam": "128Mi", "powerdownTimeout": 30, "state": RequestedState.RUNNING.value}
    vm = applied(None, _resource(VM_KIND, name, pools=[pool], vm=hardware), CLOCK.now())
    return happenings.booted(happenings.running(vm, CLOCK.now(), "qemu"), CLOCK.now())


def _resource(kind: str, name: str, **spec: Any) -> Resource:
    return {"apiVersion": "vmoperator.jdrupes.org/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}
