"""How a server lets people in: what the handlers are built on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vmpool_ext.web.sockets import Live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tornado.web import RequestHandler
    from tornado.websocket import WebSocketHandler

    from vmpool_ext.web.handlers import Answers

Verb = Any
"""A method of a handler that answers a request."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The bases of all handlers of a server, and what lets somebody do an action there."""

    endpoint: type[RequestHandler]
    socket: type[WebSocketHandler]
    admitted: Callable[[str, Verb], Verb]
    """Let through to the method only who may do this."""
    admitted_over_socket: Callable[[str, Verb], Verb]

    def routes(self, table: Iterable[tuple[str, type[Answers]]]) -> list[tuple[str, type[RequestHandler]]]:
        """Build the handlers of a table of addresses; no method is reached but through the gate."""
        return [(pattern, self._built(handler)) for pattern, handler in table]

    def _built(self, handler: type[Answers]) -> type[RequestHandler]:
        is_socket = issubclass(handler, Live)
        base = self.socket if is_socket else self.endpoint
        admitted = self.admitted_over_socket if is_socket else self.admitted
        verbs = {verb: admitted(action, getattr(handler, verb)) for verb, action in handler.may.items()}
        return type(handler.__name__, (handler, base), {"__doc__": handler.__doc__, **verbs})
