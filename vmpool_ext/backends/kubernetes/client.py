"""Asking an API server: one request, one answer; or a stream of lines."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from aiohttp.connector import NEEDS_CLEANUP_CLOSED

from vmpool_ext.backends.kubernetes.errors import Lost, NotKnown, WrongCredentials, error_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from vmpool_ext.backends.kubernetes.credentials import Access, Credentials
    from vmpool_ext.backends.kubernetes.errors import ApiError

_JSON = "application/json"
_OK = 400
"""The first status that is none of success."""

# What is not in an answer need not be encoded there, nor read here.
_METADATA = f"{_JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{_JSON}"
_MERGE = {"Content-Type": "application/merge-patch+json", "Accept": _METADATA}
# A tenth of the API server's CPU of a write is looking for fields that it does not know, for warnings that nobody reads here.
# What a field may hold is checked all the same.
_UNCHECKED = {"fieldValidation": "Ignore"}
_MAKE = {"Content-Type": _JSON}

_NO_LIMIT = aiohttp.ClientTimeout(total=None)
"""aiohttp's: how long is waited for what is said here. A watch has no end."""

AT_ONCE = 64
"""Requests; more of them only wait for one another at the server (docs/performance.md)."""


class ApiClient:
    """Requests with the credentials' token, told as errors of ours where they fail."""

    def __init__(self, credentials: Credentials, timeout: float) -> None:
        self._credentials = credentials
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._is_closed = False
        self._under_way = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked now; a stream that only tells does not count."""
        return not self._under_way

    async def close(self) -> None:
        """Let go of every connection; whoever asks for something after that is told so."""
        self._is_closed = True
        if self._session:
            await self._session.close()
            self._session = None

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Read."""
        return await self._ask("GET", path, query)

    async def patch(self, path: str, body: Any) -> bytes:
        """Change a part; of what it is then, only the metadata is told."""
        return await self._ask("PATCH", path, _UNCHECKED, body, _MERGE)

    async def post(self, path: str, body: Any) -> bytes:
        """Make anew."""
        return await self._ask("POST", path, None, body, _MAKE)

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[aiohttp.StreamReader]:
        """Read what comes for as long as it comes; whoever reads decides how long to wait."""
        try:
            async with await self._respond("GET", path, params=query) as response:
                yield response.content
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._failed(error) from error

    # Inside.

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        data = None if body is None else msgspec.json.encode(body)
        said = {"params": query, "data": data, "headers": headers}
        async with self._slots:
            self._under_way += 1
            try:
                async with await self._respond(method, path, **said) as response, asyncio.timeout(self._timeout):
                    return await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise self._failed(error) from error
            finally:
                self._under_way -= 1

    async def _respond(self, method: str, path: str, **said: Any) -> aiohttp.ClientResponse:
        """Give the answer, if it is what was asked for.

        A token may have ended a moment ago. Then nothing was done: so credentials are read anew and it is asked again,
        once.
        """
        access = await self._credentials.access()
        try:
            return await self._respond_to(access, method, path, **said)
        except NotKnown:
            await self._credentials.forget(access)
        access = await self._credentials.access()
        try:
            return await self._respond_to(access, method, path, **said)
        except NotKnown:
            await self._credentials.forget(access)
        message = f"The API server does not know who asks (401): the credentials are from {self._credentials.source}."
        raise WrongCredentials(message)

    async def _respond_to(
        self, access: Access, method: str, path: str, *, headers: Mapping[str, str] | None = None, **said: Any
    ) -> aiohttp.ClientResponse:
        headers = {**access.headers, **(headers or {})}
        reach: dict[str, Any] = {"ssl": access.tls, "server_hostname": access.server_name, "proxy": access.proxy}
        async with asyncio.timeout(self._timeout):
            response = await self._open().request(method, access.url + path, headers=headers, **said, **reach)
            if response.status < _OK:
                return response
            async with response:
                raise error_of(response.status, await response.read(), response.headers.get("Retry-After"))

    def _failed(self, error: Exception) -> ApiError:
        """Tell why there is no answer; not in the error's own words, which may have what a proxy was given."""
        source = self._credentials.source
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            why = getattr(error.certificate_error, "verify_message", "") or type(error.certificate_error).__name__
            # It was told nothing, then.
            return WrongCredentials(f"The API server's certificate is not trusted by {source}: {why}.")
        return Lost(f"The API server of {source} does not answer ({type(error).__name__}).")

    def _open(self) -> aiohttp.ClientSession:
        if self._is_closed:
            # Otherwise a watch that is still to be ended would open connections that nobody closes.
            message = "The connections to the API server have been closed."
            raise Lost(message)
        if self._session is None:
            # One connection for each request at once, and those of the two watches. In some versions of Python, TLS
            # connections that are given up in mid-request stay open unless they are closed by force.
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=30,
                enable_cleanup_closed=NEEDS_CLEANUP_CLOSED,
                # The system's own, with its hosts and services, also where somebody else has installed aiodns.
                resolver=aiohttp.ThreadedResolver(),
            )
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=_NO_LIMIT
            )
        return self._session
