"""What can go wrong, each with a word for machines (``code``) and a sentence for people (``str(error)``).

::

    VmPoolError
      Refused            the caller asked for what is not to be had; asking again gives the same answer
        PoolNotFound  VmNotFound  PermissionMissing  NothingAssigned  PoolExhausted  PoolEmpty  PoolMisconfigured
        NotRunning  Stopping  BeingPrepared  WaitingForLogin  LoginFailed  AgentMissing  ConsoleInUse  AssignedToAnother
        InvalidTicket  UnusableName  NoLoginName
      InvalidDefinition  a resource that cannot be read
        InvalidRetention
      Unavailable        nothing is wrong with the request; asking again later helps
        Contention  ClockJumped  BackendUnavailable  AgentFailed
      AssignmentConflict between broker and backend only: the VM is not any more as it was read
"""

from __future__ import annotations

from typing import ClassVar


class VmPoolError(Exception):
    """Base of everything that may be told to a user."""

    code: str = "internal"
    sentence: ClassVar[str] = "{}"

    def __init__(self, subject: str = "") -> None:
        super().__init__(self.sentence.format(subject))
        self.subject = subject


class Refused(VmPoolError):
    """What was asked for is not to be had."""


class PoolNotFound(Refused):
    """No such pool, or none on which the user has a permission: the two look alike."""

    code = "pool-not-found"
    sentence = 'There is no pool "{}".'


class VmNotFound(Refused):
    """No such VM, or none that is the user's: the two look alike."""

    code = "vm-not-found"
    sentence = 'There is no VM "{}".'


class PermissionMissing(Refused):
    """The user sees the pool or the VM, but may not do this."""

    code = "permission-missing"
    sentence = 'You are not granted the permission "{}" for this. Ask the administrator.'


class NothingAssigned(Refused):
    """There is no VM yet to do this with."""

    code = "nothing-assigned"
    sentence = 'You have no VM of the pool "{}". Press Start to get one.'


class PoolExhausted(Refused):
    """Every VM of the pool is in use or kept for somebody."""

    code = "pool-exhausted"
    sentence = 'All VMs of the pool "{}" are in use. Try again later.'


class PoolEmpty(Refused):
    """No VM belongs to the pool."""

    code = "pool-empty"
    sentence = 'No VM belongs to the pool "{}". Ask its administrator.'


class PoolMisconfigured(Refused):
    """The pool gives nothing new until its definition is mended."""

    code = "pool-misconfigured"
    sentence = 'The pool "{}" is misconfigured and gives out no VM. Ask its administrator.'


class NotRunning(Refused):
    """The VM is off."""

    code = "not-running"
    sentence = 'The VM "{}" is not running. Press Start first.'


class AlreadyRunning(Refused):
    """The VM runs or is starting; only views say so, since starting it again is no mistake."""

    code = "already-running"
    sentence = 'The VM "{}" is running already.'


class Stopping(Refused):
    """The VM is shutting down."""

    code = "stopping"
    sentence = 'The VM "{}" is shutting down. Wait until it is off.'


class BeingPrepared(Refused):
    """The session of the user before is being ended (R10)."""

    code = "being-prepared"
    sentence = 'The VM "{}" is being prepared for you: the session before yours is being ended. Wait a moment.'


class WaitingForLogin(Refused):
    """The guest is still logging the user in (R9)."""

    code = "waiting-for-login"
    sentence = 'The VM "{}" is still logging you in. Wait a moment.'


class LoginFailed(Refused):
    """The guest's agent did not log the user in; the VM's fault has its words."""

    code = "login-failed"
    sentence = 'The VM "{}" could not log you in. It is tried again every minute; else ask the administrator.'


class AgentMissing(Refused):
    """The pool logs its users in, and the guest has no agent, or one that has not greeted in all its time."""

    code = "agent-missing"
    sentence = 'Nothing in the VM "{}" answers that could log you in. Reset it, or ask the administrator: its pool wants an agent.'


class AssignedToAnother(Refused):
    """The VM is somebody's, by a pool (R9)."""

    code = "assigned-to-another"
    sentence = 'The VM "{}" is assigned to somebody else.'


class ConsoleInUse(Refused):
    """Somebody else is connected to the console."""

    code = "console-in-use"
    sentence = 'Somebody else is connected to the console of "{}".'


class InvalidTicket(Refused):
    """The ticket is unknown, was used already, is too old, or is somebody else's."""

    code = "invalid-ticket"
    sentence = "The console's ticket is not good any more. Open the console again."


class NoLoginName(Refused):
    """The pool logs its users in, and no guest could have an account of this name (R12)."""

    code = "unusable-name"
    sentence = "The user name {!r:.66} cannot be that of an account in a VM. Ask the administrator for another."


class UnusableName(Refused):
    """The user's name could break something that it must be written to (R12)."""

    code = "unusable-name"
    sentence = "The user name {!r:.66} cannot be used for VMs. Ask the administrator for another."


class InvalidDefinition(VmPoolError):
    """A pool or VM that cannot be read; shown to administrators."""

    code = "invalid-definition"


class InvalidRetention(InvalidDefinition):
    """A retention that is neither a duration nor a time that a calendar has."""

    code = "invalid-retention"
    sentence = 'The retention "{:.64}" is neither a duration such as PT4h nor a time.'


class Unavailable(VmPoolError):
    """Asking again later helps."""

    code = "unavailable"


class Contention(Unavailable):
    """Others were faster so many times that the broker gave up."""

    code = "contention"
    sentence = "Too many people ask for VMs at the same moment. Try again in a few seconds."


class ClockJumped(Unavailable):
    """All that is left is kept by a clock that cannot be trusted now (section 8 of the design)."""

    code = "clock-jumped"
    sentence = 'The clock has jumped: until it is right again, the pool "{}" gives out no VM that was somebody\'s.'


class AgentFailed(Unavailable):
    """The guest's agent refused, or did not answer; says its words."""

    code = "agent-failed"


class BackendUnavailable(Unavailable):
    """The backend does not answer, or may not be asked now; ``code`` says which."""

    def __init__(self, message: str, code: str = "backend-unavailable") -> None:
        super().__init__(message)
        self.code = code


class AssignmentConflict(VmPoolError):
    """The VM is not any more as it was read; nothing was written. Read again and decide again."""

    code = "conflict"
