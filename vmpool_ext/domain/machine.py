"""A virtual machine as its backend last told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmpool_ext.domain.permission import Grant

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The transition time of a condition that never changed: the CRD's default."""

START_FAILED = "StartFailed"
CRASHED = "Crashed"
BOOT_TIMEOUT = "BootTimeout"
TERMINATING = "VmTerminating"


class RequestedState(StrEnum):
    """What the definition wants (``spec.vm.state``)."""

    STOPPED = "Stopped"
    RUNNING = "Running"


class MachineState(StrEnum):
    """What is wanted and what is observed, in one word."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Condition:
    """One observed fact, since when it is so, and why."""

    status: bool = False
    since: datetime = NEVER
    reason: str = "Creation"
    message: str = ""

    def __bool__(self) -> bool:
        """Whether it is so."""
        return self.status


@dataclass(frozen=True, slots=True)
class Assignment:
    """A VM is a user's, from a pool, last used then (R1)."""

    pool: str
    user: str
    last_used: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachine:
    """A VM; ``version`` grows with every change of any object of its backend, so versions tell what came later."""

    name: str
    version: int = 0
    pools: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    requested: RequestedState = RequestedState.STOPPED
    running: Condition = Condition()
    booted: Condition = Condition()
    agent_connected: Condition = Condition()
    console_connected: Condition = Condition()
    assignment: Assignment | None = None
    logged_in_user: str | None = None
    console_user: str | None = None
    os: str | None = None
    being_deleted: bool = False

    @property
    def state(self) -> MachineState:
        """The word that users read."""
        wanted = self.requested is RequestedState.RUNNING
        if self.running:
            # One that is being shut down goes down, even if it is wanted again meanwhile.
            goes_on = wanted and self.running.reason != TERMINATING
            return MachineState.RUNNING if goes_on else MachineState.STOPPING
        if wanted:
            return MachineState.STARTING
        return MachineState.FAILED if self.start_failed else MachineState.STOPPED

    @property
    def start_failed(self) -> bool:
        """Whether the VM is off because it would not start or did not last."""
        return not self.running and self.running.reason in (START_FAILED, CRASHED)

    @property
    def console_open(self) -> bool:
        """Whether somebody is connected; counts only while the VM really runs (R2)."""
        return bool(self.running and self.console_connected)

    @property
    def last_used(self) -> datetime:
        """The later of the assignment's last use and the console's last change (R2)."""
        changed = self.console_connected.since
        return max(changed, self.assignment.last_used) if self.assignment else changed

    @property
    def warm(self) -> bool:
        """Whether the VM runs and nobody was in it since it does (R4)."""
        untouched = self.console_connected.since <= self.running.since and self.logged_in_user is None
        return self.state is MachineState.RUNNING and untouched and not self.console_open

    @property
    def used_in_this_run(self) -> bool:
        """Whether somebody may still be in it: it runs, and not as one that nobody was in."""
        return bool(self.running) and not self.warm

    @property
    def ran_since_assigned(self) -> bool:
        """Whether the VM has run at any time since it was assigned (R6)."""
        return bool(self.running) or (self.assignment is not None and self.running.since > self.assignment.last_used)

    def is_assigned(self, pool: str, user: str) -> bool:
        """Whether the VM is this user's, from this pool."""
        return self.assignment is not None and (self.assignment.pool, self.assignment.user) == (pool, user)
