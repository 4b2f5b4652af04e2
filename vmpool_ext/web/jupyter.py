"""Jupyter Server as the gate: authenticated and authorized by it, for the user whom the root names."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from jupyter_server.auth.decorator import authorized, ws_authenticated
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from tornado import web, websocket

from vmpool_ext.web.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmpool_ext.domain.user import User
    from vmpool_ext.web.gate import Verb

USER_OF = "vmpool_user_of"
"""The setting under which the root says who a request is from."""
_RESOURCE = "vmpool"


class JupyterAnswers(JupyterHandler):
    """What Jupyter says in ways of its own."""

    @property
    def user(self) -> User:
        """Who asks."""
        return cast("Callable[[JupyterHandler], User]", self.settings[USER_OF])(self)

    def get_login_url(self) -> str:
        """Refuse where pages would send to the login."""
        raise web.HTTPError(HTTPStatus.UNAUTHORIZED)

    def status_of_foreign(self, status: int) -> int:
        """Give the status that tells best of an error that is Jupyter's."""
        if status == HTTPStatus.NOT_FOUND and not self.check_origin():
            # Jupyter's answer to another site's page.
            return HTTPStatus.FORBIDDEN
        # Jupyter says 403 to strangers too; that is for those whom it knows.
        stranger = status == HTTPStatus.FORBIDDEN and self.current_user is None and self.check_host()
        return HTTPStatus.UNAUTHORIZED if stranger else status


class JupyterEndpoint(JupyterAnswers, APIHandler):
    """Base of everything that answers a request."""

    is_activity: bool

    def update_api_activity(self) -> None:
        """Note what is an activity; a query that cannot be read must not keep the answer from being written."""
        if self.is_activity:
            with suppress(web.HTTPError):
                super().update_api_activity()

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """Send; as what the answer says that it is, not as what Jupyter's answers are."""
        return super().finish(*args, set_content_type=self._headers.get("Content-Type"), **kwargs)


class JupyterSocket(WebSocketMixin, websocket.WebSocketHandler, JupyterAnswers):
    """Base of the sockets."""

    def is_own_page(self) -> bool:
        """Whether no page asks, or one of those that Jupyter takes for its own."""
        return bool(self.check_origin(self.get_origin()))

    async def another(self, _: User) -> User | None:
        """Wait for ever: who uses this server is who its configuration says."""
        await asyncio.get_running_loop().create_future()
        return None


def _admitted(action: str, method: Verb) -> Verb:
    """Let in whom Jupyter knows and its authorizer lets do this with VM pools."""
    return web.authenticated(authorized(action, _RESOURCE)(method))


def _admitted_over_socket(action: str, method: Verb) -> Verb:
    """Let in the same over a socket, where nobody can be sent to a login page."""
    return ws_authenticated(authorized(action, _RESOURCE)(method))


JUPYTER = Gate(JupyterEndpoint, JupyterSocket, _admitted, _admitted_over_socket)
