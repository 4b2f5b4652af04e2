"""Operations over HTTP: blocking, and in an event loop.

Each operation has a connection of its own, which ends with it: there is nothing to close, whatever interrupts it, and
no event loop that must live on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeAlias, TypeVar

import httpx

from vmpool_ext.client.answers import body_of, or_unreachable
from vmpool_ext.client.link import Link

if TYPE_CHECKING:
    import ssl

    from vmpool_ext.client.link import Request
    from vmpool_ext.client.server import Server

T = TypeVar("T")
P = ParamSpec("P")
Operation: TypeAlias = Callable[Concatenate[Link, P], Coroutine[Any, Any, T]]

API = "vmpool/api/v1/"
_TIMEOUT = httpx.Timeout(60, connect=10)
"""Seconds; a start may have to wait for others."""


@dataclass(frozen=True)
class Transport:
    """A server, and what its certificate is checked by."""

    server: Server
    trust: ssl.SSLContext = field(repr=False)

    @property
    def options(self) -> dict[str, Any]:
        """What either face of the HTTP library is made with. A token follows no redirection, and meets no proxy at home."""
        return {
            "base_url": self.server.url + API,
            "headers": {"Accept": "application/json", **self.server.headers},
            "timeout": _TIMEOUT,
            "follow_redirects": False,
            "trust_env": not self.server.local,
            "verify": self.trust,
        }


class BlockingTransport(Transport):
    """Does an operation while the caller waits."""

    def do(self, operation: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it, whether or not an event loop runs here."""
        transport = httpx.HTTPTransport(uds=self.server.socket) if self.server.socket else None
        with httpx.Client(transport=transport, **self.options) as http:
            return _without_loop(operation(_BlockingLink(self.server, http), *args, **kwargs))


class AwaitingTransport(Transport):
    """Does an operation in an event loop."""

    async def do(self, operation: Operation[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it."""
        transport = httpx.AsyncHTTPTransport(uds=self.server.socket) if self.server.socket else None
        async with httpx.AsyncClient(transport=transport, **self.options) as http:
            return await operation(_AwaitingLink(self.server, http), *args, **kwargs)


class _Timed:
    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began


class _BlockingLink(_Timed):
    def __init__(self, server: Server, http: httpx.Client) -> None:
        super().__init__()
        self._server = server
        self._http = http

    async def ask(self, request: Request) -> Any:
        with or_unreachable(self._server):
            response = self._http.request(request.method, request.path)
        return body_of(self._server, response)

    async def pause(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251  # blocking is what this one is for


class _AwaitingLink(_Timed):
    def __init__(self, server: Server, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._server = server
        self._http = http

    async def ask(self, request: Request) -> Any:
        with or_unreachable(self._server):
            response = await self._http.request(request.method, request.path)
        return body_of(self._server, response)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _without_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]  # the coroutine's own
    message = "an operation over a blocking link has waited for something else than the link"
    raise RuntimeError(message)
