"""Pools and VMs, each told of by its own stream, as the one story that the port asks for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic

from vmpool_ext.backends.kubernetes import watch
from vmpool_ext.backends.kubernetes.watch import T
from vmpool_ext.broker.ports import Behind, Event, Listed, PoolChanged, PoolDeleted, VmChanged, VmDeleted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from vmpool_ext.backends.kubernetes.errors import ApiError
    from vmpool_ext.backends.kubernetes.watch import News, Reflector
    from vmpool_ext.domain.machine import VirtualMachine
    from vmpool_ext.domain.pool import Pool

    Told = Callable[[ApiError], Behind]


class Collection(Generic[T]):
    """What is known of one kind of objects, and how it is told that one has changed or is gone."""

    def __init__(self, changed: Callable[[T], Event], deleted: Callable[[str, int], Event]) -> None:
        self._changed = changed
        self._deleted = deleted
        self.objects: dict[str, T] = {}
        self.version = 0
        self.is_known = False
        """Whether everything has been told, and every change since."""

    def replace(self, everything: watch.Everything[T]) -> list[Event]:
        """Take in a list; tell how it differs from what was known, in the order of versions."""
        known, self.objects = self.objects, {each.name: each for each in everything.objects}
        self.version, self.is_known = everything.version, True
        new = sorted(
            (each for each in everything.objects if each != known.get(each.name)), key=lambda each: each.version
        )
        gone = known.keys() - self.objects.keys()
        return [*map(self._changed, new), *(self._deleted(name, everything.version) for name in gone)]

    def change(self, one: T) -> Event:
        """Take in one that was added or changed."""
        self.objects[one.name], self.version = one, one.version
        return self._changed(one)

    def delete(self, name: str, version: int) -> Event:
        """Forget one."""
        self.objects.pop(name, None)
        self.version = version
        return self._deleted(name, version)


class Picture:
    """What is known of both kinds; it is whole while both are known."""

    def __init__(self, told: Told) -> None:
        self._told = told
        self.pools: Collection[Pool] = Collection(PoolChanged, PoolDeleted)
        self.vms: Collection[VirtualMachine] = Collection(VmChanged, VmDeleted)

    @property
    def _is_whole(self) -> bool:
        return self.pools.is_known and self.vms.is_known

    def take_in(self, collection: Collection[T], news: News[T]) -> Iterator[Event]:
        """Take in what one of the streams tells, and tell what has changed by it."""
        was_whole = self._is_whole
        match news:
            case watch.Away(why):
                collection.is_known = False
                yield self._told(why)
            case watch.Everything():
                changes = collection.replace(news)
                # Whoever had the whole needs to hear only what has changed.
                yield from changes if was_whole else self._whole()
            case watch.Changed(one):
                yield from self._if_whole(collection.change(one))
            case watch.Deleted(name, version):
                yield from self._if_whole(collection.delete(name, version))

    def _whole(self) -> Iterator[Event]:
        if self._is_whole:
            yield Listed(tuple(self.pools.objects.values()), tuple(self.vms.objects.values()), self.vms.version)

    def _if_whole(self, change: Event) -> Iterator[Event]:
        if self._is_whole:
            yield change


async def story(pools: Reflector[Pool], vms: Reflector[VirtualMachine], told: Told) -> AsyncGenerator[Event, None]:
    """Tell the whole, then what changes, whichever stream tells of it."""
    picture = Picture(told)
    queue: asyncio.Queue[tuple[Collection[Any], News[Any]] | Exception] = asyncio.Queue()
    tasks = [
        asyncio.create_task(_pass_on(picture.pools, pools, queue), name="vmpool watch pools"),
        asyncio.create_task(_pass_on(picture.vms, vms, queue), name="vmpool watch vms"),
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


async def _pass_on(
    collection: Collection[T],
    reflector: Reflector[T],
    queue: asyncio.Queue[tuple[Collection[Any], News[Any]] | Exception],
) -> None:
    try:
        async for news in reflector.news():
            queue.put_nowait((collection, news))
    except Exception as error:  # noqa: BLE001  # nobody else would hear of it
        queue.put_nowait(error)
