"""Which roles somebody has by the groups that they are in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmpool_ext.domain.user import User

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EVERYBODY = "*"


@dataclass(frozen=True, slots=True)
class RoleRules:
    """How roles are made of what a hub says of a user."""

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
