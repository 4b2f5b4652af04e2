"""One collection kept up: everything, then every change, for as long as there is a server to tell of it.

A stream that ends, as every one does after some minutes, goes on from where it was. Where it cannot, everything is read
anew: the server has forgotten what happened since (410), or was away, or has been silent. A quiet cluster and a dead line
look alike: so after some quiet the server is asked whether it is there, and a line that brings nothing at all, not even
the bookmarks that come every minute, is given up.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec

from vmpool_ext.backends.kubernetes import objects
from vmpool_ext.backends.kubernetes.backoff import SPREAD, Backoff
from vmpool_ext.backends.kubernetes.errors import ApiError, Expired, Invalid, Lost, error_of
from vmpool_ext.backends.kubernetes.lines import Lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from vmpool_ext.backends.kubernetes.client import ApiClient

log = logging.getLogger(__name__)

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
PAGE = 500
_BREATHE_EVERY = 50
"""Objects: others have their turn in between."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long, in seconds, the parts of a watch may take."""

    quiet: float = 10
    """Without any word, until the server is asked whether it is there."""
    silent: float = 95
    """Without any word, until the stream is given up; bookmarks come every minute."""
    stream: float = 270
    """Until the server ends a stream in good order."""
    resync: float = 600
    """Until everything is read anew, whatever was told: a server that was set back tells nothing."""


