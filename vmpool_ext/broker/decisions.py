"""Keeps for administrators what was decided: in the audit log, and where the backend has a place for it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

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
    from datetime import datetime

    from vmpool_ext.broker.ports import Backend, Clock
    from vmpool_ext.domain.machine import Assignment
    from vmpool_ext.domain.pool import Pool
    from vmpool_ext.domain.user import User

    About = Callable[[], VirtualMachine | Pool | None]
    """Gives what it is about, as it is known now; None is nothing that there is."""

audit = logging.getLogger("vmpool_ext.audit")

NOT_AGAIN_WITHIN = timedelta(minutes=10)
"""Who is refused presses again: that is told once."""

MOST_REMEMBERED = 10_000
"""Refusals; of older ones it is forgotten that they were told."""

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
        self._told: dict[tuple[str, ...], datetime] = {}
        """When a refusal was told, the oldest first."""

    def assigned(self, vm: VirtualMachine, before: Assignment | None) -> None:
        """Tell that a VM became somebody's, and whose it was before if it was anybody's."""
        if held := vm.assignment:
            whose = f" It was {before.user}'s, whose retention has ended." if before else ""
            self._tell(Outcome.ASSIGNED, "start", vm, f'Assigned to {held.user} from the pool "{held.pool}".{whose}')

    def released(self, vm: VirtualMachine, why: Ending) -> None:
        """Tell that a VM is not any more whose it was."""
        if held := vm.assignment:
            self._tell(Outcome.RELEASED, "release", vm, why.format(user=held.user, pool=held.pool))

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
        if self._is_told_for_the_first_time(type(about).__name__, about.name, user.name, action, reason):
            self._tell(Outcome.REFUSED, action, about, f"Refused to {user.name}: {action}, since {reason}.")

    def _is_told_for_the_first_time(self, *refusal: str) -> bool:
        now = self._clock.now()
        told = self._told.get(refusal)
        # A clock that was set back has not made it longer ago.
        if told is not None and told <= now < told + NOT_AGAIN_WITHIN:
            return False
        self._told.pop(refusal, None)
        self._told[refusal] = now
        if len(self._told) > MOST_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True

    def _tell(self, outcome: Outcome, action: str, about: VirtualMachine | Pool, words: str) -> None:
        level = logging.WARNING if outcome is Outcome.REFUSED else logging.INFO
        kind = "vm" if isinstance(about, VirtualMachine) else "pool"
        audit.log(level, "%s %s: %s", kind, about.name, words)
        self._backend.tell(Decision(outcome, action, about, words, self._clock.now()))
