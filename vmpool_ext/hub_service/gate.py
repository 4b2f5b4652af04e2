"""The hub's tokens as the gate: whoever asks is asked for at the hub."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING, cast

from tornado import web, websocket

from vmpool_ext._version import __version__
from vmpool_ext.domain.errors import Unavailable
from vmpool_ext.web.errors import NotLetIn
from vmpool_ext.web.gate import Gate
from vmpool_ext.web.versions import VERSION

if TYPE_CHECKING:
    from vmpool_ext.domain.user import User
    from vmpool_ext.hub_service.flood import Allowance
    from vmpool_ext.hub_service.identity import Identities
    from vmpool_ext.web.gate import Verb

log = logging.getLogger(__name__)

IDENTITIES = "vmpool_identities"
RECHECK = "vmpool_recheck"
ALLOWANCE = "vmpool_allowance"
"""The settings under which the root says who tells users, every how many seconds an open socket's is asked for, and how much one may ask."""

_TOKEN = re.compile(r"(?:token|bearer)\s+(\S+)\s*", re.IGNORECASE)
_LOOKING = ("GET", "HEAD")


class HubAnswers(web.RequestHandler):
    """Base of all handlers: in by a token in the header, and by nothing else, so that no page can make a browser ask."""

    @property
    def user(self) -> User:
        """Who asks."""
        return cast("User", self.current_user)

    def get_current_user(self) -> None:
        """Know nobody before it was asked."""

    def set_default_headers(self) -> None:
        """Say what answers, and that it is nothing for a browser to show."""
        self.set_header(VERSION, __version__)
        self.set_header("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
        self.set_header("X-Content-Type-Options", "nosniff")

    async def prepare(self) -> None:
        """Find out who asks: anew where something is done, and that not too often."""
        is_act = self.request.method not in _LOOKING
        self.current_user = await self.asked(fresh=is_act)
        if is_act:
            cast("Allowance", self.settings[ALLOWANCE]).spend(self.user.name)

    def status_of_foreign(self, status: int) -> int:
        """Give the status that tells best of an error that is Tornado's."""
        return status

    async def asked(self, *, fresh: bool) -> User:
        """Ask the hub."""
        found = _TOKEN.fullmatch(self.request.headers.get("Authorization", ""))
        return await cast("Identities", self.settings[IDENTITIES]).user_of(found[1] if found else "", fresh=fresh)


class HubSocket(websocket.WebSocketHandler, HubAnswers):
    """Base of the sockets."""

    async def prepare(self) -> None:
        """Find out who asks, anew: it will be believed for a while."""
        self.current_user = await self.asked(fresh=True)

    def is_own_page(self) -> bool:
        """Whether no page asks: none has a token that it could send along."""
        return "Origin" not in self.request.headers

    async def another(self, user: User) -> User | None:
        """Ask again and again; a hub that does not answer has taken nothing away."""
        while True:
            await asyncio.sleep(self.settings[RECHECK])
            try:
                found = await self.asked(fresh=True)
            except Unavailable:
                continue
            except NotLetIn as error:
                log.info("%s: %s is not let in any more: %s", self.request.path, user.name, error.code)
                return None
            if found != user:
                return found


def _admitted(_: str, method: Verb) -> Verb:
    """Let through: nobody gets to a method who was not found out before."""
    return method


HUB = Gate(HubAnswers, HubSocket, _admitted, _admitted)