class Versioned(Protocol):
    """What is read of an object: at least which it is, and as of when."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def version(self) -> int:
        """Its version."""


T = TypeVar("T", bound=Versioned)
T_co = TypeVar("T_co", bound=Versioned, covariant=True)


@dataclass(frozen=True, slots=True)
class Everything(Generic[T_co]):
    """All that there is, as of this version."""

    objects: tuple[T_co, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Changed(Generic[T_co]):
    """One was added or changed."""

    object: T_co


@dataclass(frozen=True, slots=True)
class Deleted:
    """One is gone."""

    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Away:
    """The server does not tell any more; everything follows as soon as it does."""

    why: ApiError


News = Everything[T] | Changed[T] | Deleted | Away


class _WatchEvent(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _ListMetadata(msgspec.Struct, rename="camel"):
    resource_version: str
    continue_: str = msgspec.field(default="", name="continue")


class _List(msgspec.Struct):
    metadata: _ListMetadata
    items: list[msgspec.Raw]


_EVENTS = msgspec.json.Decoder(_WatchEvent)
_LISTS = msgspec.json.Decoder(_List)


class Reflector(Generic[T]):
    """Tells of one collection of one namespace; or of that of it which a selector selects.

    Each object is read as it comes, so that others have their turn in between however many there are.
    """

    def __init__(
        self,
        client: ApiClient,
        path: str,
        read: Callable[[bytes | msgspec.Raw], T],
        patience: Patience | None = None,
        selector: str = "",
    ) -> None:
        self._client = client
        self._path = path
        self._read = read
        self._patience = patience or Patience()
        self._of = {"fieldSelector": selector} if selector else {}
        self._streams_lists = True
        self._version = ""
        """From which on a stream goes on; none, before everything is known."""
        self._is_reached = False

    async def news(self) -> AsyncGenerator[News[T], None]:
        """Tell for ever."""
        backoff = Backoff()
        while True:
            try:
                async for each in self._everything_then_changes():
                    backoff.reset()
                    yield each
            except Expired:
                log.info("%s: what happened is not known any more: reading everything", self._path)
            except ApiError as error:
                log.warning("%s: %s", self._path, error)
                yield Away(error)
                await asyncio.sleep(max(error.retry_after, backoff.next()))

    # Inside.

    async def _everything_then_changes(self) -> AsyncGenerator[News[T], None]:
        """Tell all, then what changes, until it is time to read everything anew."""
        loop = asyncio.get_running_loop()
        again_at = loop.time() + self._patience.resync * SPREAD.uniform(1, 1.2)  # so that not all ask at once
        self._version = ""
        try:
            async for each in self._listed():
                yield each
        except Lost:
            if not self._version:
                raise
        pause = Backoff()
        while loop.time() < again_at:
            self._is_reached = False
            try:
                async for each in self._changes():
                    pause.reset()
                    yield each
            except Lost as error:
                # A line may break while the server is well: only where it cannot be had again, somebody is told.
                if not self._is_reached:
                    raise
                log.info("%s: %s: going on from version %s", self._path, error, self._version)
                await asyncio.sleep(pause.next())

    async def _listed(self) -> AsyncGenerator[News[T], None]:
        """Tell all, by a stream where the server can do that, and go on with it; else page by page."""
        if self._streams_lists:
            try:
                async for each in self._streamed_list():
                    yield each
            except Invalid:
                log.info("%s: the server does not stream lists: reading pages", self._path)
                self._streams_lists = False
        if not self._streams_lists:
            yield await self._paged_list()

    async def _streamed_list(self) -> AsyncGenerator[News[T], None]:
        query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        found: list[T] | None = []
        async for event in self._stream(query):
            if found is None:
                if news := self._news_of(event):
                    yield news
            elif event.type == "BOOKMARK" and _ends_initial_events(bookmark := objects.decode(event.object)):
                self._note_bookmark(bookmark)
                yield Everything(tuple(found), objects.version_of(bookmark))
                found = None
            elif event.type == "ADDED":
                found.append(self._read(event.object))
            else:
                self._news_of(event)
        if found is not None:
            message = "The API server ended a list before its end."
            raise Lost(message)

    async def _paged_list(self) -> Everything[T]:
        """Read a consistent list: one whose continuation has expired is begun anew by whoever hears of it."""
        found: list[T] = []
        query = {"limit": str(PAGE), **self._of}
        while True:
            page = _LISTS.decode(await self._client.get(self._path, query))
            found.extend(map(self._read, page.items))
            if not page.metadata.continue_:
                self._version = page.metadata.resource_version
                return Everything(tuple(found), int(self._version))
            query = {**query, "continue": page.metadata.continue_}

    async def _changes(self) -> AsyncGenerator[News[T], None]:
        """Tell what changes from where it was, until the stream ends."""
        async for event in self._stream({"resourceVersion": self._version}):
            if news := self._news_of(event):
                yield news

    async def _stream(self, query: Mapping[str, str]) -> AsyncGenerator[_WatchEvent, None]:
        last = self._patience.stream * SPREAD.uniform(0.9, 1.1)  # so that not all end at once
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(max(1, round(last))),
            **self._of,
            **query,
        }
        async with self._client.stream(self._path, query) as content:
            self._is_reached = True
            lines = Lines(content, self._patience.quiet, self._patience.silent, self._ask_whether_there)
            count = 0
            async for line in lines.each():
                yield _EVENTS.decode(line)
                count += 1
                if count % _BREATHE_EVERY == 0:
                    await asyncio.sleep(0)

    async def _ask_whether_there(self) -> None:
        await self._client.get(self._path, {"limit": "1"})

    def _news_of(self, event: _WatchEvent) -> News[T] | None:
        """Read an event; a bookmark only moves the place from which the next stream goes on."""
        if event.type == "ERROR":
            raise _error_in(event.object)
        if event.type == "BOOKMARK":
            self._note_bookmark(objects.decode(event.object))
            return None
        found = self._read(event.object)
        self._version = str(found.version)
        return Deleted(found.name, found.version) if event.type == "DELETED" else Changed(found)

    def _note_bookmark(self, bookmark: Mapping[str, Any]) -> None:
        self._version = bookmark["metadata"]["resourceVersion"]


def _ends_initial_events(bookmark: Mapping[str, Any]) -> bool:
    return bool(bookmark["metadata"].get("annotations", {}).get(INITIAL_EVENTS_END) == "true")


def _error_in(said: msgspec.Raw) -> ApiError:
    status = objects.decode(said)
    return error_of(int(status.get("code") or 0), bytes(said))
