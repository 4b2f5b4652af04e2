"""A virtual machine as its backend last told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmpool_ext.domain.defects import Defect
    from vmpool_ext.domain.permission import Grant

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""The transition time of a condition that never changed: the CRD's default."""

START_FAILED = "StartFailed"
CRASHED = "Crashed"
BOOT_TIMEOUT = "BootTimeout"
TERMINATING = "VmTerminating"
LOGIN_FAILED = "LoginFailed"


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


NOBODY = "-"
"""Whose session a run holds in which all have been ended; no user's name begins so."""


@dataclass(frozen=True, slots=True)
class SessionMark:
    """Whose session a run of the VM holds: written before they are let in, and good for the run that began then (R10)."""

    user: str
    run: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachine:
    """A VM; ``version`` grows with every change of any object of its backend, so versions tell what came later."""

    name: str
    uid: str = ""
    """Which of those that had this name it is, where the backend tells."""
    version: int = 0
    pools: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    requested: RequestedState = RequestedState.STOPPED
    running: Condition = Condition()
    booted: Condition = Condition()
    agent_connected: Condition = Condition()
    user_logged_in: Condition = Condition()
    console_connected: Condition = Condition()
    assignment: Assignment | None = None
    session: SessionMark | None = None
    ending_run: datetime | None = None
    """Which run is to end and be followed by another: the one that began then."""
    logged_in_user: str | None = None
    login_user: str | None = None
    """Whom the definition itself wants logged in."""
    console_user: str | None = None
    display: str = "vnc"
    """What its console is opened with: ``vnc`` or ``spice``."""
    restarts_for_reset: bool = False
    """Whether its reset button is out of reach, so that a reset shuts it down and starts it again."""
    reachable: bool = True
    """Whether programs on the user's own machine reach its display, if it is SPICE; one that is VNC is not for them."""
    disk_user: str | None = None
    """Who was let in last since its disks were made anew, or for whom it was started first; None if they are fresh."""
    discarding: bool = False
    """Whether its disks are to be made anew as soon as it is off."""
    os: str | None = None
    being_deleted: bool = False
    defects: tuple[Defect, ...] = ()
    """What is wrong with how it is written down."""

    @property
    def state(self) -> MachineState:
        """The word that users read."""
        wanted = self.requested is RequestedState.RUNNING
        if self.running and not (wanted and self.restarting):
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
    def restarting(self) -> bool:
        """Whether it runs still, and is to end and begin anew."""
        return bool(self.running) and self.ending_run == self.running.since

    @property
    def assignment_unclear(self) -> bool:
        """Whether it cannot be read whose the VM is, or until when: then it is nobody else's either."""
        return bool(self.defects) and any(defect.holds for defect in self.defects)

    @property
    def lasting_defects(self) -> tuple[Defect, ...]:
        """What is wrong still when the assignment is written anew, or removed."""
        return tuple(defect for defect in self.defects if not defect.holds) if self.defects else ()

    @property
    def console_open(self) -> bool:
        """Whether somebody is connected; counts only while the VM really runs (R2)."""
        return bool(self.running and self.console_connected)

    @property
    def agent_there(self) -> bool:
        """Whether the guest's agent has greeted in this run, and can be told to log somebody in."""
        return bool(self.running and self.booted and self.agent_connected)

    @property
    def opens_in_viewers(self) -> bool:
        """Whether its console can be opened outside of JupyterLab too, by a file for virt-viewer."""
        return self.reachable and self.display == "spice"

    @property
    def disk_used(self) -> bool:
        """Whether something may have been written that discarding would throw away."""
        return self.disk_user is not None

    @property
    def last_used(self) -> datetime:
        """The later of the assignment's last use and the console's last change (R2)."""
        changed = self.console_connected.since
        return max(changed, self.assignment.last_used) if self.assignment else changed

    @property
    def session_user(self) -> str | None:
        """Whose session this run holds by its mark; a mark of an earlier run says nothing."""
        return None if self._mark == NOBODY else self._mark

    @property
    def untouched(self) -> bool:
        """Whether nobody is in it in this run, as far as anything tells; the console user is no evidence (R10)."""
        looked_at = self._mark != NOBODY and self.console_connected.since > self.running.since
        return self.session_user is None and self.logged_in_user is None and not (self.console_open or looked_at)

    @property
    def warm(self) -> bool:
        """Whether the VM runs and holds nobody's session (R4)."""
        return self.state is MachineState.RUNNING and self.untouched

    @property
    def _mark(self) -> str | None:
        marked = self.session is not None and bool(self.running) and self.session.run == self.running.since
        return self.session.user if self.session and marked else None

    @property
    def ran_since_assigned(self) -> bool:
        """Whether the VM has run at any time since it was assigned (R6)."""
        return bool(self.running) or (self.assignment is not None and self.running.since > self.assignment.last_used)

    def is_clean_for(self, user: str) -> bool:
        """Whether the user would meet nobody's session but their own; one that is off holds none (R10)."""
        return not self.running or self.untouched or self.session_user == user

    def is_assigned(self, pool: str, user: str) -> bool:
        """Whether the VM is this user's, from this pool."""
        return self.assignment is not None and (self.assignment.pool, self.assignment.user) == (pool, user)
