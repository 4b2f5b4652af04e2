"""The store for the event loop: one thread does the blocking, and every change is told to every watcher in order."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from vmpool_ext.backends.qemu.holder import Holder
from vmpool_ext.backends.qemu.store import Everything, Store, Stored
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

    from vmpool_ext.backends.qemu.store import Change
    from vmpool_ext.backends.resources import Resource

_T = TypeVar("_T")
_ENDED = "The backend was stopped."


class Ledger:
    """Reads and writes resources while this process holds the store."""

    def __init__(self, directory: Path, serving: str) -> None:
        self._directory = directory
        self._holder = Holder(directory / "store.lock", serving)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vmpool-store")
        self._store: Store | None = None
        self._watchers: set[asyncio.Queue[Stored | None]] = set()
        self._closed = False

    async def open(self) -> None:
        """Take the store, or raise `BackendUnavailable`; may be tried again."""
        await self._in_thread(self._open)

    async def close(self) -> None:
        """End every watch and let the store go; what was begun is finished first."""
        if self._closed:
            return
        try:
            await self._in_thread(self._let_go)
        finally:
            self._closed = True
            self._thread.shutdown(wait=False)
            for queue in self._watchers:
                queue.put_nowait(None)

    async def watch(self) -> AsyncGenerator[Everything | Stored, None]:
        """Give everything, then each change, until the ledger is closed: then `BackendUnavailable`."""
        queue: asyncio.Queue[Stored | None] = asyncio.Queue()
        # Before the reading, so that nothing falls between the two; what the reading has already is left out below.
        self._watchers.add(queue)
        try:
            everything = await self._ask(Store.everything)
            version = everything.version
            yield everything
            del everything  # the watcher's now: it would be held here for as long as is watched
            while (stored := await queue.get()) is not None:
                if stored.version > version:
                    yield stored
        finally:
            self._watchers.discard(queue)
        raise BackendUnavailable(_ENDED)

    async def get(self, kind: str, name: str) -> Stored | None:
        """Give one resource, or None."""
        return await self._ask(partial(Store.get, kind=kind, name=name))

    async def put(self, kind: str, name: str, change: Change) -> Stored:
        """Change a resource or make it: the change is given None then."""
        return await self._write(partial(Store.write, kind=kind, name=name, change=change))

    async def edit(
        self, kind: str, name: str, change: Callable[[Resource], Resource], if_version: int | None = None
    ) -> Stored:
        """Change a resource that there is, if it is still of that version; else `AssignmentConflict`."""

        def existing(resource: Resource | None) -> Resource:
            if resource is None:
                raise AssignmentConflict(name)
            return change(resource)

        return await self._write(partial(Store.write, kind=kind, name=name, change=existing, if_version=if_version))

    async def delete(self, kind: str, name: str, if_version: int | None = None) -> None:
        """Remove a resource, if there is one; with a version, if it is still of that, else `AssignmentConflict`."""
        await self._write(partial(Store.delete, kind=kind, name=name, if_version=if_version))

    async def _ask(self, question: Callable[[Store], _T]) -> _T:
        if self._store is None:
            raise BackendUnavailable(_ENDED)
        return await self._in_thread(partial(question, self._store))

    async def _write(self, write: Callable[[Store], _T]) -> _T:
        # Told from the thread: the order of its calls is the order of versions, and the writer hears it first.
        loop = asyncio.get_running_loop()

        def written(store: Store) -> _T:
            result = write(store)
            if isinstance(result, Stored):
                loop.call_soon_threadsafe(self._tell, result)
            return result

        return await self._ask(written)

    def _tell(self, stored: Stored) -> None:
        for queue in self._watchers:
            queue.put_nowait(stored)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise BackendUnavailable(_ENDED)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._holder.take()
        except OSError as error:
            message = f"The store's directory {self._directory} cannot be used: {error.strerror}."
            raise BackendUnavailable(message) from error
        try:
            # Here, not by who waits for it: that one may have been cancelled, and closing must find it.
            self._store = Store(self._directory / "store.sqlite")
        except BackendUnavailable:
            self._holder.let_go()
            raise

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        self._holder.let_go()
