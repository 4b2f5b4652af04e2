"""The endpoints on Jupyter Server's handlers: authenticated and authorized by it, for the user whom the root names."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web, websocket

from vmpool_ext.domain.errors import VmPoolError
from vmpool_ext.web.contract import CONTRACT, MEDIA_TYPE
from vmpool_ext.web.errors import body_of, retry_after, status_of
from vmpool_ext.web.json import require_empty
from vmpool_ext.web.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vmpool_ext.domain.user import User
    from vmpool_ext.web.endpoints import Answer, Endpoints

log = logging.getLogger(__name__)

SETTING = "vmpool"
RESOURCE = "vmpool"
MAX_MESSAGE = 1024 * 1024
"""Bytes in one message of a console's socket: no display protocol's client sends more at once."""
BINARY = "binary"
"""The subprotocol that spice-html5 asks for; a browser ends a socket whose server does not agree to it."""


Method = TypeVar("Method", bound="Callable[..., Awaitable[None]]")


def _may(action: str) -> Callable[[Method], Method]:
    """Let in whom Jupyter knows and its authorizer lets do this with VM pools."""

    def decorated(method: Method) -> Method:
        return cast("Method", web.authenticated(authorized(action, RESOURCE)(method)))

    return decorated


def _may_over_socket(action: str) -> Callable[[Method], Method]:
    """Let in the same over a socket, where nobody can be sent to a login page."""

    def decorated(method: Method) -> Method:
        return ws_authenticated(authorized(action, RESOURCE)(method))

    return decorated


def methods_of(handler: type[web.RequestHandler]) -> list[str]:
    """Tell which methods an address takes (RFC 9110, 10.2.1)."""
    # Tornado has one method in the place of all that a handler does not take.
    missing = web.RequestHandler._unimplemented_method  # noqa: SLF001
    return [each for each in web.RequestHandler.SUPPORTED_METHODS if getattr(handler, each.lower()) is not missing]


class Served:
    """What the root hands to the handlers: the endpoints, and who a request is from."""

    def __init__(self, endpoints: Endpoints, user_of: Callable[[JupyterHandler], User]) -> None:
        self.endpoints = endpoints
        self.user_of = user_of


class JsonErrors(JupyterHandler):
    """Errors in the one shape, also those that are Jupyter's."""

    @property
    def served(self) -> Served:
        """What the root handed over."""
        return cast("Served", self.settings[SETTING])

    @property
    def user(self) -> User:
        """Who asks."""
        return self.served.user_of(self)

    def get_login_url(self) -> str:
        """Refuse where pages would send to the login."""
        raise web.HTTPError(HTTPStatus.UNAUTHORIZED)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Note refusals in a line; keep the traceback for what nobody foresaw."""
        if isinstance(value, VmPoolError):
            log.info("refused %s: %s", self.request.path, value.code)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Write the one shape."""
        error = kwargs.get("exc_info", (None, None))[1]
        status = status_of(error) if isinstance(error, VmPoolError) else self._status_of_foreign(status_code)
        self.set_status(status)
        if isinstance(error, VmPoolError) and (seconds := retry_after(error)):
            self.set_header("Retry-After", str(seconds))
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", ", ".join(methods_of(type(self))))
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body_of(error, status)))

    def _status_of_foreign(self, status: int) -> int:
        if status == HTTPStatus.NOT_FOUND and not self.check_origin():
            # Jupyter's answer to another site's page.
            return HTTPStatus.FORBIDDEN
        # Jupyter says 403 to strangers too; that is for those whom it knows.
        stranger = status == HTTPStatus.FORBIDDEN and self.current_user is None and self.check_host()
        return HTTPStatus.UNAUTHORIZED if stranger else status


class Endpoint(JsonErrors, APIHandler):
    """Base of everything that answers in JSON. Looking is no activity."""

    _track_activity = False

    def update_api_activity(self) -> None:
        """Note an activity; a query that cannot be read must not keep the answer from being written."""
        with suppress(web.HTTPError):
            super().update_api_activity()

    def reply(self, answer: Answer) -> None:
        """Write an answer."""
        self.set_status(answer.status)
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.finish(json.dumps(answer.body))


class Me(Endpoint):
    """``GET me``."""

    @_may("read")
    async def get(self) -> None:
        """Tell who asks."""
        self.reply(await self.served.endpoints.me(self.user))


class Health(Endpoint):
    """``GET health``."""

    @_may("read")
    async def get(self) -> None:
        """Tell what runs."""
        self.reply(await self.served.endpoints.health(self.user))


