"""VM pools from notebooks and scripts: a client of the HTTP interface, blocking and in event loops.

::

    from vmpool_ext.client import Client

    vm = Client().pool("demo").start()

`docs/notebooks.md` says more. Nothing of the server's side is loaded.
"""

from vmpool_ext.client.awaiting import AsyncClient, AsyncPool, AsyncPoolVm, AsyncVm
from vmpool_ext.client.blocking import Client, Pool, PoolVm, Vm
from vmpool_ext.client.connection_file import ConnectionFile
from vmpool_ext.client.errors import (
    AgentMissing,
    AssignedToAnother,
    BeingPrepared,
    BootTimeout,
    ConsoleInUse,
    Crashed,
    Forbidden,
    LoginFailed,
    NoConnectionFile,
    NoServer,
    NotAUser,
    NotFound,
    NothingAssigned,
    NotRunning,
    NotYourServer,
    PermissionMissing,
    PoolEmpty,
    PoolExhausted,
    PoolMisconfigured,
    PoolNotFound,
    ScopeMissing,
    StartFailed,
    Stopping,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
    UnusableName,
    VmNotFound,
    VmPoolError,
    WaitingForLogin,
    WaitTimeout,
)
from vmpool_ext.client.listing import Listing
from vmpool_ext.client.progress import Progress
from vmpool_ext.client.views import Fault, Me, Reason

__all__ = [
    "AgentMissing",
    "AssignedToAnother",
    "AsyncClient",
    "AsyncPool",
    "AsyncPoolVm",
    "AsyncVm",
    "BeingPrepared",
    "BootTimeout",
    "Client",
    "ConnectionFile",
    "ConsoleInUse",
    "Crashed",
    "Fault",
    "Forbidden",
    "Listing",
    "LoginFailed",
    "Me",
    "NoConnectionFile",
    "NoServer",
    "NotAUser",
    "NotFound",
    "NotRunning",
    "NotYourServer",
    "NothingAssigned",
    "PermissionMissing",
    "Pool",
    "PoolEmpty",
    "PoolExhausted",
    "PoolMisconfigured",
    "PoolNotFound",
    "PoolVm",
    "Progress",
    "Reason",
    "ScopeMissing",
    "StartFailed",
    "Stopping",
    "TooManyRequests",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "UnusableName",
    "Vm",
    "VmNotFound",
    "VmPoolError",
    "WaitTimeout",
    "WaitingForLogin",
]
