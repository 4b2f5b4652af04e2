"""A pool: VMs that stand in for one another."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from vmpool_ext.domain.retention import DEFAULT_RETENTION, Retention, parse_retention

if TYPE_CHECKING:
    from vmpool_ext.domain.permission import Grant


_DEFAULT = parse_retention(DEFAULT_RETENTION)


class EndAction(StrEnum):
    """What becomes of a VM when it is given back or its retention has ended."""

    KEEP = "keep"
    LOGOUT = "logout"
    STOP = "stop"
    DISCARD = "discard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What a VmPool says; ``misconfigured`` tells why it gives nothing new, or is None (R7)."""

    name: str
    uid: str = ""
    """Which of those that had this name it is, where the backend tells."""
    version: int = 0
    grants: tuple[Grant, ...] = ()
    retention: Retention = _DEFAULT
    retention_text: str = DEFAULT_RETENTION
    login_on_assignment: bool = False
    end_action: EndAction = EndAction.KEEP
    misconfigured: str | None = None
    warning: str | None = None
    """Why VM-Operator could not serve the pool, though we can."""
