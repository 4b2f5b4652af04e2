"""Keeps for administrators what was decided: in the audit log, and where the backend has a place for it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

from vmpool_ext.broker.refusals import Refusals
from vmpool_ext.domain.decision import Decision, Outcome
from vmpool_ext.domain.errors import (
    AssignedToAnother,
    ConsoleInUse,
    PermissionMissing,
    PoolExhausted,
    PoolNotFound,
    Refused,
    VmNotFound,
)
from vmpool_ext.domain.machine import VirtualMachine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vmpool_ext.broker.ports import Backend, Clock
    from vmpool_ext.domain.machine import Assignment
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

    About = Callable[[], VirtualMachine | Pool | None]
    """Gives what it is about, as it is known now; None is nothing that there is."""

audit = logging.getLogger("vmpool_ext.audit")

LONGEST_NAME = 64
"""Characters: as of what users are called (R12). What others have written into an assignment may be longer."""

_REASONS: dict[type[Refused], str] = {
    PermissionMissing: 'the permission "{}" is not granted',
    PoolNotFound: "no permission is granted",
    VmNotFound: "no permission is granted",
    ConsoleInUse: "somebody else is connected",
    AssignedToAnother: "it is assigned to somebody else",
    PoolExhausted: "all VMs are in use or kept for somebody",
}
"""Of refusals that administrators are told of; in the others nothing was decided: the VM is off, or not ready yet."""


class Ending(StrEnum):
    """Why an assignment was removed."""

    GIVEN_BACK = "Given back by {user}."
    RETENTION = 'Taken back from {user}: the retention of the pool "{pool}" has ended.'
    SECOND = 'Taken back from {user}, who has another of the pool "{pool}".'
    NO_POOL = 'Taken back from {user}: there is no pool "{pool}" any more.'


class Decisions:
    """Tells each where it is kept."""

    def __init__(self, backend: Backend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._refusals = Refusals()

    def assigned(self, vm: VirtualMachine, before: Assignment | None) -> None:
        """Tell that a VM became somebody's, and whose it was before if it was anybody's."""
        if held := vm.assignment:
            whose = f" It was {_shown(before.user)}'s, whose retention has ended." if before else ""
            self._tell(Outcome.ASSIGNED, "start", vm, f'Assigned to {held.user} from the pool "{held.pool}".{whose}')

    def released(self, vm: VirtualMachine, why: Ending) -> None:
        """Tell that a VM is not any more whose it was."""
        if held := vm.assignment:
            self._tell(Outcome.RELEASED, "release", vm, why.format(user=_shown(held.user), pool=_shown(held.pool)))

    @contextmanager
    def refusals(self, user: User, action: str, about: About) -> Iterator[None]:
        """Tell what the user is refused in here, and what it is about."""
        try:
            yield
        except Refused as refusal:
            if (reason := _REASONS.get(type(refusal))) and (subject := about()):
                self._refused(user, action, subject, reason.format(refusal.subject))
            raise

    def _refused(self, user: User, action: str, about: VirtualMachine | Pool, reason: str) -> None:
        refusal = type(about).__name__, about.name, action, reason
        if self._refusals.is_news(user.name, refusal, self._clock.now()):
            self._tell(Outcome.REFUSED, action, about, f"Refused to {user.name}: {action}, since {reason}.")

    def _tell(self, outcome: Outcome, action: str, about: VirtualMachine | Pool, words: str) -> None:
        level = logging.WARNING if outcome is Outcome.REFUSED else logging.INFO
        kind = "vm" if isinstance(about, VirtualMachine) else "pool"
        audit.log(level, "%s %s: %s", kind, about.name, words)
        self._backend.tell(Decision(outcome, action, about, words, self._clock.now()))


def _shown(name: str) -> str:
    """Give a name as a log may have it: nobody has looked at what other programs write into an assignment."""
    return "".join(each if each.isprintable() else "?" for each in name[:LONGEST_NAME])
