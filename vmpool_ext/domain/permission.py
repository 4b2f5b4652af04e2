"""What pools and VMs grant to users and roles (R6, R7)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vmpool_ext.domain.errors import InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vmpool_ext.domain.user import User


class Permission(StrEnum):
    """The words of the CRDs."""

    START = "start"
    STOP = "stop"
    RESET = "reset"
    ACCESS_CONSOLE = "accessConsole"
    TAKE_CONSOLE = "takeConsole"


Permissions = frozenset[Permission]

EVERY_PERMISSION: Permissions = frozenset(Permission)


@dataclass(frozen=True, slots=True)
class Grant:
    """What one user, or everybody with one role, may do."""

    may: Permissions
    user: str | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        """A grant is for exactly one of the two."""
        if (self.user is None) == (self.role is None):
            message = "A permission names exactly one of user and role."
            raise InvalidDefinition(message)

    def is_for(self, user: User) -> bool:
        """Whether the grant names the user or one of their roles."""
        return self.user == user.name if self.user is not None else self.role in user.roles


def parse_permissions(words: Iterable[str]) -> Permissions:
    """Read the words of a grant: ``*`` means all, takeConsole implies accessConsole, unknown ones are refused by name.

    >>> sorted(parse_permissions(["takeConsole"]))
    [<Permission.ACCESS_CONSOLE: 'accessConsole'>, <Permission.TAKE_CONSOLE: 'takeConsole'>]
    """
    may: set[Permission] = set()
    for word in words:
        may |= EVERY_PERMISSION if word == "*" else {_parse_permission(word)}
    if Permission.TAKE_CONSOLE in may:
        may.add(Permission.ACCESS_CONSOLE)
    return frozenset(may)


def _parse_permission(word: str) -> Permission:
    try:
        return Permission(word)
    except ValueError:
        message = f'There is no permission "{str(word)[:32]}".'
        raise InvalidDefinition(message) from None


def permissions_for(user: User, grants: Iterable[Grant]) -> Permissions:
    """Everything that the grants allow to the user, by name or by role."""
    return frozenset().union(*(grant.may for grant in grants if grant.is_for(user)))
