"""Pools and VMs, each told of by its own stream, as the one story that the port asks for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from vmpool_ext.backends.kubernetes import watch
from vmpool_ext.backends.kubernetes.objects import pool_of, vm_of
from vmpool_ext.broker.ports import Behind, Event, Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from vmpool_ext.backends.kubernetes.errors import ApiError
    from vmpool_ext.backends.kubernetes.watch import News, Reflector
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool

    Told = Callable[[ApiError], Behind]

POOLS, VMS = "vmpools", "vms"


class Picture:
    """What is known of both; it is whole once both have told everything, and neither is away."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self._pools: dict[str, Pool] = {}
        self._vms: dict[str, VirtualMachine] = {}
        self._version = 0
        self._missing = {POOLS, VMS}

    def take_in(self, kind: str, news: News) -> Iterator[Event]:
        """Take in what one of the streams tells, and tell what has changed by it."""
        match news:
            case watch.Away(why):
                self._missing.add(kind)
                yield self._told(why)
            case watch.Everything():
                changes = tuple(self._replaced(kind, news))
                was_whole, self._missing = not self._missing, self._missing - {kind}
                # Whoever had the whole needs to hear only what has changed.
                yield from changes if was_whole else self._whole()
            case watch.Changed(resource):
                yield from self._if_whole(self._pool(pool_of(resource)) if kind == POOLS else self._vm(vm_of(resource)))
            case watch.Deleted(name, version):
                yield from self._if_whole(self._gone(kind, name, version))

    def _whole(self) -> Iterator[Event]:
        if not self._missing:
            yield Listed(tuple(self._pools.values()), tuple(self._vms.values()), self._version)

    def _if_whole(self, changes: Iterable[Event]) -> Iterator[Event]:
        changes = tuple(changes)
        if not self._missing:
            yield from changes

    def _replaced(self, kind: str, everything: watch.Everything) -> Iterator[Event]:
        """Tell how a list differs from what was known, in the order of versions."""
        if kind == POOLS:
            pools = {pool.name: pool for pool in map(pool_of, everything.resources)}
            gone, self._pools = self._pools.keys() - pools.keys(), pools
            yield from (PoolDeleted(name, everything.version) for name in gone)
            yield from map(PoolChanged, pools.values())
            return
        known, self._vms = self._vms, {vm.name: vm for vm in map(vm_of, everything.resources)}
        self._version = everything.version
        new = (vm for vm in self._vms.values() if vm != known.get(vm.name))
        yield from map(VmChanged, sorted(new, key=lambda vm: vm.version))
        yield from (VmDeleted(name, everything.version) for name in known.keys() - self._vms.keys())

    def _pool(self, pool: Pool) -> Iterator[Event]:
        self._pools[pool.name] = pool
        yield PoolChanged(pool)

    def _vm(self, vm: VirtualMachine) -> Iterator[Event]:
        self._vms[vm.name] = vm
        self._version = vm.version
        yield VmChanged(vm)

    def _gone(self, kind: str, name: str, version: int) -> Iterator[Event]:
        if kind == POOLS:
            self._pools.pop(name, None)
            yield PoolDeleted(name, version)
        else:
            self._vms.pop(name, None)
            self._version = version
            yield VmDeleted(name, version)


async def story(reflectors: dict[str, Reflector], told: Told) -> AsyncGenerator[Event, None]:
    """Tell the whole, then what changes, whichever stream tells of it."""
    picture = Picture(told)
    queue: asyncio.Queue[tuple[str, News] | Exception] = asyncio.Queue()
    tasks = [
        asyncio.create_task(_pass_on(kind, reflector, queue), name=f"vmpool watch {kind}")
        for kind, reflector in reflectors.items()
    ]
    try:
        while True:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            for event in picture.take_in(*item):
                yield event
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(kind: str, reflector: Reflector, queue: asyncio.Queue[tuple[str, News] | Exception]) -> None:
    try:
        async for news in reflector.news():
            queue.put_nowait((kind, news))
    except Exception as error:  # noqa: BLE001  # nobody else would hear of it
        queue.put_nowait(error)
