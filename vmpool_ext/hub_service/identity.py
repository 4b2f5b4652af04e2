"""Who holds a token, as the hub says; and which roles that gives."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError

from vmpool_ext.domain.user import User
from vmpool_ext.web.errors import HubUnavailable, NotAUser, ScopeMissing, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jupyterhub.services.auth import HubAuth

EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class RoleRules:
    """How roles are made of what the hub says."""

    by_group: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Roles of a group's members; without any entry each group is the role of its name."""
    by_user: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Further roles of a user, or of everybody: ``*``."""
    administrator_groups: Sequence[str] = ()
    hub_admins: bool = True
    """Whether the hub's administrators are those of the pools too."""

    def user(self, name: str, groups: Sequence[str], *, admin: bool) -> User:
        """Give the user whom a hub knows by this name."""
        of_groups = (role for group in groups for role in self._roles_of(group))
        own = (*self.by_user.get(name, ()), *self.by_user.get(EVERYBODY, ()))
        administrator = (admin and self.hub_admins) or not set(groups).isdisjoint(self.administrator_groups)
        return User(name, frozenset({*of_groups, *own}), administrator)

    def _roles_of(self, group: str) -> Sequence[str]:
        return self.by_group.get(group, ()) if self.by_group else (group,)


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
