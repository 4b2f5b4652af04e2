"""Asking an API server: one request, one answer; or a stream of lines."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from aiohttp.connector import NEEDS_CLEANUP_CLOSED

from vmpool_ext.backends.kubernetes.errors import ApiError, Lost, NotAllowed, error_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vmpool_ext.backends.kubernetes.credentials import Access, Credentials

MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_OK = 400
"""The first status that is none of success."""

AT_ONCE = 16
"""Requests; more of them only wait for one another at the server (docs/performance.md)."""


class ApiClient:
    """Requests with the credentials' token, told as errors of ours where they fail."""

    def __init__(self, credentials: Credentials, timeout: float) -> None:
        self._credentials = credentials
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def close(self) -> None:
        """Let go of every connection."""
        if self._session:
            await self._session.close()
            self._session = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Read."""
        return await self._ask("GET", path, query)

    async def patch(self, path: str, body: Any, content_type: str = MERGE_PATCH) -> bytes:
        """Change a part."""
        return await self._ask("PATCH", path, None, body, content_type)

    async def post(self, path: str, body: Any) -> bytes:
        """Make anew."""
        return await self._ask("POST", path, None, body)

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[aiohttp.StreamReader]:
        """Read what comes for as long as it comes; whoever reads decides how long to wait."""
        access = await self._credentials.access()
        wait = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout)
        try:
            # Until it answers; what comes then has no end.
            async with asyncio.timeout(self._timeout):
                response = await self._open().get(
                    access.url + path, params=query, headers=access.headers, timeout=wait, **_reach(access)
                )
            async with response:
                if response.status >= _OK:
                    await self._fail(access, response)
                yield response.content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _lost(error) from error

    # Inside.

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any = None, content_type: str = _JSON
    ) -> bytes:
        async with self._slots:
            try:
                return await self._ask_once(method, path, query, body, content_type)
            except NotAllowed:
                # A token may have ended a moment ago; nothing was done, so asking again does no harm.
                return await self._ask_once(method, path, query, body, content_type)

    async def _ask_once(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any, content_type: str
    ) -> bytes:
        access = await self._credentials.access()
        headers = {**access.headers, "Content-Type": content_type}
        data = None if body is None else msgspec.json.encode(body)
        try:
            async with self._open().request(
                method,
                access.url + path,
                params=query,
                data=data,
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                **_reach(access),
            ) as response:
                if response.status >= _OK:
                    await self._fail(access, response)
                return await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _lost(error) from error

    async def _fail(self, access: Access, response: aiohttp.ClientResponse) -> None:
        error = error_of(response.status, await response.read(), response.headers.get("Retry-After"))
        if isinstance(error, NotAllowed):
            await self._credentials.forget(access)
        raise error

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # One connection for each request at once, and those of the two watches. In some versions of Python, TLS
            # connections that are given up in mid-request stay open unless they are closed by force.
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=30, enable_cleanup_closed=NEEDS_CLEANUP_CLOSED)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _reach(access: Access) -> dict[str, Any]:
    return {"ssl": access.tls, "server_hostname": access.server_name, "proxy": access.proxy}


def _lost(error: Exception) -> ApiError:
    # Not the error's own words: they may have the address, and with it what a proxy was given.
    return Lost(f"The API server does not answer ({type(error).__name__}).")
