"""Who asks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vmpool_ext.domain.errors import NoLoginName, UnusableName

_USABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,63}")
_LOGIN = re.compile(r"[a-z_][a-z0-9_.-]{0,31}")
_NEVER_LOGGED_IN = ("root",)


@dataclass(frozen=True, slots=True)
class User:
    """A person whom the edge has authenticated, with the roles that were vouched for.

    Refuses a name that could break a line protocol, YAML quotes, a path or an option list (R12).

    >>> User("ann").name
    'ann'
    >>> User("ann --x")
    Traceback (most recent call last):
    vmpool_ext.domain.errors.UnusableName: The user name 'ann --x' cannot be used for VMs. Ask the administrator for another.
    """

    name: str
    roles: frozenset[str] = frozenset()
    administrator: bool = False

    def __post_init__(self) -> None:
        """Validate where the value is made, so that nobody else needs to."""
        if not _USABLE.fullmatch(self.name):
            raise UnusableName(self.name)

    @property
    def can_log_in(self) -> bool:
        """Whether a pool that logs its users in can serve this one (R12)."""
        return is_login_name(self.name)


def is_login_name(name: str) -> bool:
    """Whether a pool may have somebody of this name logged in: a guest could have the account, and it is not root's."""
    return bool(_LOGIN.fullmatch(name)) and name not in _NEVER_LOGGED_IN


def require_login_name(name: str) -> str:
    """Give the name back, or raise `NoLoginName`: what reaches the line to a guest's agent passes here."""
    if not is_login_name(name):
        raise NoLoginName(name)
    return name
