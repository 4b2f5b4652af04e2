"""What can go wrong, a class for each code that somebody would catch; `docs/api.md` lists the codes.

::

    VmPoolError
      NotFound           PoolNotFound  VmNotFound
      Unauthenticated    the token is missing or not good
      Forbidden          PermissionMissing  NotYourServer  ScopeMissing  NotAUser
      Unavailable        asking again later helps; the client has done so for a while
        TooManyRequests
      PoolExhausted  PoolEmpty  PoolMisconfigured  UnusableName
      NothingAssigned  NotRunning  Stopping  ConsoleInUse  AssignedToAnother  BeingPrepared  WaitingForLogin
      StartFailed  Crashed  BootTimeout  AgentMissing  LoginFailed      what a VM came to, in its own words
      NoServer  Unreachable  UnexpectedAnswer  WaitTimeout  NoConnectionFile      said by the client itself
"""

from __future__ import annotations

from typing import ClassVar


class VmPoolError(Exception):
    """Base of all: ``code`` is for programs, the text for people, ``reason`` a detail.

    ``status`` is the HTTP status, or None where no server spoke. ``retry_after`` tells in how many seconds asking
    again may help, or None.
    """

    kind: ClassVar[str] = ""
    """The code that makes an error one of this class."""

    def __init__(
        self,
        code: str,
        message: str,
        reason: str | None = None,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        # All of it, so that an error can be pickled: it may come from another process.
        super().__init__(code, message, reason, status, retry_after)
        self.code = code
        self.message = message
        self.reason = reason
        self.status = status
        self.retry_after = retry_after

    def __str__(self) -> str:
        """Say what happened and what to do."""
        return f"{self.message} ({self.reason})" if self.reason else self.message


class NotFound(VmPoolError):
    """There is nothing at this address."""

    kind = "not-found"


class PoolNotFound(NotFound):
    """No such pool, or none on which you have a permission: the two look alike."""

    kind = "pool-not-found"


class VmNotFound(NotFound):
    """No such VM, or none that is yours: the two look alike."""

    kind = "vm-not-found"


class Unauthenticated(VmPoolError):
    """The server does not know who asks."""

    kind = "unauthenticated"


class Forbidden(VmPoolError):
    """The server knows who asks, and they may not."""

    kind = "forbidden"


class PermissionMissing(Forbidden):
    """Neither the pool nor the VM grants the permission."""

    kind = "permission-missing"


class NotYourServer(Forbidden):
    """The Jupyter server is somebody else's, in whose name it would be done."""

    kind = "not-your-server"


class ScopeMissing(Forbidden):
    """The token is not for the service of the JupyterHub; the text has the line of its configuration."""

    kind = "scope-missing"


class NotAUser(Forbidden):
    """The token is a service's."""

    kind = "not-a-user"


class Unavailable(VmPoolError):
    """Nothing is wrong with the request; asking again later helps."""

    kind = "unavailable"


class TooManyRequests(Unavailable):
    """You have asked for more at once than the JupyterHub's administrator allows; nothing was done."""

    kind = "too-many-requests"


class PoolExhausted(VmPoolError):
    """Every VM of the pool is in use or kept for somebody; ``retry_after`` says when to ask again."""

    kind = "pool-exhausted"


class PoolEmpty(VmPoolError):
    """No VM belongs to the pool."""

    kind = "pool-empty"


class PoolMisconfigured(VmPoolError):
    """The pool gives out no VM until its definition is mended."""

    kind = "pool-misconfigured"


class UnusableName(VmPoolError):
    """Your name cannot be that of an account in a VM."""

    kind = "unusable-name"


class NothingAssigned(VmPoolError):
    """You have no VM of the pool, or not this one any more."""

    kind = "nothing-assigned"


class NotRunning(VmPoolError):
    """The VM is off."""

    kind = "not-running"


class Stopping(VmPoolError):
    """The VM is shutting down."""

    kind = "stopping"


class ConsoleInUse(VmPoolError):
    """Somebody else is connected to the console."""

    kind = "console-in-use"


class AssignedToAnother(VmPoolError):
    """The VM is somebody's, by a pool."""

    kind = "assigned-to-another"


class BeingPrepared(VmPoolError):
    """The session of the user before is being ended."""

    kind = "being-prepared"


class WaitingForLogin(VmPoolError):
    """The guest is still logging you in."""

    kind = "waiting-for-login"


class StartFailed(VmPoolError):
    """The VM did not start; says why in the backend's words."""

    kind = "start-failed"


class Crashed(VmPoolError):
    """The VM has ended by itself; says how in the backend's words."""

    kind = "crashed"


class BootTimeout(VmPoolError):
    """The guest has not greeted in all the time that it may take."""

    kind = "boot-timeout"


class AgentMissing(BootTimeout):
    """The pool logs its users in, and nothing in the guest has answered that could."""

    kind = "agent-missing"


class LoginFailed(VmPoolError):
    """The guest did not log you in; says why in its agent's words."""

    kind = "login-failed"


class NoServer(VmPoolError):
    """No server was named, and none was found that could be meant; or there is no token for it."""

    kind = "no-server"


class Unreachable(VmPoolError):
    """The server does not answer, or cannot be trusted."""

    kind = "unreachable"


class UnexpectedAnswer(VmPoolError):
    """What answers is no server with VM pools, or something in front of it."""

    kind = "unexpected-answer"


class WaitTimeout(VmPoolError):
    """The VM took longer than was to be waited; it stays yours."""

    kind = "wait-timeout"


class NoConnectionFile(VmPoolError):
    """The console of the VM is opened by a tab of JupyterLab, not by a file."""

    kind = "no-connection-file"


_BY_STATUS: dict[int, type[VmPoolError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    503: Unavailable,
}


def error_class(code: str, status: int | None = None) -> type[VmPoolError]:
    """Give the class for a code; for one that is not known the class of its status, and else the base of all."""
    return _classes(VmPoolError).get(code) or _BY_STATUS.get(status or 0, VmPoolError)


def _classes(base: type[VmPoolError]) -> dict[str, type[VmPoolError]]:
    found = {base.kind: base} if base.kind else {}
    for each in base.__subclasses__():
        found |= _classes(each)
    return found
