"""Who holds a token, as the hub says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from vmpool_ext.web.errors import HubUnavailable, NotAUser, ScopeMissing, Unauthenticated

if TYPE_CHECKING:
    from jupyterhub.services.auth import HubAuth

    from vmpool_ext.domain.roles import RoleRules
    from vmpool_ext.domain.user import User


class Identities:
    """Asks the hub who holds a token; nobody is known here but by that answer."""

    def __init__(self, auth: HubAuth, service: str, rules: RoleRules, within: float) -> None:
        self._auth = auth
        self._within = within
        self._service = service
        self._rules = rules

    async def user_of(self, token: str, *, fresh: bool) -> User:
        """Give the user; an answer that is a while old (`HubAuth.cache_max_age`) will do unless it must be fresh.

        Raises `Unauthenticated`, `NotAUser` (a service's token), `ScopeMissing`, or `HubUnavailable`.
        """
        if not token:
            raise Unauthenticated
        model = await self._asked(token, fresh=fresh)
        if model is None:
            raise Unauthenticated
        if model.get("kind") != "user":
            raise NotAUser
        if not self._auth.check_scopes({f"access:services!service={self._service}"}, model):
            raise ScopeMissing(self._service)
        return self._rules.user(model["name"], model["groups"], admin=model["admin"])

    async def _asked(self, token: str, *, fresh: bool) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(self._within):
                found: dict[str, Any] | None = await self._auth.user_for_token(token, use_cache=not fresh, sync=False)
        except (HTTPError, TimeoutError) as error:
            # Its words name the hub's inner address.
            raise HubUnavailable from error
        return found
