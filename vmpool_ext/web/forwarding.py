"""Handing everything on to the service of a JupyterHub, which decides: with the token of the server, for its owner.

Nobody else is let through, since it would be done in the owner's name; and nobody else's token is ever handed on: a server is its
owner's, who could keep it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from vmpool_ext._version import __version__
from vmpool_ext.domain.errors import PoolNotFound, VmNotFound
from vmpool_ext.domain.user import User
from vmpool_ext.web.errors import NotYourServer, ServiceUnavailable, VersionsDiffer
from vmpool_ext.web.handlers import Answers, Endpoint
from vmpool_ext.web.json import require_empty
from vmpool_ext.web.jupyter import USER_OF
from vmpool_ext.web.routes import ROUTES
from vmpool_ext.web.sockets import MAX_MESSAGE, Display, Live, Updates
from vmpool_ext.web.versions import VERSION, go_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_server.base.handlers import JupyterHandler
    from tornado.httpclient import HTTPResponse
    from tornado.websocket import WebSocketClientConnection

log = logging.getLogger(__name__)

SERVICE = "vmpool_service"
"""The setting that says what is handed on to."""

_CLIENT = "vmpool_client"
_PASSED_ON = ("Content-Type", "Retry-After", "Cache-Control")
_CONNECTED_WITHIN, _ANSWERED_WITHIN, _REPEATED_AFTER = 5, 60, 30
"""Seconds."""
_AT_ONCE = 64
_STEPS = (".", "..")
"""Names that are none in an address."""
_OWN_CODES = range(4000, 5000)
"""What a socket may be closed with as we mean it (RFC 6455, 7.4.2)."""


@dataclass(frozen=True, slots=True)
class Service:
    """The service, as the hub's administrator has told this server by its environment."""

    url: str
    owner: str
    token: str = field(repr=False)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Service | None:
        """Give the service if there is one; whatever else is missing, it lets nobody through."""
        url = environment.get("VMPOOL_SERVICE_URL", "")
        owner, token = (environment.get(f"JUPYTERHUB_{name}", "") for name in ("USER", "API_TOKEN"))
        return cls(url.rstrip("/"), owner, token) if url else None

    @property
    def settings(self) -> dict[str, Any]:
        """What the handlers find."""
        return {SERVICE: self, USER_OF: self._user_of}

    def request(self, method: str, path: str, **options: Any) -> HTTPRequest:
        """Make a request of the owner's, to a path from the root of the API."""
        said = {"Authorization": f"token {self.token}"}
        return HTTPRequest(
            self.url + path,
            method,
            said,
            connect_timeout=_CONNECTED_WITHIN,
            request_timeout=_ANSWERED_WITHIN,
            **options,
        )

    def _user_of(self, handler: JupyterHandler) -> User:
        if getattr(handler.current_user, "username", None) != self.owner:
            raise NotYourServer(self.owner)
        return User(self.owner)


class Forwarded(Endpoint):
    """An address, as the service answers it."""

    async def pass_on(self, *names: str) -> None:
        """Ask the service the same, and answer the same."""
        service = _service_of(self)
        require_empty(self.request.body)
        body = "" if self.request.method == "POST" else None
        path = _path_of(self, names)
        request = service.request(self.request.method or "GET", path, body=body, follow_redirects=False)
        try:
            answer = await self._client.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise ServiceUnavailable(service.url) from error
        self._answer(answer, service)

    @property
    def _client(self) -> AsyncHTTPClient:
        if _CLIENT not in self.settings:
            # Of its own: the one that all of Jupyter shares lets ten ask at once.
            self.settings[_CLIENT] = AsyncHTTPClient(force_instance=True, max_clients=_AT_ONCE)
        return cast("AsyncHTTPClient", self.settings[_CLIENT])

    def _answer(self, answer: HTTPResponse, service: Service) -> None:
        version = answer.headers.get(VERSION)
        if version is None:
            # Nobody, or a proxy in between that has words of its own.
            raise ServiceUnavailable(service.url)
        if not go_together(version, __version__):
            message = f"{version} there, {__version__} here"
            raise VersionsDiffer(message)
        self.set_status(answer.code)
        for name in _PASSED_ON:
            if name in answer.headers:
                self.set_header(name, answer.headers[name])
        self.finish(answer.body)


