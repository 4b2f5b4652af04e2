"""The addresses, a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmpool_ext.web.handlers import Contract, Health, Me, Nothing, Pool, PoolAction, Pools, VmAction, Vms
from vmpool_ext.web.sockets import Display, Updates

if TYPE_CHECKING:
    from vmpool_ext.web.handlers import Answers

PREFIX = "/vmpool/api/v1"
NAME = r"([^/]+)"
ACTIONS = ("start", "stop", "reset", "release", "console")
VM_ACTIONS = ("start", "stop", "reset", "console")

ROUTES: tuple[tuple[str, type[Answers]], ...] = (
    (rf"{PREFIX}/me", Me),
    (rf"{PREFIX}/health", Health),
    (rf"{PREFIX}/openapi\.yaml", Contract),
    (rf"{PREFIX}/pools", Pools),
    (rf"{PREFIX}/pools/{NAME}", Pool),
    (rf"{PREFIX}/pools/{NAME}/({'|'.join(ACTIONS)})", PoolAction),
    (rf"{PREFIX}/vms", Vms),
    (rf"{PREFIX}/vms/{NAME}/({'|'.join(VM_ACTIONS)})", VmAction),
    (rf"{PREFIX}/updates", Updates),
    (rf"{PREFIX}/vms/{NAME}/display", Display),
    (r"/vmpool(?:/.*)?", Nothing),
)
EVERY_OTHER: tuple[str, type[Answers]] = (r"/.*", Nothing)
"""What else there is where nobody else serves anything."""