class Contract(Endpoint):
    """``GET openapi.yaml``."""

    @_may("read")
    async def get(self) -> None:
        """Show what is promised."""
        self.finish(CONTRACT, set_content_type=MEDIA_TYPE)


class Pools(Endpoint):
    """``GET pools``."""

    @_may("read")
    async def get(self) -> None:
        """Show the user's pools."""
        self.reply(await self.served.endpoints.pools(self.user))


class Pool(Endpoint):
    """``GET pools/{pool}``."""

    @_may("read")
    async def get(self, pool: str) -> None:
        """Show one pool."""
        self.reply(await self.served.endpoints.pool(self.user, pool))


class PoolAction(Endpoint):
    """``POST pools/{pool}/{action}``: somebody clicked, or asked by program."""

    _track_activity = True

    @_may("write")
    async def post(self, pool: str, action: str) -> None:
        """Do what one of the buttons does."""
        require_empty(self.request.body)
        self.reply(await getattr(self.served.endpoints, action)(self.user, pool))


class Vms(Endpoint):
    """``GET vms``."""

    @_may("read")
    async def get(self) -> None:
        """Show the VMs with grants of their own for the user."""
        self.reply(await self.served.endpoints.vms(self.user))


class VmAction(Endpoint):
    """``POST vms/{vm}/{action}``: the same buttons for a VM with grants of its own."""

    _track_activity = True

    @_may("write")
    async def post(self, vm: str, action: str) -> None:
        """Do what one of the buttons does."""
        require_empty(self.request.body)
        self.reply(await getattr(self.served.endpoints, f"{action}_vm")(self.user, vm))


class Nothing(Endpoint):
    """Every other address."""

    async def prepare(self) -> None:  # type: ignore[override]  # as in APIHandler
        """Answer in JSON here too."""
        await super().prepare()
        raise web.HTTPError(HTTPStatus.NOT_FOUND if self.current_user else HTTPStatus.UNAUTHORIZED)


class Live(WebSocketMixin, websocket.WebSocketHandler, JsonErrors):
    """Base of the sockets: one task for as long as the socket is open."""

    _task: asyncio.Task[None] | None = None

    def require_own_page(self) -> None:
        """Refuse, in the one shape, what Tornado would refuse in words of its own."""
        if not self._is_asked_for_a_socket():
            raise web.HTTPError(HTTPStatus.BAD_REQUEST)
        if not self.check_origin(self.get_origin()):
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

    async def serve(self) -> None:
        """Talk to the other end until there is nothing more to say."""
        raise NotImplementedError

    async def _serve_and_close(self) -> None:
        try:
            await self.serve()
        except websocket.WebSocketClosedError:
            log.debug("%s: the other end has left", self.request.path)
        except Exception:
            log.exception("%s failed", self.request.path)
        finally:
            self.close()

    def on_close(self) -> None:
        """End the task."""
        super().on_close()
        if self._task:
            self._task.cancel()


class Updates(Live):
    """``WS updates``."""

    @_may_over_socket("read")
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket."""
        self.require_own_page()
        await super().get(*args, **kwargs)

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Begin to tell."""
        self.begin()

    async def serve(self) -> None:
        """Send the user's whole picture, again at every change."""
        async for picture in self.served.endpoints.updates(self.user):
            await self.write_message(json.dumps(picture))

    def on_message(self, message: str | bytes) -> None:
        """Hear nothing: all acts are requests of their own."""


class Display(Live):
    """``WS vms/{vm}/display``."""

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

    @_may_over_socket("execute")
    async def get(self, *args: Any, **kwargs: Any) -> None:
        """Open the socket; whether the ticket is good is told by the code that it is closed with."""
        self.require_own_page()
        await super().get(*args, **kwargs)

    def open(self, vm: str) -> None:
        """Begin to relay."""
        user = self.user
        self._relay = Relay(lambda: self.served.endpoints.display(user, vm, self._ticket), self)
        self.begin()

    async def serve(self) -> None:
        """Relay."""
        await self._relay.run()

    async def on_message(self, message: str | bytes) -> None:
        """Hand on what the browser sent; what it sends further waits until the display has taken it."""
        await self._relay.receive(message.encode() if isinstance(message, str) else message)

    async def send(self, data: bytes) -> None:
        """Send to the browser."""
        await self.write_message(data, binary=True)

    def leave(self, code: int) -> None:
        """Close the browser's end."""
        self.close(code)
