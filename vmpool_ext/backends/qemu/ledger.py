"""The store for the event loop: one thread does the blocking, and every change is told to every watcher in order."""

from __future__ import annotations

import asyncio
import logging
import shlex
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from vmpool_ext.backends.qemu.holder import Holder
from vmpool_ext.backends.qemu.places import make_private
from vmpool_ext.backends.qemu.store import Everything, Store, Stored
from vmpool_ext.backends.qemu.watcher import ENDED, Unwritten, Watcher
from vmpool_ext.domain.errors import AssignmentConflict, BackendUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable
    from pathlib import Path

    from vmpool_ext.backends.qemu.store import Change, ChangeOrRemoval
    from vmpool_ext.backends.resources import Resource

_T = TypeVar("_T")

_log = logging.getLogger(__name__)
_RETRY_EVERY = 1


class Ledger:
    """Reads and writes resources while this process holds the store."""

    def __init__(self, directory: Path, serving: str) -> None:
        self._directory = directory
        self._holder = Holder(directory / "store.lock", serving)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vmpool-store")
        self._store: Store | None = None
        self._watchers: set[Watcher] = set()
        self._in_turn = asyncio.Lock()
        self._to_write = 0
        self._unwritten: Unwritten | None = None
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
            for watcher in self._watchers:
                watcher.end()

    async def watch(self) -> AsyncGenerator[Everything | Stored | Unwritten, None]:
        """Give everything, then what changes, until the ledger is closed: then `BackendUnavailable`.

        `Unwritten` when happenings wait to be written, and everything anew when they are.
        """
        watcher = Watcher()
        if self._unwritten:
            watcher.tell_whether(self._unwritten)
        # Before the reading, so that nothing falls between the two; what the reading has already is left out below.
        self._watchers.add(watcher)
        try:
            while True:
                everything = await self._ask(Store.everything)
                version = everything.version
                yield everything
                del everything  # the watcher's now: it would be held here for as long as is watched
                while (news := await watcher.next()) is not None:
                    if isinstance(news, Unwritten) or news.version > version:
                        yield news
        finally:
            self._watchers.discard(watcher)

    async def get(self, kind: str, name: str) -> Stored | None:
        """Give one resource, or None."""
        return await self._ask(partial(Store.get, kind=kind, name=name))

    async def everything(self) -> Everything:
        """Give all resources."""
        return await self._ask(Store.everything)

    async def write_all(self, changes: Iterable[tuple[str, str, ChangeOrRemoval]]) -> None:
        """Change several resources or none, as `Store.write_all` does."""
        await self._write(partial(Store.write_all, changes=changes))

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

    async def write_down(self, kind: str, name: str, happening: Callable[[Resource], Resource]) -> None:
        """Edit until it is written: what has happened stays true while the disk is full. The watchers are told.

        One after the other: what came later must not be overwritten by what came before it and waited for the disk,
        and who waits must not keep the thread from who reads. A resource that is gone took its story with it.
        """
        self._to_write += 1
        try:
            async with self._in_turn:
                with suppress(AssignmentConflict):
                    await self._edit_until_written(kind, name, happening)
        finally:
            self._to_write -= 1
            if not self._to_write:
                self._note_whether(None)

    async def delete(self, kind: str, name: str, if_version: int | None = None) -> None:
        """Remove a resource, if there is one; with a version, if it is still of that, else `AssignmentConflict`."""
        await self._write(partial(Store.delete, kind=kind, name=name, if_version=if_version))

    async def _edit_until_written(self, kind: str, name: str, change: Callable[[Resource], Resource]) -> None:
        while True:
            try:
                await self.edit(kind, name, change)
            except BackendUnavailable as error:
                self._note_whether(Unwritten(str(error)))
                await asyncio.sleep(_RETRY_EVERY)
            else:
                return

    def _note_whether(self, unwritten: Unwritten | None) -> None:
        if unwritten == self._unwritten:
            return
        self._unwritten = unwritten
        _log.warning("what happens to the VMs: %s", unwritten.why if unwritten else "all of it is written again")
        for watcher in self._watchers:
            watcher.tell_whether(unwritten)

    async def _ask(self, question: Callable[[Store], _T]) -> _T:
        if self._store is None:
            raise BackendUnavailable(ENDED)
        return await self._in_thread(partial(question, self._store))

    async def _write(self, write: Callable[[Store], _T]) -> _T:
        # Told from the thread: the order of its calls is the order of versions, and the writer hears it first.
        loop = asyncio.get_running_loop()

        def written(store: Store) -> _T:
            result = write(store)
            for stored in result if isinstance(result, list) else [result]:
                if isinstance(stored, Stored):
                    loop.call_soon_threadsafe(self._tell, stored)
            return result

        return await self._ask(written)

    def _tell(self, stored: Stored) -> None:
        for watcher in self._watchers:
            watcher.tell(stored)

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        if self._closed:
            raise BackendUnavailable(ENDED)
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _open(self) -> None:
        try:
            make_private(self._directory)
            _require_own(self._directory)
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


def _require_own(directory: Path) -> None:
    """Refuse a directory in which others could put another store, or take this one away."""
    if directory.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        command = f"chmod 700 {shlex.quote(str(directory))}"
        message = f"Others can write in {directory}, and so decide whose VM is whose. Run: {command}"
        raise BackendUnavailable(message)
