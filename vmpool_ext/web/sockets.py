"""What is told over sockets, whoever lets people in: a gate that a root names."""

from __future__ import annotations

import asyncio
import json
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from tornado import web, websocket

from vmpool_ext.web.handlers import Answers
from vmpool_ext.web.relay import NOT_YOURS, TICKET_NOT_GOOD, Relay

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from vmpool_ext.domain.user import User

log = logging.getLogger(__name__)

MAX_MESSAGE = 1024 * 1024
"""Bytes in one message of a console's socket: no display protocol's client sends more at once."""
BINARY = "binary"
"""The subprotocol that spice-html5 asks for; a browser ends a socket whose server does not agree to it."""


class Live(websocket.WebSocketHandler, Answers):
    """Base of the sockets: one task for as long as the socket is open, and another where the user becomes another."""

    _task: asyncio.Task[None] | None = None

    if TYPE_CHECKING:
        # The gate has these.
        def is_own_page(self) -> bool:
            """Whether no page asks, or one of the server's own."""

        async def another(self, user: User) -> User | None:
            """Return when the one who opened the socket has become another: other roles, or None, whom nobody lets in."""

    def require_own_page(self) -> None:
        """Refuse, in the one shape, what Tornado would refuse in words of its own."""
        if not self._is_asked_for_a_socket():
            raise web.HTTPError(HTTPStatus.BAD_REQUEST)
        if not self.is_own_page():
            raise web.HTTPError(HTTPStatus.FORBIDDEN)

    def _is_asked_for_a_socket(self) -> bool:
        headers = self.request.headers
        wants = {each.strip().lower() for each in headers.get("Connection", "").split(",")}
        upgrades = headers.get("Upgrade", "").lower() == "websocket" and "upgrade" in wants
        return upgrades and "Sec-WebSocket-Key" in headers

    def begin(self) -> None:
        """Serve the socket in a task that ends with it."""
        self.set_nodelay(True)
        self._task = asyncio.create_task(self._serve_and_close(), name=self.request.path)

    async def serve(self, user: User) -> None:
        """Talk to the other end until there is nothing more to say."""
        raise NotImplementedError

    async def go_on(self, user: User) -> None:
        """Talk on to the same person, who may do other things now."""
        await self.serve(user)

    async def _serve_and_close(self) -> None:
        try:
            await self._serve()
        except websocket.WebSocketClosedError:
            log.debug("%s: the other end has left", self.request.path)
        except Exception:
            log.exception("%s failed", self.request.path)
        finally:
            self.close()

    async def _serve(self) -> None:
        user, serve = self.user, self.serve
        while serving := await self._until_another(user, serve(user)):
            user, serve = serving, self.go_on

    async def _until_another(self, user: User, serving: Coroutine[Any, Any, None]) -> User | None:
        """Serve; give whom to serve next, or None where it is over."""
        talking = asyncio.create_task(serving)
        changing = asyncio.create_task(self.another(user))
        try:
            await asyncio.wait({talking, changing}, return_when=asyncio.FIRST_COMPLETED)
            if talking.done():
                talking.result()
                return None
            if (another := changing.result()) is None:
                self.close(NOT_YOURS)
            return another
        finally:
            talking.cancel()
            changing.cancel()
            await asyncio.gather(talking, changing, return_exceptions=True)

    def on_close(self) -> None:
        """End the task."""
        super().on_close()
        if self._task:
            self._task.cancel()


class Updates(Live):
    """``WS updates``."""

    may: ClassVar = {"get": "read"}

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket."""
        self.require_own_page()
        await super().get(*args, **kwargs)

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to tell."""
        self.begin()

    async def serve(self, user: User) -> None:
        """Send the user's whole picture, again at every change."""
        async for picture in self.endpoints.updates(user):
            await self.write_message(json.dumps(picture))

    async def on_message(self, message: str | bytes) -> None:
        """Hear nothing: all acts are requests of their own."""


class Display(Live):
    """``WS vms/{vm}/display``."""

    may: ClassVar = {"get": "execute"}

    def initialize(self) -> None:
        """Keep the ticket out of the access log, which writes the address that the request has when it ends."""
        *_, ticket = self.request.query_arguments.get("ticket", [b""])
        self._ticket = ticket.decode("ascii", "replace")
        self.request.uri = self.request.path

    @property
    def max_message_size(self) -> int:
        """Bytes that one message may have."""
        return MAX_MESSAGE

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """Agree to bytes, which is what there is, where somebody asks."""
        return BINARY if BINARY in subprotocols else None

    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket; whether the ticket is good is told by the code that it is closed with."""
        self.require_own_page()
        await super().get(*args, **kwargs)

    def open(self, vm: str) -> None:
        """Begin to relay."""
        user = self.user
        self._relay = Relay(lambda: self.endpoints.display(user, vm, self._ticket), self)
        self.begin()

    async def serve(self, _: User) -> None:
        """Relay."""
        await self._relay.run()

    async def go_on(self, _: User) -> None:
        """End: whether they may look now is found out where a ticket is asked for."""
        self.leave(TICKET_NOT_GOOD)

    async def on_message(self, message: str | bytes) -> None:
        """Hand on what the browser sent; what it sends further waits until the display has taken it."""
        await self._relay.receive(message.encode() if isinstance(message, str) else message)

    async def send(self, data: bytes) -> None:
        """Send to the browser."""
        await self.write_message(data, binary=True)

    def leave(self, code: int) -> None:
        """Close the browser's end."""
        self.close(code)