class ForwardedSocket(Live):
    """A socket, with the service at its other end."""

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket, if the service opens its own."""
        self.require_own_page()
        self._far = await self._connected(*args)
        try:
            await super().get(*args, **kwargs)
        finally:
            # Also where there was no socket to be had at this end.
            self._far.close()

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to hand on."""
        self.begin()

    async def serve(self, _: User) -> None:
        """Hand on what the service says, and why it has ended."""
        while (message := await self.next_message()) is not None:
            await self.write_message(message, binary=isinstance(message, bytes))
        self.close(self._far.close_code if self._far.close_code in _OWN_CODES else None)

    async def next_message(self) -> str | bytes | None:
        """Give what is to be said next; None where it is over."""
        return await self._far.read_message()

    async def on_message(self, message: str | bytes) -> None:
        """Hand on what the browser says; what it says further waits for it."""
        await self._far.write_message(message, binary=isinstance(message, bytes))

    def query(self) -> str:
        """Give what else stands in the address."""
        return ""

    async def _connected(self, *names: str) -> WebSocketClientConnection:
        service = _service_of(self)
        request = service.request("GET", _path_of(self, names) + self.query())
        request.url = "ws" + request.url.removeprefix("http")
        try:
            return await websocket_connect(request, max_message_size=MAX_MESSAGE)
        except HTTPClientError as error:
            if error.code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
                raise web.HTTPError(error.code) from error
            raise ServiceUnavailable(service.url) from error
        except OSError as error:
            raise ServiceUnavailable(service.url) from error


class ForwardedUpdates(ForwardedSocket, Updates):
    """``WS updates``: a panel that is open keeps nobody's server alive.

    The hub's proxy takes whatever a browser sends for activity, what it answers a ping with too. So there are no pings here; proxies
    that cut what is silent hear the last picture again instead.
    """

    ping_interval = 0
    _last: str | bytes | None = None

    async def next_message(self) -> str | bytes | None:
        """Give the next picture, or the last one again."""
        try:
            async with asyncio.timeout(_REPEATED_AFTER):
                self._last = await self._far.read_message()
        except TimeoutError:
            log.debug("%s: nothing new", self.request.path)
        return self._last


class ForwardedDisplay(ForwardedSocket, Display):
    """``WS vms/{vm}/display``."""

    def query(self) -> str:
        """Hand on the ticket."""
        return f"?ticket={quote(self._ticket, safe='')}"


def _service_of(handler: Answers) -> Service:
    """Give the service to whom it may be handed on: the owner."""
    _ = handler.user
    return cast("Service", handler.settings[SERVICE])


def _path_of(handler: Answers, names: tuple[str, ...]) -> str:
    """Give the address from the root of the API, as it was written; refuse what a proxy would read as another."""
    path = handler.request.path.removeprefix(handler.settings["base_url"].rstrip("/"))
    for name in names:
        if name in _STEPS:
            raise PoolNotFound(name) if "/pools/" in path else VmNotFound(name)
    return path


def _forwarded(handler: type[Answers]) -> type[Answers]:
    """Give the handler that hands on what this one answers."""
    if not handler.may:
        return handler
    if issubclass(handler, Live):
        return {Updates: ForwardedUpdates, Display: ForwardedDisplay}[handler]
    verbs: dict[str, Any] = dict.fromkeys(handler.may, Forwarded.pass_on)
    kept = {name: getattr(handler, name) for name in ("may", "is_activity", "__doc__")}
    return type(handler.__name__, (Forwarded,), kept | verbs)


FORWARDED = tuple((pattern, _forwarded(handler)) for pattern, handler in ROUTES)
